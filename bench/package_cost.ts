/** The cost of the package: the time until a server listens, and the size of the bundle. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { LOADS } from "./loads.ts";
import type { Peer } from "./peers.ts";
import { commands, root, run, startServer } from "./processes.ts";
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

/** The bundles whose size is reported: what an application imports, and from which module. */
const BUNDLES = [
  ["all of `mod.ts`", "*", "mod.ts"],
  ["`serve`", "{ serve }", "mod.ts"],
  ["`connect`", "{ connect }", "mod.ts"],
  ["`ReconnectingWebSocket`", "{ ReconnectingWebSocket }", "mod.ts"],
  ["all of `streams`", "*", "src/streams/mod.ts"],
] as const;

/** The size of a bundle, in bytes. */
export interface BundleSize {
  /** What it contains. */
  name: string;
  minified: number;
  gzipped: number;
}

/** Bundles and minifies what applications import. */
export async function measureSizes(): Promise<BundleSize[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    const sizes: BundleSize[] = [];
    for (const [name, exported, module] of BUNDLES) {
      const [source, file] = [join(folder, "in.ts"), join(folder, "out.js")];
      writeFileSync(source, `export ${exported} from ${JSON.stringify(join(root, module))};\n`);
      await run(commands.bun, ["build", source, "--minify", "--target=bun", `--outfile=${file}`]);
      const bytes = readFileSync(file);
      sizes.push({
        name,
        minified: bytes.length,
        gzipped: gzipSync(bytes, { level: 9 }).length,
      });
    }
    return sizes;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Formats the sizes as a table. */
export function sizeReport(sizes: readonly BundleSize[]): string {
  const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
  const rows = sizes.map(({ name, minified, gzipped }) => [name, kib(minified), kib(gzipped)]);
  return `### size\n\n${table(["bundle", "minified, KiB", "with gzip, KiB"], rows)}`;
}
