/** Measurements of time, CPU time and memory, from the clock and /proc. */

import { readFileSync } from "node:fs";
import process from "node:process";

/** Resolves after `seconds`. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Returns the promise's result. Rejects if it takes longer than `seconds`. */
export async function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took over ${seconds} s`)), seconds * 1000);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Returns the user and system CPU time of a process in seconds, or `undefined` without /proc. */
function cpuSeconds(pid: number): number | undefined {
  try {
    // The command in parentheses may have spaces. Fields 12 and 13 after it are utime and stime, in
    // ticks of 10 ms.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").pop()!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** Returns the resident memory of a process in bytes (VmRSS). */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** Measures elapsed time and the CPU time used in it. */
export class Stopwatch {
  readonly #pid: number;
  readonly #start: number = performance.now();
  readonly #own: number = ownSeconds();
  readonly #server: number | undefined;

  constructor(pid: number) {
    this.#pid = pid;
    this.#server = cpuSeconds(pid);
  }

  /** Returns the seconds since construction and the share of CPU time in them. */
  stop(): { seconds: number; cpu: { generatorCpu: number; serverCpu?: number } } {
    const seconds = (performance.now() - this.#start) / 1000;
    const server = cpuSeconds(this.#pid);
    const generatorCpu = (ownSeconds() - this.#own) / seconds;
    if (server === undefined || this.#server === undefined) {
      return { seconds, cpu: { generatorCpu } };
    }
    return { seconds, cpu: { generatorCpu, serverCpu: (server - this.#server) / seconds } };
  }
}

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Returns the 50th and the 99th percentile. */
export function percentiles(values: number[]): { p50?: number; p99?: number } {
  if (values.length === 0) return {};
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)]!;
  return { p50: at(0.5), p99: at(0.99) };
}
