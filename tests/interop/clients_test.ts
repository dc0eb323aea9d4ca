// Clients that we did not write, against a server of ours.
import { assertEquals, deadline, delay, testIf } from "../harness.ts";
import { CLIENTS, interopServer } from "./interop.ts";
import type { Client, Drive } from "./interop.ts";

const DRIVES: readonly Drive[] = ["callbacks", "for await", "pipeTo"];

/** The drives that a client is tried with: all of them, or one, so that all are used. */
function drivesFor(client: Client, index: number): readonly Drive[] {
  return client.name.includes("ws") ? DRIVES : [DRIVES[index % DRIVES.length]];
}

for (const [index, client] of CLIENTS.entries()) {
  for (const drive of drivesFor(client, index)) {
    testIf(client.condition, `${client.name} gets along with ${drive}`, async () => {
      const { url, closes } = interopServer(drive);
      assertEquals(await client.run(url, "all"), client.expected.all);
      const seen = async () => {
        while (!closes.some(({ closeCode }) => closeCode === 4321)) await delay(5);
      };
      await deadline(seen(), 5000, "the client's close");
      const { reason, wasClean } = closes.find(({ closeCode }) => closeCode === 4321)!;
      assertEquals([reason, wasClean], ["client says bye", true]);
      const unclean = closes.filter(({ wasClean }) => !wasClean);
      assertEquals(
        unclean.map(({ error }) => (error as { code?: string } | undefined)?.code),
        ["ERR_MESSAGE_TOO_BIG"],
        "the message over the limit, and no other",
      );
    });
  }
}
