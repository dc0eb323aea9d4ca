/**
 * The simulation: `deno task simulate`, `bun run simulate`. It runs random scenarios of both ends of
 * connections under virtual time, until an invariant is broken. That scenario is shrunk and printed.
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { turnBudget } from "../../src/transport/turn_budget.ts";
import { Network } from "./network.ts";
import { realTime, VirtualTime } from "./virtual_time.ts";

// A scenario must not depend on how fast this machine is.
turnBudget.budget = Infinity;

const USAGE = `Options:
  --actions N     how many actions to run (1,000,000)
  --seed N        the seed of the first scenario; by default, one of the time
  --only          runs the scenario of that seed alone
  --script FILE   runs the actions in FILE in place of those of the seed
  --trace         prints each action, and where timers were set that are left
  --twice         runs each scenario twice, and compares them
  --help          prints this text`;

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        actions: { type: "string", default: "1000000" },
        seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
        only: { type: "boolean", default: false },
        script: { type: "string" },
        trace: { type: "boolean", default: false },
        twice: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const options = { ...values, actions: Number(values.actions), seed: Number(values.seed) };
    if (!(options.actions > 0 && options.seed >= 0)) throw new Error("Expected a number");
    return options;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const options = parseOptions();
const time = new VirtualTime();
const network = new Network();
time.install();
network.install();
if (options.trace) time.traceTimers();

// Imported here, since modules of src/ keep what they find in `globalThis`.
const { Driver } = await import("./run.ts");
const driver = new Driver(time, network);

const uncaught = (error: unknown) => driver.uncaught(error);
if ("Deno" in globalThis) {
  const listen = (type: string, errorOf: (event: never) => unknown) =>
    globalThis.addEventListener(type, (event) => {
      event.preventDefault();
      uncaught(errorOf(event as never));
    });
  listen("unhandledrejection", ({ reason }: { reason: unknown }) => reason);
  listen("error", ({ error }: { error: unknown }) => error);
} else {
  process.on("unhandledRejection", uncaught);
  process.on("uncaughtException", uncaught);
}

const script = options.script === undefined
  ? undefined
  : readFileSync(options.script, "utf8").split("\n").filter((line) => line.startsWith("["))
    .map((line) => JSON.parse(line));

const startedAt = realTime();
let actions = 0;
let promises = 0;
let scenarios = 0;
let served = 0;
let seed = options.seed;

while (true) {
  const outcome = await driver.run(seed, Infinity, script);
  actions += outcome.actions.length;
  promises += outcome.promises;
  served += outcome.served;
  scenarios++;
  if (options.twice) {
    const again = await driver.run(seed, Infinity, script);
    if (again.digest !== outcome.digest) {
      console.log(`FAILED: seed ${seed} does not replay`);
      process.exit(1);
    }
  }
  if (outcome.violation !== undefined) {
    const shrunk = script === undefined ? await driver.shrink(seed, outcome) : outcome;
    console.log(`FAILED after ${actions} actions: ${outcome.violation.message}`);
    console.log(`\nShrunk from ${outcome.actions.length} to ${shrunk.actions.length} actions:`);
    console.log(`${shrunk.violation!.message}\n`);
    for (const action of shrunk.actions) console.log(JSON.stringify(action));
    console.log(`\nRun them again with --seed ${seed} --script FILE`);
    process.exit(1);
  }
  if (options.only || script !== undefined || actions >= options.actions) break;
  seed++;
}

if (scenarios > 50 && served === 0) {
  console.log("FAILED: no server has accepted a connection");
  process.exit(1);
}
const seconds = (realTime() - startedAt) / 1000;
console.log(
  `${actions} actions in ${scenarios} scenarios, ${promises} promises, ${seconds.toFixed(1)} s; ` +
    `seeds ${options.seed} to ${seed}\nNo invariant is broken.`,
);
process.exit(0);
