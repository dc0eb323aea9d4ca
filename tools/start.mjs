// `npm start` and `bun start`: the chat example, on Deno or on Bun.
import process from "node:process";
import { become, setUp } from "./setup.mjs";

const main = "examples/chat/main.ts";
const args = process.argv.slice(2);

if (process.env.npm_config_user_agent?.startsWith("bun/")) {
  // The example needs no package, and npm may be missing. If Node is missing, too, Bun runs this file.
  const bun = process.versions.bun ? process.execPath : process.env.npm_execpath ?? "bun";
  become(bun, [main, ...args]);
} else {
  setUp();
  become("deno", ["run", "-A", main, ...args]);
}
