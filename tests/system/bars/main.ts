// The bars of topics, each in a process of its own: what is wanted, and what was measured.
// `deno task topics-bars`, `npm run topics-bars`.
import process from "node:process";
import { parseArgs } from "node:util";
import { Process, runtime } from "../cluster/processes.ts";
import { BARS } from "./bars.ts";
import type { Row } from "./bar.ts";

const USAGE = `Options:
  --only A,B    only these bars: ${Object.keys(BARS).join(", ")}
  --quick       small sizes, whose times say little
  --exact       times are printed, and fail nothing`;

/** The longest time for a bar, in milliseconds. */
const PATIENCE = 3_600_000;

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        quick: { type: "boolean", default: false },
        exact: { type: "boolean", default: false },
      },
    });
    const names = values.only?.split(",") ?? Object.keys(BARS);
    const unknown = names.find((name) => !Object.hasOwn(BARS, name));
    if (unknown !== undefined) throw new Error(`Cannot find a bar "${unknown}"`);
    return { names, size: values.quick ? "quick" : "full", isExact: values.exact };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { names, size, isExact } = parseOptions();
console.log(`| bar | what, on ${runtime} | wanted | measured | |\n| --- | --- | --- | --- | --- |`);
let hasFailed = false;
for (const name of names) {
  const script = new URL("case_main.ts", import.meta.url).href;
  const worker = new Process(runtime, script, { name, size });
  let rows: Row[];
  try {
    rows = await worker.ask<Row[]>("run", null, PATIENCE);
  } catch (error) {
    const { message } = error as Error;
    rows = [{ what: BARS[name]!.title, wanted: "a result", measured: message, isOk: false }];
  }
  await worker.kill();
  for (const { what, wanted, measured, isOk, isTime } of rows) {
    console.log(`| ${name} | ${what} | ${wanted} | ${measured} | ${isOk ? "ok" : "short"} |`);
    hasFailed ||= !isOk && !(isExact && isTime);
  }
}
process.exit(hasFailed ? 1 : 0);
