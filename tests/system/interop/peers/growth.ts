/** Measures how far the memory of this process grows while it moves data. */

import { readFileSync } from "node:fs";

/** Bytes of a MiB. */
export const MIB: number = 1024 * 1024;

let before = 0;
let peak = 0;
let start = 0;
let seen = 0;

/** Returns the resident memory, in MiB. */
function rss(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1024;
}

/** Starts the measurement. */
export function begin(): void {
  before = peak = rss();
  start = performance.now();
}

/** Counts moved bytes, and looks at the memory each time 4 MiB have been moved. */
export function look(count: number): void {
  seen += count;
  if (seen < 4 * MIB) return;
  seen = 0;
  peak = Math.max(peak, rss());
}

/** Prints the moved bytes after `what`, the growth in MiB and the rate in MiB/s. */
export function end(what: string, count: number): void {
  const seconds = (performance.now() - start) / 1000;
  peak = Math.max(peak, rss());
  const growth = (peak - before).toFixed(1);
  console.log(`${what} ${count} grew ${growth} at ${Math.round(count / MIB / seconds)}`);
}
