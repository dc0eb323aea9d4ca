// `npm test`: every check and both suites. `npm test -- check`, `deno` or `bun` runs a part.
// A failing step does not stop the rest. The last lines are the runners' own counts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, run, setUp } from "./setup.mjs";

const modules = Object.values(JSON.parse(readFileSync(join(root, "deno.json"), "utf8")).exports);

const checks = [
  ["format", "deno", ["fmt", "--check"]],
  ["lint", "deno", ["lint"]],
  ["types as Deno sees them", "deno", ["check", "."]],
  ["types as Bun sees them", "tsc", ["--noEmit"]],
  ["documentation", "deno", ["doc", "--lint", ...modules]],
  ["documentation's examples", "deno", ["test", "-A", "--doc", "mod.ts", "src"]],
  ["package", "deno", ["publish", "--dry-run", "--allow-dirty"]],
];

const suites = {
  deno: {
    args: ["test", "-A"],
    count: (output) => {
      const summary =
        /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm;
      const [, passed, failed, skipped] = [...output.matchAll(summary)].at(-1) ?? [];
      return { passed, failed, skipped };
    },
  },
  bun: {
    args: ["test"],
    count: (output) => {
      const last = (word) => [...output.matchAll(RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1)?.[1];
      return { passed: last("pass"), failed: last("fail"), skipped: last("skip") };
    },
  },
};

const parts = process.argv.slice(2);
const unknown = parts.find((part) => part !== "check" && !(part in suites));
if (unknown !== undefined) {
  console.error(
    `Unknown part "${unknown}": one or more of check, deno, bun; all when none is given`,
  );
  process.exit(2);
}
const wanted = (part) => parts.length === 0 || parts.includes(part);

setUp();

const failures = [];
const counts = [];

async function step(name, command, args, show) {
  console.log(`\n== ${name}: ${command} ${args.join(" ")}`);
  const started = performance.now();
  const { code, output } = await run(command, args, { show });
  if (code !== 0 && !show) console.log(output.trimEnd());
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`== ${name}: ${code === 0 ? "ok" : `FAILED (exit code ${code})`}, ${seconds} s`);
  if (code !== 0) failures.push(name);
  return { code, output };
}

if (wanted("check")) {
  for (const [name, command, args] of checks) await step(name, command, args, false);
}

for (const [name, { args, count }] of Object.entries(suites)) {
  if (!wanted(name)) continue;
  const { code, output } = await step(`${name} tests`, name, args, true);
  const [passed, failed, skipped] = Object.values(count(output)).map((text) => Number(text ?? 0));
  // A runner that crashed, or ran nothing, has failed whatever it printed.
  const broken = failed === 0 && (code !== 0 || passed === 0);
  if (broken && code === 0) failures.push(`${name} tests (none ran)`);
  if (skipped > 0 && process.env.CI === "true") failures.push(`${name} tests (some were skipped)`);
  counts.push(
    `${name}: ${passed} passed, ${broken ? 1 : failed} failed` +
      (skipped > 0 ? `, ${skipped} skipped` : ""),
  );
}

console.log(failures.length === 0 ? "\nAll is well." : `\nFAILED: ${failures.join("; ")}`);
for (const line of counts) console.log(line);
process.exitCode = failures.length === 0 ? 0 : 1;
