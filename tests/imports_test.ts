// The plan of the house, enforced: imports point one way, and only src/transport/ knows the runtime.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, test } from "./harness.ts";

/** The layers that each layer's files may import from; its own comes first. */
const layers: Record<string, string[]> = {
  protocol: ["protocol"],
  handshake: ["handshake", "protocol"],
  extensions: ["extensions", "protocol"],
  streams: ["streams", "handshake", "extensions", "protocol"],
  connection: ["connection", "streams", "handshake", "extensions", "protocol", "transport"],
  server: ["server", "connection", "streams", "handshake", "extensions", "protocol", "transport"],
  client: ["client", "connection", "streams", "handshake", "extensions", "protocol", "transport"],
  transport: ["transport"],
};
// What is made of connect() is a client's too.
for (const name of ["websocket_stream", "reconnecting_websocket"]) {
  layers[name] = [name, ...layers.client!];
}

/** The transports' interface, and the two names a module that chooses among them may have. */
const transportInterface = "src/transport/transport.ts";
const transportChoosers = ["src/transport/mod.ts", "src/transport/runtime.ts"];

/** What src/ may import from JSR. */
const packages = /^@std\/(crypto|encoding)(\/|$)/;

/** The one file of src/handshake/ that has something to digest. */
const digest = "src/handshake/accept_key.ts";

/** The layer of a file: its folder's name, or for a file directly under src/ "connection". */
function layerOf(path: string): string | undefined {
  const [, folder, ...rest] = path.split("/");
  const name = rest.length > 0 ? folder : folder?.replace(".ts", "");
  if (name !== undefined && Object.hasOwn(layers, name)) return name;
  return rest.length === 0 ? "connection" : undefined;
}

