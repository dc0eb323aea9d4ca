// `npm test` runs every check and both test suites; arguments select parts of it (see `usage`).
// A failing step does not stop the others. The last lines are the sums of the runners' own counts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, run, setUp } from "./setup.mjs";

const usage = `Parts, of which any number may be given; none stands for all:
  check   format, lint, types, documentation and package
  deno    the tests on Deno
  bun     the tests on Bun
  quick   everything except tests/system
  system  tests/system alone`;

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

/**
 * The parts of tests/system whose result does not depend on how busy the machine is. Everything else
 * there measures memory or time, so only one such process runs at a time, on one runtime.
 */
const sharing = [
  "api_example_test.ts",
  "browser",
  "chat_rooms_test.ts",
  "cluster",
  "docs_test.ts",
  "example_client_test.ts",
  "examples_test.ts",
  "game_test.ts",
  "gateway_test.ts",
  "http_peers_test.ts",
  "interop",
  "proxies_test.ts",
  "proxy_rules_test.ts",
  "relays_test.ts",
];
/** Those of them that mostly wait, and run beside the others. */
const waiting = ["cluster", "relays_test.ts"];

const parts = process.argv.slice(2);
const known = ["check", "deno", "bun", "quick", "system"];
const unknown = parts.find((part) => !known.includes(part));
if (unknown !== undefined) {
  console.error(`Unknown part "${unknown}".\n${usage}`);
  process.exit(2);
}
const named = (...names) => names.filter((name) => parts.includes(name));
const steps = named("check", "deno", "bun");
const runsEverything = named("quick", "system").length !== 1;
const runsSystem = runsEverything || parts.includes("system");
const runsRest = runsEverything || parts.includes("quick");
const runsChecks = steps.length === 0 ? runsRest : steps.includes("check");
const runtimes = steps.length === 0 ? ["deno", "bun"] : named("deno", "bun");

const runners = {
  deno: {
    // The checks look at the types already.
    args: ["test", "-A", ...(runsChecks ? ["--no-check"] : [])],
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

/** The entries of a folder that are tests or hold some, as the runners take them. */
function entries(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith("_test.ts"))
    .map(({ name }) => ({ name, path: `./${folder}/${name}` }))
    .filter(({ path }) => path.endsWith("_test.ts") || hasTests(path));
}

function hasTests(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .some((name) => name.endsWith("_test.ts"));
}

const paths = (list) => list.map(({ path }) => path);
const system = entries("tests/system");
const misnamed = sharing.filter((name) => !system.some((entry) => entry.name === name));
if (misnamed.length > 0) throw new Error(`tests/system has no ${misnamed.join(", ")}`);

const rest = paths(entries("tests").filter(({ name }) => name !== "system"));
const shared = paths(
  system.filter(({ name }) => sharing.includes(name) && !waiting.includes(name)),
);
const idle = paths(system.filter(({ name }) => waiting.includes(name)));
const alone = paths(system.filter(({ name }) => !sharing.includes(name)));

setUp();

const failures = [];
const started = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

async function step(name, command, args, printsAll) {
  console.log(`== ${name}: started`);
  const start = performance.now();
  const { code, output } = await run(command, args);
  const outcome = code === 0 ? "ok" : `FAILED (exit code ${code})`;
  const text = code !== 0 || printsAll ? `\n${output.trimEnd()}\n` : "";
  console.log(
    `\n== ${name}: ${command} ${args.join(" ")}${text}\n== ${name}: ${outcome}, ${seconds(start)}`,
  );
  if (code !== 0) failures.push(name);
  return { code, output };
}

async function check() {
  for (const [name, command, args] of checks) await step(name, command, args, false);
}

const sums = new Map(
  runtimes.map((name) => [name, { passed: 0, failed: 0, skipped: 0 }]),
);

async function test(name, what, files) {
  const { args, count } = runners[name];
  const title = `${name} tests, ${what}`;
  const { code, output } = await step(title, name, [...args, ...files], true);
  const [passed, failed, skipped] = Object.values(count(output)).map((text) => Number(text ?? 0));
  // A runner that crashed, or ran nothing, has failed whatever it printed.
  const broken = failed === 0 && (code !== 0 || passed === 0);
  if (broken && code === 0) failures.push(`${title} (none ran)`);
  if (skipped > 0 && process.env.CI === "true") failures.push(`${title} (some were skipped)`);
  const sum = sums.get(name);
  sum.passed += passed;
  sum.failed += broken ? 1 : failed;
  sum.skipped += skipped;
}

/** Runs what can share the machine on one runtime. */
async function runShared(name) {
  if (runsRest) await test(name, "all except tests/system", rest);
  if (!runsSystem) return;
  await Promise.all([
    test(name, "those of tests/system that share the machine", shared),
    test(name, "those of tests/system that wait", idle),
  ]);
}

// Deno takes longer for its tests than Bun, so the checks run beside it, before Bun's.
const last = runtimes.at(-1);
await Promise.all([
  ...runtimes.filter((name) => name !== last).map(runShared),
  (async () => {
    if (runsChecks) await check();
    if (last !== undefined) await runShared(last);
  })(),
]);
if (runsSystem) {
  for (const name of runtimes) await test(name, "those of tests/system that measure", alone);
}

console.log(failures.length === 0 ? "\nAll is well." : `\nFAILED: ${failures.join("; ")}`);
console.log(`${seconds(started)} in all`);
for (const [name, { passed, failed, skipped }] of sums) {
  console.log(
    `${name}: ${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : ""),
  );
}
process.exitCode = failures.length === 0 ? 0 : 1;
