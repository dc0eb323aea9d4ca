// `npm run coverage`: the line coverage of both suites together, and the least that is accepted.
// `npm run coverage -- protocol http` runs the tests of these folders, and those that are in none, and
// counts the files of src/protocol and src/http.
//
// The runtimes do not agree on which lines can run: Deno counts every line that V8 has a range for,
// Bun leaves out most declarations and closing braces. The lines that count are Deno's; a line is
// covered if either runtime ran it. Files that only Bun runs are counted by Bun's lines.
//
// Of tests/system only the tests of the command line run, on Deno, which counts the lines of the processes
// that they start as well.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { root, run, setUp } from "./setup.mjs";
import { listsWithoutSystem } from "./test_files.mjs";

const floors = [
  { folder: "src/protocol/", least: 100 },
  { folder: "src/http/", least: 100 },
  { folder: "src/handshake/", least: 100 },
  { folder: "src/proxy/", least: 100 },
  { folder: "src/extensions/", least: 100 },
  { folder: "src/", least: 95 },
];

const named = process.argv.slice(2);
const unknown = named.find((name) => !existsSync(join(root, "src", name)));
if (unknown !== undefined) {
  console.error(`There is no src/${unknown}: expected the names of folders of src`);
  process.exit(2);
}
/** The folders that are counted, and the least coverage of each in percent, if there is one. */
const groups = named.length === 0 ? floors : named.map((name) => {
  const folder = `src/${name}/`;
  return { folder, least: floors.find((floor) => floor.folder === folder)?.least ?? 0 };
});

setUp();
rmSync(join(root, "coverage"), { recursive: true, force: true });

/** The lists of tests, each for one process, as in `npm test`: a process has the state of one folder. */
const lists = listsWithoutSystem().filter(([path]) =>
  named.length === 0 || path.endsWith(".ts") || named.includes(path.slice("./tests/".length))
);
const denoLists = named.length === 0 || named.includes("cli")
  ? [...lists, ["./tests/system/cli_test.ts"]]
  : lists;

let ok = true;

/** The processes that tests start on Deno write their coverage to the same folder. */
const extraEnv = { DENO_COVERAGE_DIR: join(root, "coverage", "deno") };

async function step(command, ...args) {
  const { code, output } = await run(command, args, { extraEnv });
  console.log(`== ${command} ${args.join(" ")}: ${code === 0 ? "ok" : `FAILED\n${output}`}`);
  ok &&= code === 0;
}

async function testOnDeno() {
  for (const list of denoLists) {
    const to = "--coverage=coverage/deno";
    await step("deno", "test", "-A", "--no-check", to, "--coverage-raw-data-only", ...list);
  }
  const output = "--output=coverage/deno.lcov";
  await step("deno", "coverage", "coverage/deno", "--include=/src/", "--lcov", output);
}

async function testOnBun() {
  for (const [i, list] of lists.entries()) {
    const to = `--coverage-dir=coverage/bun/${i}`;
    await step("bun", "test", "--coverage", "--coverage-reporter=lcov", to, ...list);
  }
}

/** Adds the hits of each line of each file under src/ to `files`: file -> line -> hits. */
function readLcov(path, files = new Map()) {
  let lines;
  for (const entry of readFileSync(join(root, path), "utf8").split("\n")) {
    if (entry.startsWith("SF:")) {
      const file = relative(root, resolve(root, entry.slice(3))).replaceAll(sep, "/");
      lines = files.get(file) ?? new Map();
      if (file.startsWith("src/")) files.set(file, lines);
    } else if (entry.startsWith("DA:")) {
      const [line, hits] = entry.slice(3).split(",").map(Number);
      lines.set(line, (lines.get(line) ?? 0) + hits);
    }
  }
  return files;
}

await Promise.all([testOnDeno(), testOnBun()]);
const deno = readLcov("coverage/deno.lcov");
const bun = new Map();
for (const i of lists.keys()) readLcov(`coverage/bun/${i}/lcov.info`, bun);

/** For each file: the number of counted lines, of those that each runtime ran, and those that none ran. */
const report = new Map();
for (const entry of readdirSync(join(root, "src"), { recursive: true })) {
  const file = `src/${entry.replaceAll(sep, "/")}`;
  if (!file.endsWith(".ts") || !groups.some(({ folder }) => file.startsWith(folder))) continue;
  const denoHits = deno.get(file);
  const bunHits = bun.get(file);
  const counted = file.startsWith("src/transport/bun_") ? bunHits : denoHits ?? bunHits;
  const lines = [...(counted ?? new Map()).keys()];
  if (denoHits === undefined && bunHits === undefined) {
    // A file of types has no code to run. Any other file is code that no test loads.
    const { output } = await run("bun", ["build", "--no-bundle", file]);
    if (output.trim() !== "") lines.push(1);
  }
  report.set(file, {
    lines: lines.length,
    deno: lines.filter((line) => denoHits?.get(line) > 0).length,
    bun: lines.filter((line) => bunHits?.get(line) > 0).length,
    missed: lines.filter((line) => !(denoHits?.get(line) > 0 || bunHits?.get(line) > 0)),
  });
}

const percent = (part, whole) => whole === 0 ? 100 : 100 * part / whole;
const cell = (number) => `${number.toFixed(1)} %`.padStart(9);

for (const [file, { missed }] of report) {
  if (missed.length > 0) console.log(`${file}: no test runs line ${missed.join(", ")}`);
}
console.log(`\n${"".padEnd(16)}    lines     deno      bun     both    least`);
for (const { folder, least } of groups) {
  const files = [...report].filter(([file]) => file.startsWith(folder)).map(([, row]) => row);
  const sum = (of) => files.reduce((total, row) => total + of(row), 0);
  const lines = sum((row) => row.lines);
  const both = percent(lines - sum((row) => row.missed.length), lines);
  const met = lines > 0 && both >= least;
  ok &&= met;
  console.log(
    folder.padEnd(16) + String(lines).padStart(9) + cell(percent(sum((row) => row.deno), lines)) +
      cell(percent(sum((row) => row.bun), lines)) + cell(both) + cell(least) +
      (met ? "" : "  FAILED"),
  );
}
process.exitCode = ok ? 0 : 1;
