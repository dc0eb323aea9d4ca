/** The guard against slower code: the CPU time per message, compared with the native server's. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runtime } from "./globals.ts";
import { root } from "./processes.ts";
import type { Measured } from "./report.ts";
import { median, short, table } from "./table.ts";

/** The floors of a runtime: for each load, the least CPU time of the native server divided by ours. */
export type Floors = Readonly<Record<string, number>>;

/** The comparison of a run with the floors. */
export interface FloorReport {
  /** The table, in Markdown. */
  text: string;
  /** The loads under their floor, or without a result. */
  failures: string[];
}

/** Returns the floors of the current runtime, from floors.json. */
export function readFloors(): Floors {
  return JSON.parse(readFileSync(join(root, "bench", "floors.json"), "utf8"))[runtime];
}

/** Compares the medians of a run with the floors. */
export function checkFloors(all: readonly Measured[], floors: Floors): FloorReport {
  const failures: string[] = [];
  const rows: string[][] = [];
  for (const { load, peers } of all) {
    const floor = floors[load.name];
    if (floor === undefined) continue;
    const [ours, native] = [peers.ours, peers.native].map((rounds = []) =>
      rounds.flatMap((result) => result?.cpuPerUnit ?? [])
    );
    const ratio = ours!.length === 0 || native!.length === 0
      ? undefined
      : median(native!) / median(ours!);
    const isAbove = ratio !== undefined && ratio >= floor;
    if (!isAbove) failures.push(load.name);
    rows.push([
      load.name,
      ratio === undefined ? "none" : short(ratio),
      String(floor),
      isAbove ? "ok" : "FAILED",
    ]);
  }
  const text = "## Floors\n\n" + table(["load", "native CPU / ours", "floor", "result"], rows);
  return { text, failures };
}
