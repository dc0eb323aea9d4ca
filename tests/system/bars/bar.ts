/** The bars of topics: what is measured, what is wanted, and helpers to measure it. */

import { readFileSync } from "node:fs";
import process from "node:process";

/** A measured value beside the wanted one. */
export interface Row {
  /** What was measured. */
  what: string;
  wanted: string;
  measured: string;
  isOk: boolean;
  /** Whether the value is a time, which depends on what else the machine does. */
  isTime?: boolean;
}

/** The size of a run: `quick` takes a few seconds, and its times say little. */
export type Size = "full" | "quick";

/** Returns a row whose value must be at most a limit. */
export function atMost(what: string, value: number, limit: number, unit: string): Row {
  return {
    what,
    wanted: `<= ${short(limit)} ${unit}`,
    measured: `${short(value)} ${unit}`,
    isOk: value <= limit,
    isTime: ["us", "ms", "x"].includes(unit),
  };
}

/** Returns a row whose value must be exact. */
export function exactly(what: string, value: number | string, wanted: number | string): Row {
  return { what, wanted: String(wanted), measured: String(value), isOk: value === wanted };
}

/** Formats a number with three digits. */
export function short(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Returns a quantile of unsorted values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** Returns the median of unsorted values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Runs the garbage collector, and returns the bytes of the heap. */
export async function heap(): Promise<number> {
  const { gc, Bun } = globalThis as {
    gc?: () => void;
    Bun?: { gc(isSync: boolean): void };
  };
  for (let n = 0; n < 3; n++) {
    await sleep(20);
    Bun?.gc(true);
    gc?.();
  }
  return process.memoryUsage().heapUsed;
}

/** The resident memory of this process, in bytes. */
export function resident(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** The CPU time of this process, in microseconds. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Resolves after a time in milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One mebibyte. */
export const MIB = 1024 * 1024;
