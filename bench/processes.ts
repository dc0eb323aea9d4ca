/** Starts processes and ends all of them. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "./globals.ts";

/** The root folder of the checkout. */
export const root: string = fileURLToPath(new URL("..", import.meta.url));

/** The commands of the runtimes: the current one by its path, the others by PATH. */
export const commands = {
  deno: runtime === "deno" ? process.execPath : "deno",
  bun: runtime === "bun" ? process.execPath : "bun",
  node: "node",
} as const;

/** The environment of each process. The checkout's tools come first in PATH. */
export const env: Record<string, string | undefined> = {
  ...process.env,
  PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
  NO_COLOR: "1",
};

/** The time a server has until it listens, in seconds. */
const START_TIMEOUT = 20;
/** The time a generator has in addition to its load, in seconds. */
const RUN_TIMEOUT = 120;

const running = new Set<ChildProcess>();

function start(command: string, args: readonly string[], cwd = root): ChildProcess {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.on("error", () => running.delete(child));
  return child;
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Ends all processes when this process exits, also on a signal. */
export function killAllAtExit(): void {
  process.on("exit", killAll);
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.on(signal, () => {
      killAll();
      process.exit(code);
    });
  }
}

/** A listening server. */
export interface Server {
  pid: number;
  port: number;
  /** The time from the start of the process until it listens, in milliseconds. */
  startTime: number;
  /** Ends the server. Rejects if it has already ended. */
  stop(): Promise<void>;
}

/**
 * Starts a server in the folder `cwd`, by default this checkout's root. Resolves when it listens. Its
 * stderr is printed with `name` before each line.
 */
export function startServer(
  name: string,
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<Server> {
  const startedAt = performance.now();
  const child = start(command, args, cwd);
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    reject(new Error(`${name} does not listen after ${START_TIMEOUT} s`));
  }, START_TIMEOUT * 1000);
  child.on("error", (error) => reject(new Error(`${name} did not start: ${error.message}`)));
  let code: number | string | undefined;
  child.on("exit", (status, signal) => {
    code = status ?? signal ?? "?";
    reject(new Error(`${name} ended with ${code} before it listened`));
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.trimEnd().split("\n")) console.error(`[${name}] ${line}`);
  });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const startTime = performance.now() - startedAt;
    output += text;
    const port = Number(/^PORT (\d+)$/m.exec(output)?.[1]);
    if (!(port > 0)) return;
    resolve({
      pid: child.pid!,
      port,
      startTime,
      async stop() {
        if (code !== undefined) throw new Error(`${name} ended by itself with ${code}`);
        child.kill("SIGKILL");
        await exited;
      },
    });
  });
  return promise.finally(() => clearTimeout(timer));
}

/**
 * Runs a command that should end within `seconds`. Resolves to its stdout.
 *
 * @throws {Error} If it fails, with its stderr as the message.
 */
export function run(command: string, args: readonly string[], seconds = 0): Promise<string> {
  const child = start(command, args);
  const timer = setTimeout(() => child.kill("SIGKILL"), (seconds + RUN_TIMEOUT) * 1000);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = "";
  let errors = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr!.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.on("error", (error) => reject(new Error(`${command} did not start: ${error.message}`)));
  child.on("close", (code) => {
    if (code === 0) resolve(output);
    else reject(new Error(errors.trim() || `${command} ended with ${code}`));
  });
  return promise.finally(() => clearTimeout(timer));
}
