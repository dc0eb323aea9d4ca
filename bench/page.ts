// Writes the tables of docs/benchmarks.md and its chart: `bun bench/page.ts FILE.json ...`, with the files
// that `--json` has written, of both runtimes. Loads of several files of a runtime are joined; of a load in
// several of them, the first counts, except for text, which is compared with binary messages of its own file.
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { draw, label } from "./chart.ts";
import type { Report } from "./chart.ts";
import { middle, ratio, shortRatio } from "./report.ts";
import type { Measured } from "./report.ts";
import { table } from "./table.ts";

const BEGIN = "<!-- The tables begin: bench/page.ts writes them. -->";
const END = "<!-- The tables end. -->";
const NAMES: Record<string, string> = { deno: "Deno", bun: "Bun" };

const files = process.argv.slice(2);
if (files.length < 2) {
  console.error("Usage: page.ts DENO.json BUN.json ...");
  process.exit(2);
}

const runs = files.map((file): Report => JSON.parse(readFileSync(file, "utf8")));
const reports = new Map<string, Report>();
for (const run of runs) {
  const runtime = run.machine.runtime!;
  const report = reports.get(runtime) ?? { ...run, loads: [] };
  const known = new Set(report.loads.map(({ load }) => load.name));
  report.loads.push(...run.loads.filter(({ load }) => !known.has(load.name)));
  reports.set(runtime, report);
}

const all = ["deno", "bun"].map((name): [string, Report] => {
  const report = reports.get(name);
  if (report === undefined) throw new Error(`No file is a report of ${NAMES[name]}`);
  return [name, report];
});

/** How the loads of a runtime were measured, over all files. */
function roundsOf(runtime: string): string {
  const own = runs.filter(({ machine }) => machine.runtime === runtime);
  const range = (values: number[]): string => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least === most ? `${least}` : `${least} to ${most}`;
  };
  return `${range(own.map(({ rounds }) => rounds))} rounds of ${
    range(own.map(({ seconds }) => seconds))
  } s`;
}

const ofGroup = ({ loads }: Report, group: string): Measured[] =>
  loads.filter(({ load }) => load.group === group);

/** The echo with callbacks, beside the native server and the limit. */
function echoes(report: Report): string {
  const rows = ofGroup(report, "binary").map(({ load, peers: { ours, native, limit } }) => [
    label(load),
    middle(ours, "value"),
    ratio(ours, native),
    ratio(ours, limit),
    middle(ours, "cpuPerUnit"),
    ratio(native, ours, "cpuPerUnit"),
    middle(ours, "p99"),
    middle(native, "p99"),
  ]);
  const header = ["load", "messages/s", "/ native", "/ limit", "CPU", "native's CPU / ours"];
  return table([...header, "p99", "native's p99"], rows);
}

/** The rate of ASCII text, divided by that of binary messages in the same run. */
function ofText(runtime: string | undefined, name: string): string {
  const find = (run: Report, other: string) => run.loads.find(({ load }) => load.name === other);
  const run = runs.find((each) =>
    each.machine.runtime === runtime && find(each, `${name}-ascii`) !== undefined
  );
  if (run === undefined) return "";
  const [text, binary] = [find(run, `${name}-ascii`), find(run, name)];
  return shortRatio(text?.peers.ours, binary?.peers.ours);
}

/** Every other way to receive and to hold messages, divided by callbacks. */
function forms(report: Report): string {
  const names = ["ours-await", "ours-batches", "ours-pipe", "ours-owned", "ours-borrowed"];
  const rows = ofGroup(report, "binary").map((measured) => {
    const { load, peers } = measured;
    return [
      label(load),
      ...names.map((name) => shortRatio(peers[name], peers.ours)),
      ofText(report.machine.runtime, load.name),
    ];
  });
  const header = ["load", "`for await`", "`batches()`", "`pipeTo`", "`owned`", "`borrowed`"];
  return table([...header, "text"], rows);
}

/** What is no binary echo. */
function others(): string {
  const loads = new Map(
    all.flatMap(([, report]) => [...ofGroup(report, "other"), ...ofGroup(report, "http")])
      .map(({ load }) => [load.name, load]),
  );
  const rows = [...loads.values()].map(({ name, unit }) => [
    name,
    unit,
    ...all.flatMap(([, report]) => {
      const peers = report.loads.find(({ load }) => load.name === name)?.peers ?? {};
      return [
        middle(peers.ours, "value"),
        ratio(peers.ours, peers.native),
        shortRatio(peers.native, peers.ours, "cpuPerUnit"),
      ];
    }),
  ]);
  const header = all.flatMap(([name]) => [NAMES[name]!, "/ native", "native's CPU / ours"]);
  return table(["load", "unit", ...header], rows);
}

const machine = all[0]![1].machine;
const text = [
  BEGIN,
  ...all.flatMap(([name, report]) => [
    `## ${NAMES[name]} ${report.machine[name]}`,
    `Echo with callbacks, binary. ${roundsOf(name)}.`,
    echoes(report),
    "Rates divided by those of callbacks with binary messages:",
    forms(report),
  ]),
  "## Other loads",
  others(),
  `Measured on ${machine.CPU}, ${machine.OS}.`,
  END,
].join("\n\n");

const page = new URL("../docs/benchmarks.md", import.meta.url);
const before = readFileSync(page, "utf8");
const [from, to] = [before.indexOf(BEGIN), before.indexOf(END)];
if (from < 0 || to < from) throw new Error(`docs/benchmarks.md must have "${BEGIN}" and "${END}"`);
writeFileSync(page, before.slice(0, from) + text + before.slice(to + END.length));
writeFileSync(new URL("../docs/benchmarks.svg", import.meta.url), draw(all));
