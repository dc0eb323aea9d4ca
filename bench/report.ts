/** The report of the measurements, in Markdown. */

import type { Load, Result } from "./loads.ts";
import type { Peer } from "./peers.ts";
import { median, short, spread, table, withSpread } from "./table.ts";

/** The results of a peer's rounds with a load; `undefined` for a round that failed, `null` in a file. */
export type Rounds = (Result | undefined | null)[];

/** A load and the rounds of each peer, by name. */
export interface Measured {
  load: Load;
  peers: Record<string, Rounds>;
}

function values(measured: Measured, peer: string): number[] {
  return (measured.peers[peer] ?? []).filter(isValue).map(({ value }) => value);
}

function isValue(result: Rounds[number]): result is Result {
  return result !== undefined && result !== null && result.skipped === undefined;
}

/** The fields whose ratios are of interest. */
type RatioField = "value" | "cpuPerUnit";

/** A field of two peers, in the rounds in which both have it. */
function pairsOf(of: Rounds, to: Rounds, field: RatioField): [of: number, to: number][] {
  return of.flatMap((result, i) => {
    const pair = [result, to[i]].filter(isValue).flatMap((each) => each[field] ?? []);
    return pair.length === 2 ? [pair as [number, number]] : [];
  });
}

/** The ratio of the medians of a field; `undefined` if no round has it for both. */
export function medianRatio(
  of: Rounds = [],
  to: Rounds = [],
  field: RatioField = "value",
): number | undefined {
  const pairs = pairsOf(of, to, field);
  if (pairs.length === 0) return undefined;
  return median(pairs.map(([value]) => value)) / median(pairs.map(([, value]) => value));
}

/** The ratio of the medians of a field, formatted. */
export function shortRatio(of?: Rounds, to?: Rounds, field?: RatioField): string {
  const value = medianRatio(of, to, field);
  return value === undefined ? "" : digits2(value);
}

/** The ratio of the medians of a field, and the spread of the ratios of each round. */
export function ratio(of: Rounds = [], to: Rounds = [], field: RatioField = "value"): string {
  const middle = shortRatio(of, to, field);
  const each = pairsOf(of, to, field).map(([ours, theirs]) => ours / theirs);
  if (each.length <= 1) return middle;
  return `${middle} (${digits2(Math.min(...each))}..${digits2(Math.max(...each))})`;
}

