/** Child processes of either runtime that answer commands, one line of JSON each. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The name of a runtime. */
export type Runtime = "deno" | "bun";

/** The runtime of this process. */
export const runtime: Runtime = "Deno" in globalThis ? "deno" : "bun";

/** The default time until an answer, in milliseconds. */
const PATIENCE = 30_000;

/** Returns the command of a runtime; this process's own if there is no other on the machine. */
function commandOf(wanted: Runtime): [Runtime, string] {
  const installed = fileURLToPath(new URL(`../../../node_modules/.bin/${wanted}`, import.meta.url));
  return wanted !== runtime && existsSync(installed)
    ? [wanted, installed]
    : [runtime, process.execPath];
}

/** A child process. */
export class Process {
  readonly runtime: Runtime;
  readonly child: ChildProcess;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly #answers = new Map<number, (answer: { result?: unknown; error?: string }) => void>();
  #count = 0;
  #hasEnded = false;

  /** Starts a script of this folder with a configuration. */
  constructor(wanted: Runtime, script: string, config: unknown) {
    const [name, command] = commandOf(wanted);
    this.runtime = name;
    const path = fileURLToPath(new URL(script, import.meta.url));
    const args = name === "deno" ? ["run", "-A", "--no-check", "--v8-flags=--expose-gc"] : [];
    this.child = spawn(command, [...args, path, JSON.stringify(config)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    this.child.stdin!.on("error", () => {});
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      const { id, ...answer } = JSON.parse(line);
      this.#answers.get(id)?.(answer);
      this.#answers.delete(id);
    });
    this.ended = new Promise((resolve) => {
      this.child.on("exit", (code, signal) => {
        this.#hasEnded = true;
        const error = `${script} on ${name} ended with ${code ?? signal}`;
        for (const answer of this.#answers.values()) answer({ error });
        this.#answers.clear();
        resolve();
      });
    });
  }

  /** Sends a command. Resolves to the answer. */
  async ask<T = unknown>(command: string, argument: unknown = null, ms = PATIENCE): Promise<T> {
    const id = ++this.#count;
    const { promise, resolve } = Promise.withResolvers<{ result?: unknown; error?: string }>();
    this.#answers.set(id, resolve);
    const timer = setTimeout(() => resolve({ error: `no answer within ${ms} ms` }), ms);
    if (this.#hasEnded) resolve({ error: "the process has ended" });
    else this.child.stdin!.write(`${JSON.stringify({ id, command, argument })}\n`);
    const { result, error } = await promise;
    clearTimeout(timer);
    if (error !== undefined) throw new Error(`${command}: ${error}`);
    return result as T;
  }

  /** Ends the process as a power failure would. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** The commands of a child process by name: each returns its answer. */
export type Commands = Record<string, (argument: never) => unknown>;

/** Returns the configuration that the parent process has given. */
export function configuration<Config>(): Config {
  return JSON.parse(process.argv[2]!) as Config;
}

/** Answers the commands of the parent process, and ends with it. */
export function answer(commands: Commands): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { id, command, argument } = JSON.parse(line);
    let answer: { result?: unknown; error?: string };
    try {
      const run = commands[command] as ((argument: unknown) => unknown) | undefined;
      if (run === undefined) throw new Error("there is no such command");
      answer = { result: await run(argument) ?? null };
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
  });
  lines.on("close", () => process.exit(0));
}
