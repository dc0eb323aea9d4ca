/**
 * What a test file imports: one `test` for both runtimes, assertions, hex, deadlines and child
 * processes.
 */

import process from "node:process";
import { AssertionError, fail } from "@std/assert";

export * from "@std/assert";
export { hex, toHex } from "./support/bytes.ts";

/** Loaded when it is first used: most files start no process, and Deno loads it for each file. */
const childProcess = () => process.getBuiltinModule("node:child_process");

/** How long a test may take, in milliseconds. */
const TEST_TIMEOUT = 60_000;

interface DenoTests {
  test(definition: {
    name: string;
    fn: TestFunction;
    ignore?: boolean;
    timeout?: number;
    sanitizeOps?: boolean;
    sanitizeResources?: boolean;
  }): void;
}
interface BunTests {
  (name: string, fn: TestFunction, timeout: number): void;
  skip(name: string, fn: TestFunction): void;
}

/** The body of a test. */
export type TestFunction = () => void | Promise<void>;

const deno = (globalThis as { Deno?: DenoTests }).Deno;

/** The runtime that runs this test. */
export const runtime: "deno" | "bun" = deno === undefined ? "bun" : "deno";

// A variable, since Deno would resolve a literal in the import() below.
const bunTestModule = "bun:test";
const bunTest: BunTests | undefined = deno === undefined
  ? (await import(bunTestModule)).test
  : undefined;

/** Declares a test. Deno's sanitizers are on: a test closes what it opens. */
export function test(name: string, fn: TestFunction): void {
  const body = () => withCleanup(fn);
  // Deno's sanitizers are off unless they are asked for.
  const sanitizers = { sanitizeOps: true, sanitizeResources: true };
  if (deno !== undefined) deno.test({ name, fn: body, timeout: TEST_TIMEOUT, ...sanitizers });
  else bunTest!(name, body, TEST_TIMEOUT);
}

/**
 * Declares a test that needs a program or a feature that the machine may lack.
 *
 * `condition` is `true`, or the reason why the test cannot run (see {@linkcode canRun}): then it is
 * skipped, and its name contains the reason. If the environment has `CI=true` it fails instead, so that
 * CI never runs fewer tests unnoticed.
 */
export function testIf(condition: true | string, name: string, fn: TestFunction): void {
  if (condition === true) return test(name, fn);
  if (process.env.CI === "true") return test(name, () => fail(`cannot run: ${condition}`));
  const skipped = `${name} (skipped: ${condition})`;
  if (deno !== undefined) deno.test({ name: skipped, fn, ignore: true });
  else bunTest!.skip(skipped, fn);
}

/** A condition for {@linkcode testIf}: `true` if the command exits with 0, else the reason. */
export function canRun(command: string, args: string[] = ["--version"]): true | string {
  const { error, status } = childProcess().spawnSync(command, args, {
    stdio: "ignore",
    timeout: 30_000,
  });
  if (error !== undefined) return `${command} is not on this machine`;
  return status === 0 ? true : `${command} ${args.join(" ")} exited with ${status}`;
}

/** The digests under way, on Deno. */
const digests = new Set<Promise<ArrayBuffer>>();

// On Deno the library waits for the next turn of the event loop by digests and a timer. On a busy machine
// they may end after the test, and the sanitizer of operations would report them.
if (deno !== undefined) {
  const { subtle } = crypto;
  const digest = subtle.digest.bind(subtle);
  subtle.digest = (...args) => {
    const result = digest(...args);
    const isOver = (): void => void digests.delete(result);
    digests.add(result);
    result.then(isOver, isOver);
    return result;
  };
}

let cleanups: AsyncDisposableStack | undefined;

/** Runs `fn` when the current test ends; functions run in reverse order. */
export function onTestEnd(fn: () => void | Promise<void>): void {
  if (cleanups === undefined) throw new TypeError("onTestEnd() was called outside of a test");
  cleanups.defer(fn);
}

