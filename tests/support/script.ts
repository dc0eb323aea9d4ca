import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtime } from "../harness.ts";

/**
 * The command that runs a script of this checkout with the runtime under test.
 *
 * @param path Where it is, from the top of the checkout.
 * @param flags What Deno is told besides.
 */
export function scriptCommand(
  path: string,
  ...flags: string[]
): [command: string, args: string[]] {
  const script = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return [process.execPath, runtime === "deno" ? ["run", "-A", ...flags, script] : [script]];
}
