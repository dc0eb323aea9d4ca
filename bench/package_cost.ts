/** The cost of the package: the time until a server listens, and the size of the bundle. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { LOADS } from "./loads.ts";
import type { Peer } from "./peers.ts";
import { commands, run, startServer } from "./processes.ts";
import { table, withSpread } from "./table.ts";

/** The times from the start of the process until it listens, in milliseconds, by peer. */
export type StartTimes = Record<string, number[]>;

/** Starts each peer `times` times, in turn, after a first start that may compile and does not count. */
export async function measureStart(peers: readonly Peer[], times: number): Promise<StartTimes> {
  const all: StartTimes = {};
  for (let i = -1; i < times; i++) {
    for (const { name, command, args, cwd } of peers) {
      const server = await startServer(name, command, args(LOADS[0]!), cwd);
      await server.stop();
      if (i >= 0) (all[name] ??= []).push(server.startTime);
    }
  }
  return all;
}

/** Formats the start times as a table. */
export function startReport(times: StartTimes, peers: readonly Peer[]): string {
  const rows = peers.map(({ name, title }) => [title, withSpread(times[name] ?? [])]);
  return [
    "### start",
    `From the start of the process until it listens, median of ${times[peers[0]!.name]?.length}.`,
    table(["peer", "ms"], rows),
  ].join("\n\n");
}

/** The size of `mod.ts` with all its imports, in bytes. */
export interface BundleSize {
  minified: number;
  gzipped: number;
}

/** Bundles and minifies `mod.ts`. */
export async function measureSize(): Promise<BundleSize> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    const file = join(folder, "mod.js");
    await run(commands.bun, ["build", "mod.ts", "--minify", "--target=bun", `--outfile=${file}`]);
    const bytes = readFileSync(file);
    return { minified: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Formats the size as a sentence. */
export function sizeReport({ minified, gzipped }: BundleSize): string {
  const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
  return "### size\n\n" +
    `\`mod.ts\` with all its imports: ${kib(minified)} minified, ${kib(gzipped)} with gzip.`;
}
