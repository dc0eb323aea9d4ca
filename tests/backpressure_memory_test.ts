/**
 * A peer that sends to an echo without end and reads nothing, or a megabyte a second: what the process
 * grows by, that the peer is held back, and that others are served meanwhile. The process under test is
 * on its own, and the peer is by hand, on Node.
 */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, canRun, run, runtime, spawn, testIf } from "./harness.ts";
import { scriptCommand } from "./support/script.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const canMeasure = existsSync("/proc/self/status") ? canRun("node") : "there is no /proc";

/** For how many seconds the peer sends. */
const SECONDS = 2;
/** How much one that reads everything has echoed before that, in MiB. */
const WARM_UP = 128;
/** How much the process may grow by, in MiB. */
const GROWTH = 8;
/** How much of what is sent the kernel's buffers may take, on the way there and back, in MiB. */
const KERNEL = 24;

for (
  const [form, rate, size] of [
    ["callbacks", 0, 1024],
    ["callbacks", 1_000_000, 1024],
    ["loop", 0, 1024],
    ["loop", 1_000_000, 1024],
    ["pipe", 0, 1024],
    ["pipe", 1_000_000, 1024],
    ["slow", 0, 1024],
  ] as const
) {
  const reader = rate === 0 ? "reads nothing" : `reads ${rate} B/s`;
  testIf(
    canMeasure,
    `a flood of ${size} B by a peer that ${reader} is held back: ${form}`,
    async () => {
      const peers = "tests/interop/peers/backpressure";
      const [command, args] = scriptCommand(`${peers}_server.ts`, "--no-check");
      const server = spawn(command, [...args, form], {
        env: { NO_COLOR: "1" },
      });
      const [, port] = await server.waitForLine(/^listening on (\d+)$/);
      // A handler that is stuck would never echo so much.
      const warmUp = form === "slow" ? 0 : WARM_UP;
      const figures = [port, server.pid, rate, SECONDS, size, warmUp].map(String);
      const client = await run("node", [`${peers}_client.mjs`, ...figures], { cwd: ROOT });
      const match = client.stdout.match(
        /^grew (\S+) .* took (\S+) MiB, (\S+) .* gave (\S+), echoes (\d+) .* p99 (\S+) /m,
      );
      assert(match !== null, client.stdout + client.stderr);
      console.log(
        `${form}, ${size} B, ${reader}, ${runtime}: ${match[0]}${
          client.stdout.trim().slice(match[0].length)
        }`,
      );
      const [grew, took, later, gave, echoes, p99] = match.slice(1).map(Number);
      assert(grew <= GROWTH, `grew ${grew} MiB, at most ${GROWTH}`);
      assert(took <= gave + KERNEL, `took ${took} MiB and gave ${gave}`);
      // In the second half the kernel's buffers are full: it takes what it gives, in the kernel's portions.
      if (rate === 0) assert(later <= 1, `took ${later} MiB more`);
      else assert(later <= gave + 4, `took ${later} MiB more, gave ${gave}`);
      assert(echoes >= 100 * SECONDS, `${echoes} echoes of the other connection`);
      assert(p99 <= 100, `${p99} ms for one echo in a hundred`);
    },
  );
}
