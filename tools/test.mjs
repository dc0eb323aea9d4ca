// `npm test` runs every check and both test suites; arguments select parts of it (see `usage`).
// A failing step does not stop the others. The last lines are the sums of the runners' own counts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { root, run, setUp } from "./setup.mjs";
import { entries, listsWithoutSystem, paths, testsIn } from "./test_files.mjs";

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
 * The parts of tests/system whose result does not depend on how busy the machine is, those that take
 * longest first. The others run after them, in two lanes: see `lanes`. `bars` measures memory, but that of
 * its own process for a fixed number of messages, which is the same beside any load; its times fail nothing.
 */
const sharing = [
  "relays_test.ts",
  "bars",
  "interop",
  "browser",
  "docs_test.ts",
  "cli_test.ts",
  "cluster",
  "examples_test.ts",
  "game_test.ts",
  "gateway_test.ts",
  "http_peers_test.ts",
  "proxies_test.ts",
  "proxy_rules_test.ts",
  "api_example_test.ts",
  "chat_rooms_test.ts",
  "example_client_test.ts",
  "hot_reload_test.ts",
  "bundle_test.ts",
];

/**
 * The parts of tests/system with timeouts of a few hundred milliseconds: one such process runs at a time,
 * beside one that measures memory or time. Every other part that is not in `sharing` measures.
 */
const timed = ["attacks"];

/** The number of processes at a time: more than cores, since many tests wait. */
const slots = availableParallelism() + 2;

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

const system = entries("tests/system");
const misnamed = [...sharing, ...timed].filter((name) =>
  !system.some((entry) => entry.name === name)
);
if (misnamed.length > 0) throw new Error(`tests/system has no ${misnamed.join(", ")}`);

/** What runs after everything else, each lane one process at a time. */
const lanes = [
  {
    what: "those of tests/system that measure",
    files: paths(system.filter(({ name }) => ![...sharing, ...timed].includes(name))),
  },
  {
    what: "those of tests/system with short timeouts",
    files: paths(system.filter(({ name }) => timed.includes(name))),
  },
];

/** A folder for the files of {@linkcode oneModule}. */
const temporary = mkdtempSync(join(tmpdir(), "sluice-tests-"));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));

/**
 * Writes a module that imports the tests of a folder, and returns its path. Deno runs each module in an
 * isolate of its own: to load the library into it takes longer than most tests.
 */
function oneModule(folder) {
  const path = join(temporary, `${folder.split("/").at(-1)}_test.ts`);
  const urls = testsIn(folder).map((name) => pathToFileURL(join(root, folder, name)).href);
  writeFileSync(path, urls.map((url) => `import ${JSON.stringify(url)};\n`).join(""));
  return path;
}

/** A job for each list and runtime. */
const systemJobs = (lists) =>
  lists.flatMap((files) => runtimes.map((name) => () => test(name, files)));
const restJobs = (lists) =>
  lists.flatMap((files) =>
    runtimes.map((name) => () => {
      const isFolder = name === "deno" && !files[0].endsWith(".ts");
      return test(name, isFolder ? files.map(oneModule) : files, files.join(" "));
    })
  );

/** Mixes two lists, one element of each in turn. */
function alternate(some, others) {
  const longest = Math.max(some.length, others.length);
  return Array.from({ length: longest }, (_, i) => [some[i], others[i]]).flat()
    .filter((job) => job !== undefined);
}

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

/** One after the other: the first to look at the types saves what it has found for the others. */
async function check() {
  for (const [name, command, args] of checks) await step(name, command, args, false);
}

const sums = new Map(
  runtimes.map((name) => [name, { passed: 0, failed: 0, skipped: 0 }]),
);

async function test(name, files, what = files.join(" ")) {
  const { args, count } = runners[name];
  const title = `${name} tests, ${what}`;
  const { code, output } = await step(title, name, [...args, ...files], true);
  const [passed, failed, skipped] = Object.values(count(output)).map((text) => Number(text ?? 0));
  // A runner that crashed, or ran nothing, has failed whatever it printed.
  const broken = failed === 0 && (code !== 0 || passed + skipped === 0);
  if (broken && code === 0) failures.push(`${title} (none ran)`);
  if (skipped > 0 && process.env.CI === "true") failures.push(`${title} (some were skipped)`);
  const sum = sums.get(name);
  sum.passed += passed;
  sum.failed += broken ? 1 : failed;
  sum.skipped += skipped;
}

// Those of tests/system mostly wait, and the others mostly compute.
const jobs = [
  ...(runsChecks ? [check] : []),
  ...alternate(
    runsSystem ? systemJobs(sharing.map((name) => [`./tests/system/${name}`])) : [],
    runsRest ? restJobs(listsWithoutSystem()) : [],
  ),
];
await Promise.all(
  Array.from({ length: slots }, async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  }),
);
if (runsSystem) {
  await Promise.all(
    lanes.map(async ({ what, files }) => {
      for (const name of runtimes) await test(name, files, what);
    }),
  );
}

console.log(failures.length === 0 ? "\nAll is well." : `\nFAILED: ${failures.join("; ")}`);
console.log(`${seconds(started)} in all`);
for (const [name, { passed, failed, skipped }] of sums) {
  console.log(
    `${name}: ${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : ""),
  );
}
process.exitCode = failures.length === 0 ? 0 : 1;
