/**
 * Bodies of HTTP in bounded memory: how much more a server's process grows than one that does the same by
 * a plain loop over TCP. The bodies have 128 MiB; `HTTP_MIB=1024` sets another size.
 */

import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, canRun, run, runtime, spawn, testIf } from "../harness.ts";
import { scriptCommand } from "../support/script.ts";

const MIB = Number(process.env.HTTP_MIB ?? 128);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PEERS = "tests/system/interop/peers/http_gibibyte";
/** How much more the process may grow, in MiB. */
const LIMIT = 32;
const canMeasure = existsSync("/proc/self/status") ? canRun("node") : "there is no /proc";

/** Moves a body, and returns the growth of the server's process, in MiB. */
async function move(way: "up" | "down", kind: "http" | "plain"): Promise<number> {
  const [command, args] = scriptCommand(`${PEERS}_server.ts`, "--no-check");
  const server = spawn(command, [...args, `${MIB}`, kind], { env: { NO_COLOR: "1" } });
  const [, port] = await server.waitForLine(/^listening on (\d+)$/);
  const client = await run("node", [`${PEERS}_client.mjs`, port, way, `${MIB}`], { cwd: ROOT });
  const [, count, growth, rate] = await server.waitForLine(/^moved (\d+) grew (\S+) at (\d+)$/);
  assertEquals(Number(count), MIB * 1024 * 1024);
  const size = way === "up" ? 4 : MIB * 1024 * 1024;
  assertEquals(client.stdout.trim(), `status 200, ${size} bytes`, client.stderr);
  console.log(`${MIB} MiB ${way}, ${kind}, ${runtime}: +${growth} MiB, ${rate} MiB/s`);
  return Number(growth);
}

for (const way of ["up", "down"] as const) {
  testIf(canMeasure, `an HTTP body goes ${way} in bounded memory`, async () => {
    const plain = await move(way, "plain");
    const http = await move(way, "http");
    assert(http - plain <= LIMIT, `${http} MiB, at most ${plain} + ${LIMIT}`);
  });
}
