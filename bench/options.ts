/** The command line of the benchmark. */

import { parseArgs } from "node:util";
import { readFloors } from "./floors.ts";
import { LOADS } from "./loads.ts";
import type { Load } from "./loads.ts";

/** The options of a run. */
export interface Options {
  /** The number of rounds per load and peer. */
  rounds: number;
  /** The measured time of a round, in seconds. */
  seconds: number;
  /** The time a load runs before the measurement, in seconds. */
  warmUp: number;
  loads: readonly Load[];
  /** Whether to measure the start time of the process and the size of the bundle. */
  start: boolean;
  size: boolean;
  /** The names of the peers; all if empty. */
  peers: readonly string[];
  /** Whether to compare with the floors. */
  check: boolean;
  /** The path of another checkout to compare with. */
  vs: string | undefined;
  /** The file that receives every measurement. */
  json: string | undefined;
}

/** The text of the command's help. */
export const USAGE = `Options:
  --rounds N      rounds per load and peer (5)
  --seconds S     measured time per round (1.5), after a third of that to warm up
  --loads A,B     only these: names, or binary, text, other, http, package (all)
  --peers A,B     only these: ours, ours-await, ours-batches, ours-pipe, native, limit, ws, uws (all);
                  ours-owned and ours-borrowed only if they are named
  --vs PATH       measures the checkout at PATH as well, as peers vs, vs-await and vs-pipe
  --json FILE     writes every measurement to FILE
  --check         fails if the CPU time per message is over that of floors.json (ours and native)
  --quick         one round of 0.3 s and fewer connections, to test the benchmark itself
Loads: ${LOADS.map((load) => load.name).join(", ")}, start, size`;

/**
 * Parses the command line.
 *
 * @throws {Error} If an option is not valid.
 */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      loads: { type: "string", default: "" },
      peers: { type: "string", default: "" },
      vs: { type: "string" },
      json: { type: "string" },
      check: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  const seconds = Number(values.seconds ?? (values.quick ? 0.3 : 1.5));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error("--rounds must be an integer above 0");
  }
  if (!(seconds > 0)) throw new Error("--seconds must be a number above 0");

  const names = list(values.loads);
  const checked = values.check && names.length === 0 ? Object.keys(readFloors()) : names;
  const known = new Set([...LOADS.flatMap(({ name, group }) => [name, group]), ...PACKAGE]);
  const unknown = checked.find((name) => !known.has(name));
  if (unknown !== undefined) throw new Error(`Cannot find a load "${unknown}"`);
  const wants = (...some: string[]): boolean =>
    checked.length === 0 || some.some((name) => checked.includes(name));
  const loads = LOADS.filter((load) => wants(load.name, load.group));
  return {
    rounds,
    seconds,
    warmUp: Math.max(0.2, seconds / 3),
    loads: values.quick ? loads.map(fewer) : loads,
    start: wants("start", "package"),
    size: wants("size", "package"),
    peers: values.check && values.peers === "" ? ["ours", "native"] : list(values.peers),
    check: values.check,
    vs: values.vs,
    json: values.json,
  };
}

const PACKAGE = ["package", "start", "size"];

function list(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** Reduces loads of 1,000 connections or more to a fifth. */
function fewer(load: Load): Load {
  if (load.connections < 1000) return load;
  const connections = load.connections / 5;
  return { ...load, connections, title: `${load.title} (quick: only ${connections})` };
}
