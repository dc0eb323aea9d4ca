/**
 * A message of a gibibyte each way, with the process under test on its own and a peer by hand on Node:
 * what it grows by, from the open connection to its largest, and how fast it goes.
 */

import process from "node:process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, canRun, run, runtime, spawn, testIf } from "./harness.ts";

const MIB = 1024;
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const canMeasure = existsSync("/proc/self/status") ? canRun("node") : "there is no /proc";

/**
 * How much the process may grow by, in MiB. What it sends comes out of buffers that are used again.
 * What it reads is its reader's, and becomes garbage that the runtime collects when it likes: a loop that
 * does nothing but allocate as much grows by 70 to 80 MiB on Deno and by 18 to 33 MiB on Bun. So the
 * limits for what is read tell a message that is held from one that is not, and no more.
 */
const LIMITS = { read: 40, send: MIB / 2 };

for (
  const [way, type, coding] of [
    ["read", "binary", "plain"],
    ["read", "text", "plain"],
    ["send", "binary", "plain"],
    ["send", "text", "plain"],
    ["send", "binary", "deflate"],
  ] as const
) {
  const ours = way === "read" ? "sent" : "received";
  testIf(canMeasure, `1 GiB is ${ours}, ${type}, ${coding}, in bounded memory`, async () => {
    const peers = "tests/interop/peers/gibibyte";
    const args = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
    const server = spawn(process.execPath, [...args, `${peers}_server.ts`, `${MIB}`, coding], {
      cwd: ROOT,
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
    if (type === "binary") assertEquals(Number(count), MIB * 1024 * 1024);
    assert(Number(growth) <= LIMITS[way], `${growth} MiB, at most ${LIMITS[way]}`);
  });
}