async function withCleanup(fn: TestFunction): Promise<void> {
  await using own = new AsyncDisposableStack();
  own.defer(async () => {
    if (digests.size === 0) return;
    while (digests.size > 0) await Promise.allSettled(digests);
    await delay(0);
  });
  cleanups = own;
  try {
    await fn();
  } finally {
    if (cleanups === own) cleanups = undefined;
  }
}

/** Settles as the promise does, or rejects after `ms` milliseconds with an error that names `what`. */
export async function deadline<T>(promise: PromiseLike<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AssertionError({ message: `${what}: not within ${ms} ms` })),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms` milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves once a condition holds that no event reports: it is evaluated every millisecond. */
export async function eventually(
  condition: () => boolean,
  ms: number,
  what: string,
): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) fail(`${what}: not within ${ms} ms`);
    await delay(1);
  }
}

/** Options of {@linkcode spawn}. */
export interface SpawnOptions {
  /** The working directory. */
  cwd?: string;
  /** Variables in addition to this process's environment. */
  env?: Record<string, string>;
  /** The whole standard input. */
  input?: string;
}

/** The result of a child process. */
export interface Exit {
  /** The exit code, or `null` if a signal ended it. */
  code: number | null;
  /** All of standard output. */
  stdout: string;
  /** All of standard error. */
  stderr: string;
}

/** A child process, which is killed at the end of the test that started it. */
export interface Child {
  /** The process id. */
  readonly pid: number | undefined;
  /** Resolves when the process has ended and its output is read; rejects if it could not start. */
  readonly exited: Promise<Exit>;
  /** Resolves to the match of the first line of output that matches. */
  waitForLine(pattern: RegExp, ms?: number): Promise<RegExpMatchArray>;
  /** Kills the process, and waits for its end. */
  kill(signal?: "SIGTERM" | "SIGKILL" | "SIGINT"): Promise<void>;
}

/** Starts a child process. See {@linkcode run}, which waits for its end. */
export function spawn(command: string, args: string[], options: SpawnOptions = {}): Child {
  const { cwd, env, input = "" } = options;
  const child = childProcess().spawn(command, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
    stdio: "pipe",
  });
  const output = { stdout: "", stderr: "" };
  const changed = new EventTarget();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      changed.dispatchEvent(new Event("output"));
    });
  }
  let running = true;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, ...output });
    });
  }).finally(() => {
    running = false;
    changed.dispatchEvent(new Event("output"));
  });
  exited.catch(() => {}); // Not every test awaits the end of a child.
  child.stdin.on("error", () => {}); // The child may end without reading its input.
  child.stdin.end(input);

  async function kill(signal: "SIGTERM" | "SIGKILL" | "SIGINT" = "SIGKILL"): Promise<void> {
    if (running) child.kill(signal);
    await exited.catch(() => {});
  }

  async function waitForLine(pattern: RegExp, ms = 20_000): Promise<RegExpMatchArray> {
    const stop = new AbortController();
    const { signal } = stop;
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      function look(): void {
        for (const line of `${output.stdout}\n${output.stderr}`.split(/\r?\n/)) {
          const match = line.match(pattern);
          if (match !== null) return resolve(match);
        }
        if (!running) {
          fail(`${command} ended without a line that matches ${pattern}:\n${output.stderr}`);
        }
      }
      changed.addEventListener("output", () => {
        try {
          look();
        } catch (error) {
          reject(error);
        }
      }, { signal });
      look();
    });
    try {
      return await deadline(found, ms, `a line of ${command} that matches ${pattern}`);
    } finally {
      stop.abort();
    }
  }

  if (cleanups !== undefined) onTestEnd(() => kill());
  return { pid: child.pid, exited, waitForLine, kill };
}

/** Runs a child process to its end. */
export function run(command: string, args: string[], options?: SpawnOptions): Promise<Exit> {
  return spawn(command, args, options).exited;
}
