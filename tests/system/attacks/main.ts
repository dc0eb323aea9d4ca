// Runs all attacks at full size on this runtime: `deno task attacks`, `bun run attacks`.
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { attacks } from "./all.ts";
import { runtime } from "./attack.ts";
import { measure } from "./measure.ts";
import type { Measured } from "./measure.ts";
import { comparedRow, header, row } from "./report.ts";

const USAGE = `Options:
  --only TEXT     runs only the attacks whose name contains TEXT
  --vs PATH       attacks the checkout at PATH as well, before this one; only this one can fail
  --small         runs the attacks as small as in the tests
  --json FILE     writes all figures to FILE
  --help          prints this text`;

interface Options {
  only: string;
  small: boolean;
  vs: string | undefined;
  json: string | undefined;
}

function parseOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string", default: "" },
        small: { type: "boolean", default: false },
        vs: { type: "string" },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const vs = values.vs === undefined ? undefined : resolve(values.vs);
    if (vs !== undefined && !existsSync(`${vs}/mod.ts`)) {
      throw new Error(`There is no checkout at ${vs}`);
    }
    return { ...values, vs, json: values.json };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { only, small, vs, json } = parseOptions();
const chosen = attacks.filter(({ name }) => name.includes(only));
if (chosen.length === 0) {
  console.error(`There is no attack with "${only}" in its name\n${USAGE}`);
  process.exit(2);
}

const results: Measured[] = [];
const before: Measured[] = [];
const title = `On ${runtime}, ${chosen.length} attacks${small ? ", small" : ""}`;
console.log(`${title}:\n\n${header(vs !== undefined)}`);
for (const attack of chosen) {
  if (vs !== undefined) {
    before.push(await measure(attack, !small, vs));
    console.log(comparedRow(before.at(-1)!, "before"));
  }
  const measured = await measure(attack, !small);
  results.push(measured);
  console.log(vs === undefined ? row(measured) : comparedRow(measured, "after"));
}

const failed = results.filter(({ problems }) => problems.length > 0);
console.log(
  `\n${results.length - failed.length} answered as they should be, ${failed.length} not.`,
);
for (const { name, problems } of failed) console.log(`- ${name}: ${problems.join("; ")}`);
if (json !== undefined) {
  writeFileSync(json, JSON.stringify({ runtime, small, results, before }, null, 2) + "\n");
}
process.exit(failed.length === 0 ? 0 : 1);
