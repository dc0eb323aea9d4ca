import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../harness.ts";

/**
 * Returns the command that runs a script of this checkout on the runtime under test.
 *
 * @param path Its path from the root of the checkout.
 * @param flags Flags for Deno.
 */
export function scriptCommand(
  path: string,
  ...flags: string[]
): [command: string, args: string[]] {
  const script = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return [process.execPath, runtime === "deno" ? ["run", "-A", ...flags, script] : [script]];
}
