/** The command line of the benchmark. */

import { parseArgs } from "node:util";
import { LOADS } from "./loads.ts";
import type { Load } from "./loads.ts";

/** What the benchmark is told to do. */
export interface Options {
  /** How many times each peer takes each load. */
  rounds: number;
  /** How long the clock runs each time. */
  seconds: number;
  /** How long a load runs before the clock starts. */
  warmUp: number;
  loads: readonly Load[];
  /** Whether to measure the start of a process, and the minified size. */
  start: boolean;
  size: boolean;
  /** The names of the peers; all where there are none. */
  peers: readonly string[];
  /** Where to write everything that was measured. */
  json: string | undefined;
}

/** How to use it. */
export const USAGE = `Options:
  --rounds N      how many times each peer takes each load (5)
  --seconds S     how long the clock runs each time (1.5); a third of that to warm up comes before
  --loads A,B     only these: names, or binary, text, other, package (all)
  --peers A,B     only these: ours, ours-await, ours-pipe, native, raw, ws, uws (all)
  --json FILE     writes all that was measured to FILE
  --quick         one round of 0.3 s and fewer connections: to see that everything works
Loads: ${LOADS.map((load) => load.name).join(", ")}, start, size`;

/**
 * Reads the command line.
 *
 * @throws {Error} where it's wrong, with a message for people.
 */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      loads: { type: "string", default: "" },
      peers: { type: "string", default: "" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 0.3 : 1.5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds wants an integer above 0");
  if (!(seconds > 0)) throw new Error("--seconds wants a number above 0");

  const names = list(values.loads);
  const known = new Set([...LOADS.flatMap(({ name, group }) => [name, group]), ...PACKAGE]);
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) throw new Error(`There is no load "${unknown}"`);
  const wants = (...some: string[]): boolean =>
    names.length === 0 || some.some((name) => names.includes(name));
  const loads = LOADS.filter((load) => wants(load.name, load.group));
  return {
    rounds,
    seconds,
    warmUp: Math.max(0.2, seconds / 3),
    loads: values.quick ? loads.map(fewer) : loads,
    start: wants("start", "package"),
    size: wants("size", "package"),
    peers: list(values.peers),
    json: values.json,
  };
}

const PACKAGE = ["package", "start", "size"];

function list(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** What takes thousands of connections takes hundreds. */
function fewer(load: Load): Load {
  if (load.connections < 1000) return load;
  const connections = load.connections / 5;
  return { ...load, connections, title: `${load.title} (quick: only ${connections})` };
}
