/**
 * A peer that sends to an echo without end and reads nothing, or a megabyte a second: the memory of the
 * server's process stays bounded, reading from the peer stops, and other clients are served. The server
 * runs in a process of its own, and the peer is a raw socket on Node.
 */

import { fileURLToPath } from "node:url";
import { assert, canRun, run, runtime, spawn, testIf } from "../harness.ts";
import { scriptCommand } from "../support/script.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** How long the peer sends, in seconds. */
const SECONDS = 2;
/** How much a peer that reads everything has echoed before that, in MiB. */
const WARM_UP = 64;
/**
 * The largest growth of live memory on and off the runtime's heap, after garbage collection, and the
 * largest `heldBytes` of the connections, in MiB. Bun reads up to 512 KiB at once, Deno 256 KiB.
 */
const [GROWTH, HELD] = runtime === "deno" ? [2, 2] : [4, 4];
/** The largest growth of the process, in MiB, including memory that the allocators keep. */
const RSS = 16;
/** How many MiB the kernel's buffers may take in both directions. */
const KERNEL = 24;

for (
  const [form, rate, size] of [
    ["callbacks", 0, 1024],
    ["callbacks", 1_000_000, 1024],
    ["loop", 0, 1024],
    ["pipe", 0, 1024],
    ["slow", 0, 1024],
  ] as const
) {
  const reader = rate === 0 ? "reads nothing" : `reads ${rate} B/s`;
  testIf(
    canRun("node"),
    `a flood of ${size} B by a peer that ${reader} is held back: ${form}`,
    async () => {
      const peers = "tests/system/interop/peers/backpressure";
      const flags = ["--no-check", "--v8-flags=--expose-gc"];
      const [command, args] = scriptCommand(`${peers}_server.ts`, ...flags);
      const server = spawn(command, [...args, form], {
        env: { NO_COLOR: "1" },
      });
      const [, port] = await server.waitForLine(/^listening on (\d+)$/);
      // A handler that gets stuck echoes short messages only.
      const warmUp = form === "slow" ? [WARM_UP / 16, size / 16] : [WARM_UP, size];
      const figures = [port, rate, SECONDS, size, ...warmUp].map(String);
      const client = await run("node", [`${peers}_client.mjs`, ...figures], { cwd: ROOT });
      const match = client.stdout.match(
        /^grew (\S+) .* RSS (\S+) .* held (\S+), took (\S+) MiB, (\S+) .* gave (\S+), echoes (\d+) .* p99 (\S+) /m,
      );
      assert(match !== null, client.stdout + client.stderr);
      console.log(
        `${form}, ${size} B, ${reader}, ${runtime}: ${match[0]}${
          client.stdout.trim().slice(match[0].length)
        }`,
      );
      const [grew, rss, held, took, later, gave, echoes, p99] = match.slice(1).map(Number);
      assert(grew <= GROWTH, `${grew} MiB more are alive, at most ${GROWTH}`);
      assert(held > 0 && held <= HELD, `${held} MiB are held, at most ${HELD}`);
      assert(rss <= RSS, `grew ${rss} MiB, at most ${RSS}`);
      assert(took <= gave + KERNEL, `took ${took} MiB and gave ${gave}`);
      // In the second half the kernel's buffers are full: as much is read as is written, in the kernel's portions.
      if (rate === 0) assert(later <= 1, `took ${later} MiB more`);
      else assert(later <= gave + 4, `took ${later} MiB more, gave ${gave}`);
      assert(echoes >= 100 * SECONDS, `${echoes} echoes of the other connection`);
      assert(p99 <= 100, `${p99} ms for one echo in a hundred`);
    },
  );
}
