/**
 * The simulation of a cluster: `deno task simulate-cluster`, `bun run simulate-cluster`. It runs random
 * schedules of nodes, a broker and their network under virtual time, until an invariant is broken. That
 * schedule is shrunk and printed.
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { ClusterClock, inTask, realTime, realTurn } from "./clock.ts";

const USAGE = `Options:
  --schedules N   how many schedules to run (100,000)
  --seed N        the seed of the first one; by default, one of the time
  --only          runs the schedule of that seed alone
  --script FILE   runs the actions in FILE in place of those of the seed
  --trace         prints each action with its time
  --kept          runs the schedules that have failed once, in place of random ones
  --keep-going    counts the schedules that fail, by invariant, and goes on
  --help          prints this text`;

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        schedules: { type: "string", default: "100000" },
        seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
        only: { type: "boolean", default: false },
        script: { type: "string" },
        trace: { type: "boolean", default: false },
        kept: { type: "boolean", default: false },
        "keep-going": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const options = { ...values, schedules: Number(values.schedules), seed: Number(values.seed) };
    if (!(options.schedules > 0 && options.seed >= 0)) throw new Error("Expected a number");
    return options;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const options = parseOptions();
const clock = new ClusterClock();
clock.install();

// Imported here, since modules of src/ keep what they find in `globalThis`.
const { runSchedule, shrinkSchedule } = await import("./run.ts");
const { keptSchedules } = await import("./kept_schedules.ts");

/** A rejection without a handler, of one of the last schedules. */
let unhandled: unknown;
if ("Deno" in globalThis) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unhandled ??= (event as unknown as { reason: unknown }).reason;
  });
} else {
  process.on("unhandledRejection", (reason) => unhandled ??= reason);
}

const script = options.script === undefined
  ? undefined
  : readFileSync(options.script, "utf8").split("\n").filter((line) => line.startsWith("["))
    .map((line) => JSON.parse(line));
const trace = options.trace ? (text: string) => console.log(text) : undefined;

type Outcome = ReturnType<typeof runSchedule>;

async function fail(seed: number, outcome: Outcome): Promise<never> {
  const shrunk = script === undefined ? await shrinkSchedule(clock, seed, outcome) : outcome;
  console.log(`FAILED at seed ${seed}: ${outcome.violation!.message}`);
  console.log(JSON.stringify(outcome.config));
  console.log(`\nShrunk from ${outcome.actions.length} to ${shrunk.actions.length} actions:`);
  console.log(`${shrunk.violation!.message}\n`);
  for (const action of shrunk.actions) console.log(JSON.stringify(action));
  console.log(`\nRun them again with --seed ${seed} --script FILE`);
  process.exit(1);
}

if (options.kept) {
  let failed = 0;
  for (const { seed, name, actions } of keptSchedules) {
    const { violation } = await inTask(() => runSchedule(clock, seed, actions, trace));
    await realTurn();
    if (violation === undefined && unhandled === undefined) continue;
    failed++;
    console.log(`FAILED at seed ${seed}, ${name}: ${violation?.message ?? unhandled}`);
    unhandled = undefined;
  }
  console.log(`${keptSchedules.length} kept schedules, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

const startedAt = realTime();
const failures = new Map<string, { count: number; seed: number }>();
let [schedules, received, told, events, actions] = [0, 0, 0, 0, 0];
const count = options.only || script !== undefined ? 1 : options.schedules;

while (schedules < count) {
  const first = options.seed + schedules;
  const size = Math.min(50, count - schedules);
  const outcomes = await inTask(() =>
    Array.from({ length: size }, (_, n) => runSchedule(clock, first + n, script, trace))
  );
  await realTurn();
  for (const [n, outcome] of outcomes.entries()) {
    schedules++;
    received += outcome.received;
    told += outcome.told;
    events += outcome.events;
    actions += outcome.actions.length;
    if (outcome.violation === undefined) continue;
    if (!options["keep-going"]) await fail(first + n, outcome);
    const { invariant } = outcome.violation;
    const known = failures.get(invariant);
    if (known === undefined) failures.set(invariant, { count: 1, seed: first + n });
    else known.count++;
  }
  if (unhandled !== undefined) {
    const error = unhandled instanceof Error ? unhandled.stack : unhandled;
    console.log(`FAILED at seed ${first} to ${first + size - 1}: unhandled: ${error}`);
    process.exit(1);
  }
}

const seconds = (realTime() - startedAt) / 1000;
console.log(
  `${schedules} schedules, ${actions} actions, ${events} events, ${received} messages received, ` +
    `${told} told as lost, ${seconds.toFixed(1)} s, ${Math.round(schedules / seconds)} a second; ` +
    `seeds ${options.seed} to ${options.seed + count - 1}`,
);
for (const [invariant, { count, seed }] of failures) {
  console.log(`FAILED ${count} times, first at seed ${seed}: ${invariant}`);
}
if (failures.size === 0) console.log("No invariant is broken.");
process.exit(failures.size === 0 ? 0 : 1);
