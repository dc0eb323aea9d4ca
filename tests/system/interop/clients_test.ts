// Clients that we did not write, against a server of ours.
import { assertEquals, testIf } from "../../harness.ts";
import { assertCloses, CLIENTS, interopServer } from "./interop.ts";
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
      await assertCloses(closes);
    });
  }
}
