// Runs all attacks at full size on this runtime: `deno task attacks`, `bun run attacks`.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { attacks } from "./all.ts";
import { runtime } from "./attack.ts";
import { measure } from "./measure.ts";
import type { Measured } from "./measure.ts";
import { header, row } from "./report.ts";

const USAGE = `Options:
  --only TEXT     runs only the attacks whose name contains TEXT
  --small         runs the attacks as small as in the tests
  --json FILE     writes all figures to FILE
  --help          prints this text`;

function parseOptions(): { only: string; small: boolean; json: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string", default: "" },
        small: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return { ...values, json: values.json };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { only, small, json } = parseOptions();
const chosen = attacks.filter(({ name }) => name.includes(only));
if (chosen.length === 0) {
  console.error(`There is no attack with "${only}" in its name\n${USAGE}`);
  process.exit(2);
}

const results: Measured[] = [];
console.log(`On ${runtime}, ${chosen.length} attacks${small ? ", small" : ""}:\n\n${header()}`);
for (const attack of chosen) {
  const measured = await measure(attack, !small);
  results.push(measured);
  console.log(row(measured));
}

const failed = results.filter(({ problems }) => problems.length > 0);
console.log(
  `\n${results.length - failed.length} answered as they should be, ${failed.length} not.`,
);
for (const { name, problems } of failed) console.log(`- ${name}: ${problems.join("; ")}`);
if (json !== undefined) {
  writeFileSync(json, JSON.stringify({ runtime, small, results }, null, 2) + "\n");
}
process.exit(failed.length === 0 ? 0 : 1);
