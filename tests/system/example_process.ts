/** Runs the examples as users do: as a process of the runtime that runs the tests. */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime, spawn } from "../harness.ts";
import type { Child, Exit } from "../harness.ts";

/**
 * Sends the process a signal, as a shell does. The child's own `kill()` is not used: after it, Deno
 * reports that the signal ended the process, even if it exited with a code.
 */
export function signal({ child }: Example, name: "SIGTERM" | "SIGINT"): void {
  process.kill(child.pid!, name);
}

/** An example that listens. */
export interface Example {
  /** Its process. */
  child: Child;
  /** The port in its first line of output. */
  port: number;
}

function spawnExample(path: string, env: Record<string, string>): Child {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = runtime === "deno" ? ["run", "-A"] : [];
  return spawn(process.execPath, [...args, `examples/${path}`], {
    cwd: root,
    env: { HOST: "127.0.0.1", NO_COLOR: "1", ...env },
  });
}

/** Runs the example at `path` under examples/ to its end, with variables of the environment. */
export function runExample(path: string, env: Record<string, string>): Promise<Exit> {
  return spawnExample(path, env).exited;
}

/**
 * Starts the example at `path` under examples/. The default port is any that is free.
 *
 * @param env Further variables of its environment.
 */
export async function startExample(
  path: string,
  port = 0,
  env: Record<string, string> = {},
): Promise<Example> {
  const child = spawnExample(path, { PORT: String(port), ...env });
  const [, listensAt] = await child.waitForLine(/\/\/localhost:(\d+)\/$/);
  return { child, port: Number(listensAt) };
}