/** The source without its comments. Text, templates and regular expressions stay as they are. */
function withoutComments(source: string): string {
  const token =
    /(["'])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\[^]|[^`\\])*`|(?<=(?:[(,=:[!&|?{};]|\breturn|=>)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/|\/\/[^\n]*|\/\*[^]*?\*\//g;
  return source.replaceAll(
    token,
    (text) => text.startsWith("//") || text.startsWith("/*") ? " " : text,
  );
}

/** What the rules have against the file at `path`, which begins with "src/". */
function problemsOf(path: string, source: string): string[] {
  const layer = layerOf(path);
  if (layer === undefined) return [`${path} is in a folder that has no layer`];
  const problems: string[] = [];
  const code = withoutComments(source);

  const specifiers =
    /\b(?:import|export)\b[^;"'`()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
  for (const [, from, alone] of code.matchAll(specifiers)) {
    const specifier = from ?? alone ?? "";
    const problem = specifier.startsWith(".")
      ? localProblem(path, layer, join(dirname(path), specifier))
      : packageProblem(path, layer, specifier);
    if (problem !== undefined) problems.push(`${path} imports ${specifier}: ${problem}`);
  }

  if (layer !== "transport") {
    if (/\bimport\s*\(\s*(?!["'])\S/.test(code)) problems.push(`${path} has a computed import`);
    const name = code.match(/\b(Deno|Bun)\b/)?.[0];
    if (name !== undefined) problems.push(`${path} names ${name}, which only src/transport/ may`);
  }
  return problems;
}

function localProblem(path: string, layer: string, target: string): string | undefined {
  if (!target.startsWith("src/")) return "it is outside of src/";
  const targetLayer = layerOf(target);
  if (targetLayer === undefined || !layers[layer]!.includes(targetLayer)) {
    return `${layer} may not import ${targetLayer}`;
  }
  const withinTransport = layer === "transport" && !transportChoosers.includes(path);
  // bun_connect.ts is a part of what bun.ts is.
  const ownPart = path.replace(/_[^/]*\.ts$/, ".ts");
  if (withinTransport && target !== transportInterface && target !== ownPart) {
    return "a transport may import transport.ts alone";
  }
  return undefined;
}

function packageProblem(path: string, layer: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:")) {
    if (layer === "transport" || layer === "extensions") return undefined;
    if (path === digest && specifier === "node:crypto") return undefined;
    return "node: is for transport and extensions";
  }
  if (layer === "protocol") return "protocol imports nothing from outside";
  return packages.test(specifier) ? undefined : "it is none of the packages that src/ may import";
}

test("imports of src/ point one way", () => {
  let root = fileURLToPath(new URL("..", import.meta.url));
  if (process.platform === "win32") root = root.replaceAll("\\", "/");
  const files = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
    .map((file) => `src/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".ts"));
  assert(files.length > 0);
  assertEquals(files.flatMap((file) => problemsOf(file, readFileSync(root + file, "utf8"))), []);
});

const good: [path: string, source: string][] = [
  ["src/protocol/frame.ts", 'import { Opcode } from "./opcode.ts";'],
  ["src/handshake/host.ts", 'import { timingSafeEqual } from "@std/crypto/timing-safe-equal";'],
  ["src/handshake/accept_key.ts", 'import { createHash } from "node:crypto";'],
  ["src/handshake/mod.ts", 'export * from "./response.ts";\nexport * from "../protocol/mod.ts";'],
  ["src/extensions/deflate.ts", 'import { constants } from "node:zlib";'],
  ["src/streams/mod.ts", 'import type { Frame } from "../protocol/frame.ts";'],
  ["src/connection.ts", 'import type { Transport } from "./transport/transport.ts";'],
  ["src/server.ts", 'import { A } from "./connection.ts";\nimport { B } from "./close_info.ts";'],
  ["src/server/serve.ts", 'import { A } from "../connection.ts";\nimport "./options.ts";'],
  ["src/client.ts", 'import { connectTcp } from "./transport/mod.ts";'],
  ["src/websocket_stream.ts", 'import { connect } from "./client.ts";'],
  ["src/transport/deno.ts", 'import type { Transport } from "./transport.ts"; Deno.listen;'],
  ["src/transport/mod.ts", 'await import("./deno.ts"); await import("./bun.ts");'],
  ["src/transport/bun_connect.ts", 'import { BunTransport } from "./bun.ts";'],
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
  ["src/protocol/frame.ts", 'import type { A } from "../connection.ts";'],
  ["src/handshake/mod.ts", 'import {\n  a,\n  b,\n} from "../extensions/mod.ts";'],
  ["src/handshake/mod.ts", 'import { createHash } from "node:crypto";'],
  ["src/handshake/accept_key.ts", 'import { Buffer } from "node:buffer";'],
  ["src/handshake/mod.ts", 'import { a } from "npm:ws";'],
  ["src/handshake/mod.ts", 'import { assert } from "@std/assert";'],
  ["src/extensions/mod.ts", 'export { a } from "../streams/mod.ts";'],
  ["src/streams/mod.ts", 'import "../connection.ts";'],
  ["src/streams/mod.ts", 'import type { T } from "../transport/transport.ts";'],
  ["src/connection.ts", 'import { serve } from "./server.ts";'],
  ["src/close_info.ts", 'import { serve } from "./server/serve.ts";'],
  ["src/connection.ts", 'import "../mod.ts";'],
  ["src/server.ts", 'import { connect } from "./client.ts";'],
  ["src/client.ts", 'import { WebSocketStream } from "./websocket_stream.ts";'],
  ["src/client.ts", 'const a = await import("./server.ts");'],
  ["src/client.ts", "await import(name);"],
  ["src/client.ts", "await Deno.connect({ port: 1 });"],
  ["src/client.ts", 'const bun = globalThis["Bun"];'],
  ["src/client.ts", 'const url = "https://a"; Bun.connect();'],
  ["src/transport/deno.ts", 'import { limits } from "../protocol/limits.ts";'],
  ["src/transport/deno.ts", 'import { bun } from "./bun.ts";'],
  ["src/transport/deno_connect.ts", 'import { bun } from "./bun.ts";'],
  ["src/transport/bun.ts", 'import { connectBun } from "./bun_connect.ts";'],
  ["src/utilities/queue.ts", ""],
];

for (const [path, source] of bad) {
  test(`the import rules refuse ${path}: ${source.replaceAll("\n", " ")}`, () => {
    assertEquals(problemsOf(path, source).length, 1);
  });
}
