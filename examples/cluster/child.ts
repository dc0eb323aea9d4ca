/** Child processes that are killed, start again, and end with this process. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A child process. */
export class Child {
  /** The port that a script has printed. */
  port = 0;
  readonly #command: string;
  readonly #args: string[];
  readonly #isScript: boolean;
  #process: ChildProcess | undefined;
  #isDown = false;
  #hasEnded = false;

  private constructor(command: string, args: string[], isScript: boolean) {
    this.#command = command;
    this.#args = args;
    this.#isScript = isScript;
    process.on("exit", () => this.#process?.kill("SIGKILL"));
  }

  /** Starts a program. */
  static ofProgram(command: string, args: string[]): Child {
    const child = new Child(command, args, false);
    child.#start();
    return child;
  }

  /** Starts a script of this folder on this runtime. Resolves when it has printed its port. */
  static async ofScript(name: string, args: string[]): Promise<Child> {
    const path = fileURLToPath(new URL(name, import.meta.url));
    const flags = "Deno" in globalThis ? ["run", "-A"] : [];
    const child = new Child(process.execPath, [...flags, path, ...args], true);
    await child.#start();
    return child;
  }

  /** Ends the process without a warning, and starts it again after a time in milliseconds. */
  async killAndRestart(ms: number): Promise<void> {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#process?.kill("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (!this.#hasEnded) await this.#start();
    this.#isDown = false;
  }

  /** Ends the process for good. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  async #start(): Promise<void> {
    const output = this.#isScript ? "pipe" : "ignore";
    const child = this.#process = spawn(this.#command, this.#args, {
      // A script that starts again keeps its port.
      env: { ...process.env, PORT: String(this.port) },
      stdio: ["ignore", output, this.#isScript ? "inherit" : "ignore"],
    });
    if (!this.#isScript) return;
    const text = await new Promise<string>((resolve) => {
      child.stdout!.once("data", (data) => resolve(String(data)));
      child.once("exit", () => resolve(""));
    });
    if (text !== "") this.port = Number(text);
  }
}
