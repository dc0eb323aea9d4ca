/**
 * The library's modules for a page, as JavaScript, so that the examples need no build step. A page that is
 * deployed imports `@sluice/websocket/browser`, and a bundler makes one file of it.
 */
import { readFile } from "node:fs/promises";
import * as module from "node:module";

/** `/src/` and the path of a module in it: no other file can be named. */
const PATH = /^\/src\/([a-z]+\/[a-z0-9_]+\.ts)$/;

const runtime = globalThis as {
  Bun?: { Transpiler: new (options: object) => { transformSync(source: string): string } };
};

/** Removes the types. Deno has a function for it, and so has Bun. */
function toJavaScript(source: string): string {
  return runtime.Bun === undefined
    ? module.stripTypeScriptTypes(source)
    : new runtime.Bun.Transpiler({ loader: "ts" }).transformSync(source);
}

const modules = new Map<string, string>();

/** Returns the JavaScript of `/src/browser/mod.ts`, or of another module; `undefined` if there is none. */
export async function browserModule(pathname: string): Promise<string | undefined> {
  const path = PATH.exec(pathname)?.[1];
  if (path === undefined) return undefined;
  let script = modules.get(path);
  if (script === undefined) {
    try {
      script = toJavaScript(await readFile(new URL(`../src/${path}`, import.meta.url), "utf8"));
    } catch {
      return undefined;
    }
    modules.set(path, script);
  }
  return script;
}
