// The micro-benchmarks: `deno task bench:micro` or `bun run bench:micro`. Names of groups and a regular
// expression select a part: `bench:micro decoder utf8 --filter 1024`.
import process from "node:process";
import { parseArgs } from "node:util";
import { run } from "mitata";
import { decoder } from "./decoder.ts";
import { deflate } from "./deflate.ts";
import { encoder } from "./encoder.ts";
import { masking } from "./masking.ts";
import { text } from "./text.ts";
import { utf8 } from "./utf8.ts";

const groups: Record<string, () => void> = { decoder, encoder, masking, utf8, text, deflate };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { filter: { type: "string", default: "" } },
});
const unknown = positionals.find((name) => !Object.hasOwn(groups, name));
if (unknown !== undefined) {
  console.error(
    `Cannot find a group "${unknown}": expected one or more of ${Object.keys(groups).join(", ")}`,
  );
  process.exit(2);
}
for (const [name, declare] of Object.entries(groups)) {
  if (positionals.length === 0 || positionals.includes(name)) declare();
}
await run({ filter: new RegExp(values.filter), colors: process.stdout.isTTY === true });
