// Clients of others, with a server of this library.
import { assertEquals, testIf } from "../../harness.ts";
import { assertCloses, CLIENTS, interopServer } from "./interop.ts";
import type { Client, Drive } from "./interop.ts";

const DRIVES: readonly Drive[] = ["callbacks", "for await", "pipeTo"];

/** The forms of reading that a client is tested with: all of them, or one in turn. */
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