function digits2(value: number): string {
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The median of a field of the results. */
export function middle(
  rounds: Rounds = [],
  field: "value" | "p50" | "p99" | "serverCpu" | "generatorCpu" | "cpuPerUnit",
): string {
  const some = rounds.filter(isValue).flatMap((result) => result[field] ?? []);
  if (some.length === 0) return "";
  const value = median(some);
  if (field === "value") return short(value);
  if (field === "cpuPerUnit") return `${short(value)} µs`;
  if (field.startsWith("p")) return value < 1 ? `${short(value * 1000)} µs` : `${short(value)} ms`;
  return `${Math.round(value * 100)} %`;
}

/** Whether the generator used a whole core and the server did not. */
function isLimited(rounds: Rounds): boolean {
  const some = rounds.filter(isValue);
  const share = (field: "generatorCpu" | "serverCpu"): number =>
    median(some.map((result) => result[field] ?? 0));
  return share("generatorCpu") > 0.9 && share("serverCpu") < 0.9;
}

/** The table and the notes of one load. */
export function loadReport(measured: Measured, peers: readonly Peer[]): string {
  const { load } = measured;
  const rows: string[][] = [];
  const notes: string[] = [];
  for (const { name, title } of peers) {
    const rounds = measured.peers[name];
    if (rounds === undefined) continue;
    const some = values(measured, name);
    const skipped = rounds.find((result) => result?.skipped !== undefined)?.skipped;
    const extensions = rounds.find((result) => result?.extensions)?.extensions;
    if (extensions !== undefined) notes.push(`${title}: \`${extensions}\``);
    if (skipped !== undefined) notes.push(`${title}: left out, ${skipped}`);
    else if (some.length < rounds.length) {
      notes.push(`${title}: ${rounds.length - some.length} of ${rounds.length} rounds FAILED`);
    }
    if (some.length === 0) continue;
    if (isLimited(rounds)) notes.push(`${title}: the generator may be the limit, not the server`);
    rows.push([
      title,
      middle(rounds, "value"),
      some.length > 1 ? spread(some) : "",
      name === "native" ? "" : ratio(rounds, measured.peers.native),
      name === "limit" ? "" : ratio(rounds, measured.peers.limit),
      middle(rounds, "p50"),
      middle(rounds, "p99"),
      middle(rounds, "cpuPerUnit"),
      middle(rounds, "serverCpu"),
      middle(rounds, "generatorCpu"),
    ]);
  }
  const header = ["peer", load.unit, "min..max", "/ native", "/ limit", "p50", "p99"];
  return [
    `### ${load.name}`,
    `${load.title}.`,
    table([...header, `CPU a ${unitOf(load)}`, "server CPU", "generator CPU"], rows),
    ...notes.length === 0 ? [] : [notes.map((note) => `- ${note}`).join("\n")],
  ].join("\n\n");
}

/** The unit of a load in the singular. */
function unitOf({ unit }: Load): string {
  return {
    "messages/s": "message",
    "deliveries/s": "delivery",
    "connections/s": "connection",
    "requests/s": "request",
  }[
    unit as string
  ] ?? "unit";
}

/** The CPU time of the server's process per message, for each peer, and its ratios. */
function cpuSummary(all: readonly Measured[], peers: readonly Peer[]): string[] {
  const rows = all.map(({ load, peers: rounds }) => [
    `${load.name}, µs a ${unitOf(load)}`,
    ...peers.map(({ name }) =>
      withSpread((rounds[name] ?? []).flatMap((result) => result?.cpuPerUnit ?? []))
    ),
    ratio(rounds.ours, rounds.native, "cpuPerUnit"),
    ratio(rounds.ours, rounds.limit, "cpuPerUnit"),
    ratio(rounds.ours, rounds.vs, "cpuPerUnit"),
    ratio(rounds["ours-await"], rounds["vs-await"], "cpuPerUnit"),
    ratio(rounds["ours-pipe"], rounds["vs-pipe"], "cpuPerUnit"),
  ]).filter((row) => row.slice(1).some((cell) => cell !== ""));
  if (rows.length === 0) return [];
  const ratios = [
    "ours / native",
    "ours / limit",
    "ours / vs",
    "`for await`: ours / vs",
    "`pipeTo`: ours / vs",
  ];
  return [
    "## CPU time of the server",
    table(["load", ...peers.map(({ title }) => title), ...ratios], rows),
  ];
}

/** The medians of all loads, and the most important ratios. */
export function summary(all: readonly Measured[], peers: readonly Peer[]): string {
  const medians = all.map((measured) => [
    `${measured.load.name}, ${measured.load.unit}`,
    ...peers.map(({ name }) => withSpread(values(measured, name))),
  ]);
  const ratios = all.map((measured) => {
    const { peers: rounds, load } = measured;
    const binary = all.find((other) => other.load.name === load.binary)?.peers.ours;
    return [
      load.name,
      ratio(rounds.ours, rounds.native),
      ratio(rounds.ours, rounds.vs),
      ratio(rounds.ours, rounds.limit),
      ratio(rounds.ours, rounds.ws),
      ratio(rounds.ours, rounds.uws),
      ratio(rounds["ours-await"], rounds.ours),
      ratio(rounds["ours-pipe"], rounds.ours),
      ratio(rounds.ours, binary),
    ];
  });
  const parts = ["## Medians", table(["load", ...peers.map(({ title }) => title)], medians)];
  const header = ["load", "ours / native", "ours / vs", "ours / limit"];
  if (ratios.some((row) => row.slice(1).some((cell) => cell !== ""))) {
    parts.push(
      "## Ratios of the medians",
      table([
        ...header,
        "ours / `ws`",
        "ours / uws",
        "`for await` / ours",
        "`pipeTo` / ours",
        "ours / its binary",
      ], ratios),
    );
  }
  parts.push(...cpuSummary(all, peers));
  return parts.join("\n\n");
}
