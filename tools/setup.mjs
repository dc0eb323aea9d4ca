// Helpers of the other tools. They need Node and npm, and install the rest from package-lock.json.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The root folder of the checkout. */
export const root = fileURLToPath(new URL("..", import.meta.url));

const windows = process.platform === "win32";

/** The environment of every command: the tools of this checkout come first on the path. */
const env = {
  ...process.env,
  PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
};

/** Installs what package-lock.json names, unless that was done since the file last changed. */
export function setUp() {
  const installed = join(root, "node_modules", ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log("Installing the tools: npm ci");
  const { status, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: "inherit",
    shell: windows,
  });
  if (status !== 0) {
    console.error(`npm ci failed: ${error?.message ?? `exit code ${status}`}`);
    process.exit(1);
  }
}

/**
 * Runs a command to its end and returns its exit code and output. `show` prints the output at once;
 * after `minutes` the command is killed.
 */
export function run(command, args, { show = false, minutes = 30, extraEnv = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...env, NO_COLOR: "1", ...extraEnv },
      stdio: ["ignore", "pipe", "pipe"],
      shell: windows,
    });
    let output = "";
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => {
        output += text;
        if (show) process[name].write(text);
      });
    }
    const timer = setTimeout(() => {
      output += `\nended after ${minutes} minutes\n`;
      child.kill("SIGKILL");
    }, minutes * 60_000);
    child.on("error", (error) => {
      output += `${command} did not start: ${error.message}\n`;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, output });
    });
  });
}

/** Runs a command in place of this process, with its terminal, signals and exit code. */
export function become(command, args) {
  const child = spawn(command, args, { cwd: root, env, stdio: "inherit", shell: windows });
  // A terminal sends SIGINT to the child, too; other signals are passed on. The child decides.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // The shell that npm starts in between does not pass signals on: it just ends.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || child.kill("SIGTERM"), 500).unref();
  child.on("error", (error) => {
    console.error(`${command} did not start: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
