// Enforces the layers of src/: imports between folders point one way, there is no import cycle, and only
// src/transport/ uses the runtime's own API.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, test } from "./harness.ts";

/** The folders of src/, each with the other folders that its files may import from. */
const folders: Record<string, string[]> = {
  // The checks of options and their texts are in `protocol`, which has options and may import nothing.
  util: ["protocol"],
  protocol: [],
  transport: [],
  extensions: ["protocol"],
  http: ["protocol"],
  handshake: ["http", "protocol"],
  proxy: ["http", "transport"],
  streams: ["protocol"],
  connection: ["extensions", "protocol", "transport", "util"],
  server: [
    "connection",
    "extensions",
    "handshake",
    "http",
    "protocol",
    "proxy",
    "transport",
    "util",
  ],
  cli: ["client", "connection", "http", "protocol", "server", "topics", "util"],
  metrics: ["connection", "server"],
  topics: ["client", "connection", "protocol", "util"],
  browser: ["client", "connection", "protocol", "streams", "topics", "util"],
  testing: ["client", "connection", "http", "server", "transport", "util"],
  client: ["connection", "extensions", "handshake", "http", "protocol", "transport", "util"],
};

/** What every transport may import: the interface, and the scheduling on the event loop. */
const transportShared = [
  "transport",
  "event_loop",
  "large_buffers",
  "options",
  "tls_options",
  "turn_budget",
]
  .map((name) => `src/transport/${name}.ts`);
/** The modules that choose among the transports, and may import them all. */
const transportChoosers = ["src/transport/mod.ts", "src/transport/runtime.ts"];

/** The packages of JSR that src/ may import. */
const packages = /^@std\/(crypto|encoding)(\/|$)/;

/** The only file of src/handshake/ that may import node:crypto. */
const digest = "src/handshake/accept_key.ts";

/** Returns the folder of a file of src/; undefined if the folder is unknown. */
function folderOf(path: string): string | undefined {
  const [root, folder, ...rest] = path.split("/");
  const isKnown = root === "src" && rest.length > 0 && Object.hasOwn(folders, folder!);
  return isKnown ? folder : undefined;
}

