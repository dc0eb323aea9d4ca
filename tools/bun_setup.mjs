// Runs before `bun test` (see bunfig.toml): in a fresh clone it installs what the tests import.
// Deno fetches packages by itself, and `npm test` has run `npm ci` by then.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "..");

function bun(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  return status ?? 1;
}

if (!existsSync(join(root, "node_modules"))) {
  const installed = bun("install", "--omit=optional");
  if (installed !== 0) process.exit(installed);
  // This process has already seen a folder without node_modules and will not look again.
  const commandLine = "/proc/self/cmdline"; // process.argv lacks the runner's options.
  if (!existsSync(commandLine)) {
    console.error("Installed what the tests import: run the same command again");
    process.exit(1);
  }
  process.exit(bun(...readFileSync(commandLine, "utf8").split("\0").slice(1, -1)));
}
