/**
 * A message of a gibibyte each way, between a process under test and a raw peer on Node: the largest
 * growth of the process, compared with an open connection, and the speed.
 */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, canRun, run, runtime, spawn, testIf } from "../harness.ts";
import { scriptCommand } from "../support/script.ts";

const MIB = 1024;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const canMeasure = existsSync("/proc/self/status") ? canRun("node") : "there is no /proc";

/**
 * The largest growth of the process, in MiB. Sent data uses buffers again, and a BYOB reader has its own
 * buffer. The data of other readers becomes garbage, which the runtime collects at any time: their limit
 * only shows that the message is not held as a whole. On Bun that applies to all readers, since each
 * received chunk is a new buffer: a server that drops all chunks grows by 42 to 58 MiB.
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
      /^\S+ (\d+) grew (\S+) at (\d+)$/,
    );
    console.log(`1 GiB ${ours}, ${type}, ${coding}, ${runtime}: +${growth} MiB, ${rate} MiB/s`);
    assert(client.stdout.includes("close 1000"), client.stdout + client.stderr);
    if (way === "read") assert(client.stdout.includes(`read ${count} in`), client.stdout);
    if (type !== "text") assertEquals(Number(count), MIB * 1024 * 1024);
    const limit = LIMITS[way === "read" ? way : type === "byob" ? type : "others"];
    assert(Number(growth) <= limit, `${growth} MiB, at most ${limit}`);
  });
}
