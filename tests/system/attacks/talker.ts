/** Child processes of this runtime that exchange lines of JSON, and their memory and sockets. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runtime } from "./attack.ts";

/** How long a process may take to start, or to answer, in milliseconds. */
const PATIENCE = 30_000;

/** A child process of this runtime that exchanges lines of JSON. */
export class Talker {
  /** The process. */
  readonly child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #lines: string[] = [];
  #exit: number | string | undefined;

  /**
   * Starts it.
   *
   * @param checkout The path of another checkout, whose library the script uses.
   */
  constructor(script: URL, args: readonly string[] = [], checkout?: string) {
    const path = fileURLToPath(script);
    const config = checkout === undefined ? [] : ["--config", `${checkout}/deno.json`];
    const flags = ["-A", "--no-check", "--v8-flags=--expose-gc", ...config];
    const command = runtime === "deno"
      ? [process.execPath, "run", ...flags, path, ...args]
      : [process.execPath, path, ...args];
    // Thousands of connections need as many files: the soft limit may be lower than the hard one.
    const raised = 'ulimit -n "$(ulimit -Hn)"; exec "$@"';
    this.child = spawn("/bin/sh", ["-c", raised, "sh", ...command], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...(checkout !== undefined && { ATTACKED_CHECKOUT: checkout }) },
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#lines.push(line);
      else waiting(line);
    });
    this.child.on("exit", (code, signal) => this.#exit = code ?? signal ?? "?");
    this.child.stdin!.on("error", () => {});
  }

  /** Its process id. */
  get pid(): number {
    return this.child.pid!;
  }

  /** Whether it has ended on its own. */
  get hasEnded(): boolean {
    return this.#exit !== undefined;
  }

  /** Sends a line. */
  write(message: unknown): void {
    this.child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /** Resolves to the next line. */
  async read<T>(ms = PATIENCE): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error(`No answer within ${ms} ms`)), ms);
    const ended = (): void => reject(new Error(`The process ended with ${this.#exit}`));
    this.child.once("exit", ended);
    const line = this.#lines.shift();
    if (line === undefined) this.#waiting.push(resolve);
    else resolve(line);
    try {
      return JSON.parse(await promise);
    } finally {
      clearTimeout(timer);
      this.child.off("exit", ended);
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const exited = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.kill("SIGKILL");
    await exited;
  }
}

/** A size in a process's status, such as VmRSS, in bytes: proc(5). */
export function memoryOf(pid: number, name: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

/** Returns the number of open TCP sockets of a process; other files of the runtime do not count. */
export function socketsOf(pid: number): number {
  const tcp = new Set<string>();
  for (const table of ["tcp", "tcp6"]) {
    const lines = readFileSync(`/proc/${pid}/net/${table}`, "utf8").trim().split("\n").slice(1);
    for (const line of lines) tcp.add(`socket:[${line.trim().split(/\s+/)[9]}]`);
  }
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return tcp.has(readlinkSync(`${folder}/${name}`));
    } catch {
      return false; // It has been closed in the meantime.
    }
  }).length;
}
