// `npm run coverage`: the line coverage of both suites together, and the least that is accepted.
//
// The runtimes do not agree on which lines can run: Deno counts every line that V8 has a range for,
// Bun leaves out most declarations and closing braces. The lines that count are Deno's; a line is
// covered if either runtime ran it. Files that only Bun runs are counted by Bun's lines.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { root, run, setUp } from "./setup.mjs";

const groups = [
  { folder: "src/protocol/", least: 100 },
  { folder: "src/http/", least: 100 },
  { folder: "src/handshake/", least: 100 },
  { folder: "src/proxy/", least: 100 },
  { folder: "src/extensions/", least: 100 },
  { folder: "src/", least: 95 },
];

setUp();
rmSync(join(root, "coverage"), { recursive: true, force: true });

let ok = true;
for (
  const [command, ...args] of [
    ["deno", "test", "-A", "--coverage=coverage/deno", "--coverage-raw-data-only"],
    [
      "deno",
      "coverage",
      "coverage/deno",
      "--include=/src/",
      "--lcov",
      "--output=coverage/deno.lcov",
    ],
    ["bun", "test", "--coverage", "--coverage-reporter=lcov", "--coverage-dir=coverage/bun"],
  ]
) {
  console.log(`== ${command} ${args.join(" ")}`);
  const { code, output } = await run(command, args);
  if (code === 0) continue;
  ok = false;
  console.log(output);
}

/** Returns the hits of each line of each file under src/: file -> line -> hits. */
function readLcov(path) {
  const files = new Map();
  let lines;
  for (const entry of readFileSync(join(root, path), "utf8").split("\n")) {
    if (entry.startsWith("SF:")) {
      const file = relative(root, resolve(root, entry.slice(3))).replaceAll(sep, "/");
      lines = new Map();
      if (file.startsWith("src/")) files.set(file, lines);
    } else if (entry.startsWith("DA:")) {
      const [line, hits] = entry.slice(3).split(",").map(Number);
      lines.set(line, hits);
    }
  }
  return files;
}

const deno = readLcov("coverage/deno.lcov");
const bun = readLcov("coverage/bun/lcov.info");

/** For each file: the number of counted lines, of those that each runtime ran, and those that none ran. */
const report = new Map();
for (const entry of readdirSync(join(root, "src"), { recursive: true })) {
  const file = `src/${entry.replaceAll(sep, "/")}`;
  if (!file.endsWith(".ts")) continue;
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
