/**
 * A message of a gibibyte each way, with the process under test on its own and a peer by hand on Node:
 * what it grows by, from the open connection to its largest, and how fast it goes.
 */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, canRun, run, runtime, spawn, testIf } from "../harness.ts";
import { scriptCommand } from "../support/script.ts";

const MIB = 1024;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const canMeasure = existsSync("/proc/self/status") ? canRun("node") : "there is no /proc";

/**
 * How much the process may grow by, in MiB. What it sends comes out of buffers that are used again, and
 * what a BYOB reader reads goes into the reader's own. What other readers read becomes garbage that the
 * runtime collects when it likes: so the limit for them tells a message that is held from one that is
 * not, and no more. On Bun that is so for all, since each chunk of the network's is a buffer of its own:
 * a server that does nothing but drop them grows by 42 to 58 MiB.
 */
const GARBAGE = MIB / 2;
const LIMITS = { read: 40, byob: runtime === "deno" ? 32 : GARBAGE, others: GARBAGE };

for (
  const [way, type, coding] of [
    ["read", "binary", "plain"],
    ["read", "text", "plain"],
    ["send", "byob", "plain"],
    ["send", "binary", "plain"],
    ["send", "text", "plain"],
    ["send", "byob", "deflate"],
    ["send", "binary", "deflate"],
  ] as const
) {
  const ours = way === "read" ? "sent" : "received";
  testIf(canMeasure, `1 GiB is ${ours}, ${type}, ${coding}, in bounded memory`, async () => {
    const peers = "tests/system/interop/peers/gibibyte";
    const [command, args] = scriptCommand(`${peers}_server.ts`, "--no-check");
    const server = spawn(command, [...args, `${MIB}`, coding], {
      env: { NO_COLOR: "1" },
    });
    const [, port] = await server.waitForLine(/^listening on (\d+)$/);
    const client = await run("node", [`${peers}_client.mjs`, port, way, type, `${MIB}`, coding], {
      cwd: ROOT,
    });
    const [, count, growth, rate] = await server.waitForLine(
      /^\S+ (\d+) grew (\S+) from \S+ at (\d+)$/,
    );
    console.log(`1 GiB ${ours}, ${type}, ${coding}, ${runtime}: +${growth} MiB, ${rate} MiB/s`);
    assert(client.stdout.includes("close 1000"), client.stdout + client.stderr);
    if (way === "read") assert(client.stdout.includes(`read ${count} in`), client.stdout);
    if (type !== "text") assertEquals(Number(count), MIB * 1024 * 1024);
    const limit = LIMITS[way === "read" ? way : type === "byob" ? type : "others"];
    assert(Number(growth) <= limit, `${growth} MiB, at most ${limit}`);
  });
}
