/** Runs the examples as their users do: as a process of the runtime that runs the tests. */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime, spawn } from "../harness.ts";
import type { Child } from "../harness.ts";

/**
 * Sends the process a signal, as a shell does. Not by the child's own `kill()`: on Deno, who has used
 * that is told that the signal ended the process, even where it exited with a code.
 */
export function signal({ child }: Example, name: "SIGTERM" | "SIGINT"): void {
  process.kill(child.pid!, name);
}

/** An example that listens. */
export interface Example {
  /** Its process. */
  child: Child;
  /** The port that its first line names. */
  port: number;
}

/** Starts the example at `path` under examples/, on a free port unless told otherwise. */
export async function startExample(path: string, port = 0): Promise<Example> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = runtime === "deno" ? ["run", "-A"] : [];
  const child = spawn(process.execPath, [...args, `examples/${path}`], {
    cwd: root,
    env: { PORT: String(port), HOST: "127.0.0.1", NO_COLOR: "1" },
  });
  const [, listensAt] = await child.waitForLine(/\/\/localhost:(\d+)\/$/);
  return { child, port: Number(listensAt) };
}
