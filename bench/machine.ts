/** The machine and the versions of a run. */

import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { runtime } from "./globals.ts";
import { commands, root, run } from "./processes.ts";

/** Facts by name, for the report and for JSON. */
export type Facts = Record<string, string>;

/** The version of a program that is not on this machine. */
export const NOT_INSTALLED = "not installed";

/** Returns the machine and the versions. */
export async function describeMachine(): Promise<Facts> {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    CPU: `${processors.length} cores, ${processors[0]?.model.trim() ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    OS: `${type()} ${release()}`,
    ours: `${readJson("deno.json").version}, commit ${await commit()}`,
    runtime,
    deno: await version("deno"),
    bun: await version("bun"),
    node: await version("node"),
    ws: packageVersion("ws"),
    "uWebSockets.js": packageVersion("uWebSockets.js"),
  };
}

async function version(command: keyof typeof commands): Promise<string> {
  const output = await run(commands[command], ["--version"]).catch(() => NOT_INSTALLED);
  return /\d+\.\d+\.\d+/.exec(output)?.[0] ?? output.trim();
}

/** Returns the commit of the checkout, and whether the sources differ from it. */
async function commit(): Promise<string> {
  try {
    const hash = (await run("git", ["rev-parse", "--short", "HEAD"])).trim();
    const changes = await run("git", ["status", "--porcelain", "--", "src", "mod.ts"]);
    return changes === "" ? hash : `${hash} with changes`;
  } catch {
    return "unknown";
  }
}

function packageVersion(name: string): string {
  try {
    return readJson(join("node_modules", name, "package.json")).version;
  } catch {
    return NOT_INSTALLED;
  }
}

function readJson(path: string): { version: string } {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}