/** Returns the source without its comments; text, templates and regular expressions are unchanged. */
function withoutComments(source: string): string {
  const token =
    /(["'])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\[^]|[^`\\])*`|(?<=(?:[(,=:[!&|?{};]|\breturn|=>)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/|\/\/[^\n]*|\/\*[^]*?\*\//g;
  return source.replaceAll(
    token,
    (text) => text.startsWith("//") || text.startsWith("/*") ? " " : text,
  );
}

/** Returns the modules that a file imports and re-exports, types included. */
function specifiersOf(code: string): string[] {
  const specifiers =
    /\b(?:import|export)\b[^;"'`()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
  return [...code.matchAll(specifiers)].map(([, from, alone]) => from ?? alone ?? "");
}

/** Returns the import cycles among `sources`, each as the paths from a file back to itself. */
function cyclesOf(sources: Map<string, string>): string[] {
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string) => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    state.set(path, "open");
    trail.push(path);
    for (const specifier of specifiersOf(withoutComments(sources.get(path)!))) {
      const target = join(dirname(path), specifier);
      if (specifier.startsWith(".") && sources.has(target)) visit(target);
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const path of sources.keys()) visit(path);
  return cycles;
}

/** Returns the violations of the rules by the file at `path`, which starts with "src/". */
function problemsOf(path: string, source: string): string[] {
  const folder = folderOf(path);
  if (folder === undefined) return [`${path} is in no folder that the rules know`];
  const problems: string[] = [];
  const code = withoutComments(source);

  for (const specifier of specifiersOf(code)) {
    const problem = specifier.startsWith(".")
      ? localProblem(path, folder, join(dirname(path), specifier))
      : packageProblem(path, folder, specifier);
    if (problem !== undefined) problems.push(`${path} imports ${specifier}: ${problem}`);
  }

  if (folder !== "transport") {
    if (/\bimport\s*\(\s*(?!["'])\S/.test(code)) problems.push(`${path} has a computed import`);
    const name = code.match(/\b(Deno|Bun)\b/)?.[0];
    if (name !== undefined) problems.push(`${path} names ${name}, which only src/transport/ may`);
  }
  return problems;
}

function localProblem(path: string, folder: string, target: string): string | undefined {
  if (!target.startsWith("src/")) return "it is outside of src/";
  const targetFolder = folderOf(target);
  const isAllowed = targetFolder === folder || folders[folder]!.includes(targetFolder ?? "");
  if (!isAllowed) return `${folder} may not import ${targetFolder}`;
  const withinTransport = folder === "transport" && !transportChoosers.includes(path);
  // bun_connect.ts and bun_listen.ts may import bun_transport.ts.
  const ownPart = path.replace(/_[^/]*\.ts$/, "_transport.ts");
  if (withinTransport && !transportShared.includes(target) && target !== ownPart) {
    return "a transport may import no other transport";
  }
  return undefined;
}

function packageProblem(path: string, folder: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:")) {
    if (["transport", "extensions", "cli"].includes(folder)) return undefined;
    if (path === digest && specifier === "node:crypto") return undefined;
    return "node: is for transport, extensions and cli";
  }
  if (folder === "protocol") return "protocol imports nothing from outside";
  return packages.test(specifier) ? undefined : "it is none of the packages that src/ may import";
}

/** The files of src/ and their text. */
function readSources(): Map<string, string> {
  let root = fileURLToPath(new URL("..", import.meta.url));
  if (process.platform === "win32") root = root.replaceAll("\\", "/");
  const paths = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
    .map((file) => `src/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".ts"));
  return new Map(paths.map((path) => [path, readFileSync(root + path, "utf8")]));
}

test("src/ has no import cycle, types included", () => {
  assertEquals(cyclesOf(readSources()), []);
});

test("imports of src/ point one way", () => {
  const sources = readSources();
  assert(sources.size > 0);
  assertEquals([...sources].flatMap(([path, source]) => problemsOf(path, source)), []);
});

test("folders may import each other in one direction", () => {
  const sources = Object.entries(folders).map(([folder, targets]): [string, string] => [
    `src/${folder}/mod.ts`,
    targets.map((target) => `import "../${target}/mod.ts";`).join("\n"),
  ]);
  assertEquals(cyclesOf(new Map(sources)), []);
});

test("the import rules find a cycle of types", () => {
  const sources = new Map([
    ["src/http/a.ts", 'import type { B } from "./b.ts";'],
    ["src/http/b.ts", 'export { c } from "./c.ts";'],
    ["src/http/c.ts", 'import type { A } from "./a.ts";'],
    ["src/http/d.ts", 'import "./a.ts";'],
  ]);
  assertEquals(cyclesOf(sources), [
    "src/http/a.ts -> src/http/b.ts -> src/http/c.ts -> src/http/a.ts",
  ]);
});

const good: [path: string, source: string][] = [
  ["src/protocol/frame.ts", 'import { Opcode } from "./opcode.ts";'],
  ["src/handshake/host.ts", 'import { timingSafeEqual } from "@std/crypto/timing-safe-equal";'],
  ["src/handshake/accept_key.ts", 'import { createHash } from "node:crypto";'],
  ["src/handshake/mod.ts", 'export * from "./response.ts";\nexport * from "../protocol/mod.ts";'],
  ["src/extensions/deflate.ts", 'import { constants } from "node:zlib";'],
  ["src/streams/mod.ts", 'import type { Frame } from "../protocol/frame.ts";'],
  ["src/connection/connection.ts", 'import type { T } from "../transport/transport.ts";'],
  ["src/server/server.ts", 'import { A } from "../connection/connection.ts";'],
  ["src/server/serve.ts", 'import { A } from "../http/head_parser.ts";\nimport "./options.ts";'],
  ["src/client/connect.ts", 'import { connectTcp } from "../transport/mod.ts";'],
  ["src/client/websocket_stream.ts", 'import { connect } from "./connect.ts";'],
  [
    "src/transport/deno_transport.ts",
    'import type { Transport } from "./transport.ts"; Deno.listen;',
  ],
  [
    "src/transport/mod.ts",
    'await import("./deno_transport.ts"); await import("./bun_transport.ts");',
  ],
  ["src/transport/bun_connect.ts", 'import { A } from "./bun_transport.ts";'],
  ["src/protocol/utf8.ts", '// Faster on Deno.\nconst a = "//"; /* import("node:fs") on Bun */'],
  ["src/protocol/utf8.ts", "/** import { a } from 'https://example.com/' */ const r = /['\"`/*]/;"],
];

for (const [path, source] of good) {
  test(`the import rules allow ${path}: ${source.replaceAll("\n", " ")}`, () => {
    assertEquals(problemsOf(path, source), []);
  });
}

const bad: [path: string, source: string][] = [
  ["src/protocol/frame.ts", 'import { parse } from "../handshake/mod.ts";'],
  ["src/protocol/frame.ts", 'import { encodeHex } from "@std/encoding/hex";'],
  ["src/protocol/frame.ts", 'import { Buffer } from "node:buffer";'],
  ["src/protocol/frame.ts", 'import type { A } from "../connection/connection.ts";'],
  ["src/handshake/mod.ts", 'import {\n  a,\n  b,\n} from "../extensions/mod.ts";'],
  ["src/handshake/mod.ts", 'import { createHash } from "node:crypto";'],
  ["src/handshake/accept_key.ts", 'import { Buffer } from "node:buffer";'],
  ["src/handshake/mod.ts", 'import { a } from "npm:ws";'],
  ["src/handshake/mod.ts", 'import { assert } from "@std/assert";'],
  ["src/extensions/mod.ts", 'export { a } from "../streams/mod.ts";'],
  ["src/streams/mod.ts", 'import "../connection/connection.ts";'],
  ["src/streams/mod.ts", 'import type { T } from "../transport/transport.ts";'],
  ["src/connection/connection.ts", 'import { serve } from "../server/server.ts";'],
  ["src/connection/connection.ts", 'import { a } from "../http/errors.ts";'],
  ["src/connection/connection.ts", 'import "../../mod.ts";'],
  ["src/server/server.ts", 'import { connect } from "../client/connect.ts";'],
  ["src/http/request.ts", 'import { a } from "../handshake/origin.ts";'],
  ["src/client/connect.ts", 'const a = await import("../server/server.ts");'],
  ["src/client/connect.ts", "await import(name);"],
  ["src/client/connect.ts", "await Deno.connect({ port: 1 });"],
  ["src/client/connect.ts", 'const bun = globalThis["Bun"];'],
  ["src/client/connect.ts", 'const url = "https://a"; Bun.connect();'],
  ["src/transport/deno_transport.ts", 'import { limits } from "../protocol/limits.ts";'],
  ["src/transport/deno_transport.ts", 'import { bun } from "./bun_transport.ts";'],
  ["src/transport/deno_connect.ts", 'import { bun } from "./bun_transport.ts";'],
  ["src/transport/bun_transport.ts", 'import { a } from "./bun_connect.ts";'],
  ["src/utilities/queue.ts", ""],
  ["src/queue.ts", ""],
];

for (const [path, source] of bad) {
  test(`the import rules refuse ${path}: ${source.replaceAll("\n", " ")}`, () => {
    assertEquals(problemsOf(path, source).length, 1);
  });
}
