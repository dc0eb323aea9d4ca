/** Scripts of a test that need a process of their own. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Child, onTestEnd, runtime, spawn } from "../harness.ts";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/**
 * Runs a script with the runtime under test, until the end of the test.
 *
 * @param source The script. `MOD` in it stands for the path of the package's module, as a literal.
 * @param flags Options of `deno run`.
 */
export async function runSource(source: string, flags: string[] = []): Promise<Child> {
  const folder = await mkdtemp(`${tmpdir()}/sluice-`);
  const script = `${folder}/script.ts`;
  await writeFile(script, source.replaceAll("MOD", JSON.stringify(path("mod.ts"))));
  const deno = ["run", "-A", "--no-check", "--config", path("deno.json"), ...flags];
  const child = spawn(process.execPath, [...(runtime === "deno" ? deno : []), script]);
  onTestEnd(async () => {
    await child.kill();
    await rm(folder, { recursive: true });
  });
  return child;
}
