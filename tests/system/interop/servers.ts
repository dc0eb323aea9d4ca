/** Servers, most of them of other libraries, and the exchanges of this library's client with them. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { connect, type ConnectOptions, HandshakeError } from "../../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  deadline,
  onTestEnd,
  spawn,
} from "../../harness.ts";
import { sameBytes } from "../../protocol/frames.ts";
import { collect, exchange } from "../../support/open.ts";
import { streamOf } from "../../support/streams.ts";
import { good, trust } from "../../support/tls.ts";
import { executable, python } from "./interop.ts";

const SIZES = [0, 1, 125, 126, 65535, 65536, 1024 * 1024];

/** A server in a process of its own. */
export interface Server {
  /** Its name. */
  name: string;
  /** `true`, or why it cannot run here. */
  condition: true | string;
  /** The command that starts it. */
  command: [command: string, ...args: string[]];
  /** Whether it can ping, and send fragments. */
  isFull: boolean;
  /** Why it cannot compress, if so. */
  declines?: string;
}

const script = (file: string) => fileURLToPath(new URL(`./peers/${file}`, import.meta.url));

/** All servers. */
export const SERVERS: readonly Server[] = [
  {
    name: "`ws` on Node",
    condition: canRun("node"),
    command: ["node", script("ws_server.mjs")],
    isFull: true,
  },
  {
    name: "Python's websockets",
    condition: canRun(python, ["-c", "import websockets"]) === true
      ? true
      : `${python} has no websockets (Debian: python3-websockets)`,
    command: [python, script("python_server.py")],
    isFull: true,
  },
  {
    name: "Deno.serve",
    condition: canRun(executable("deno")),
    command: [executable("deno"), "run", "-A", script("platform_server.mjs")],
    isFull: false,
    declines: "Deno.upgradeWebSocket() has no permessage-deflate",
  },
  {
    name: "Bun.serve",
    condition: canRun(executable("bun")),
    command: [executable("bun"), script("platform_server.mjs")],
    isFull: false,
  },
  {
    name: "Sluice on Deno",
    condition: canRun(executable("deno")),
    command: [executable("deno"), "run", "-A", script("sluice_server.ts")],
    isFull: true,
  },
  {
    name: "Sluice on Bun",
    condition: canRun(executable("bun")),
    command: [executable("bun"), script("sluice_server.ts")],
    isFull: true,
  },
];

/** Starts a server; returns its URL, and the options to connect to it. */
export async function startServer(
  { command: [command, ...args] }: Server,
  isSecure: boolean,
): Promise<{ url: string; options: ConnectOptions }> {
  const files: string[] = [];
  if (isSecure) {
    const folder = await mkdtemp(`${tmpdir()}/sluice-`);
    onTestEnd(() => rm(folder, { recursive: true }));
    files.push(`${folder}/cert.pem`, `${folder}/key.pem`);
    await writeFile(files[0], good.cert);
    await writeFile(files[1], good.key);
  }
  const child = spawn(command, [...args, ...files]);
  const [, port] = await child.waitForLine(/^listening on (\d+)$/);
  return {
    url: `${isSecure ? "wss" : "ws"}://127.0.0.1:${port}`,
    options: isSecure ? trust : {},
  };
}

/** Sends the messages, and receives as many. */
async function echoed(
  url: string,
  options: ConnectOptions,
  messages: (string | Uint8Array)[],
): Promise<(string | Uint8Array)[]> {
  const socket = await connect(url, options);
  const got = await exchange(messages, socket);
  const { closeCode, reason, wasClean } = await socket.close(4321, "client says bye");
  // A server need not echo the reason.
  assertEquals([closeCode, wasClean], [4321, true], reason);
  return got;
}

/** Sends text and bytes in fragments, with a Ping in between, and receives the echoes. */
async function fragmented(
  url: string,
  options: ConnectOptions,
): Promise<(string | Uint8Array)[]> {
  const socket = await connect(url, options);
  socket.send(streamOf(["Hel", "lo w", "örld"]));
  await socket.ping();
  socket.send(streamOf([[1], [], [2, 3]].map((bytes) => new Uint8Array(bytes))));
  const got: (string | Uint8Array)[] = [];
  for await (const message of socket) if (got.push(message) === 2) break;
  await socket.close(1000);
  return got;
}

/**
 * Runs all exchanges with a server.
 *
 * @returns The extensions in use.
 */
export async function exerciseServer(
  url: string,
  options: ConnectOptions,
  isFull: boolean,
): Promise<string> {
  const messages = SIZES.flatMap((size) => [
    "x".repeat(size),
    new Uint8Array(size).map((_, i) => i),
  ]);
  messages.push("Hello wörld \u{1f600}");
  const echoes = await deadline(echoed(`${url}/`, options, messages), 20_000, "echoes");
  for (const [i, message] of messages.entries()) {
    const echo = echoes[i]!;
    const isSame = typeof message === "string" || typeof echo === "string"
      ? echo === message
      : sameBytes(echo, message);
    assert(isSame, `message ${i}`);
  }

  const many = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
  assertEquals(await deadline(echoed(`${url}/`, options, many), 20_000, "echoes"), many);

  const plain = await connect(`${url}/`, options);
  assertEquals(plain.protocol, "");
  assert(await plain.ping() >= 0);
  const { closeCode, wasClean } = await plain.close();
  // A Close without a code is answered without one, or with 1000.
  assert(closeCode === 1005 || closeCode === 1000, String(closeCode));
  assertEquals(wasClean, true);
  assertEquals(
    await deadline(fragmented(`${url}/`, options), 10_000, "fragments"),
    ["Hello wörld", new Uint8Array([1, 2, 3])],
  );

  const chat = await connect(`${url}/headers`, {
    ...options,
    protocols: ["chat.v3", "chat.v2"],
    headers: { "X-A": "of the client" },
    origin: "https://example.com",
  });
  assertEquals(chat.protocol, "chat.v2");
  const { value } = await chat[Symbol.asyncIterator]().next();
  const headers = JSON.parse(value as string);
  assertEquals([headers["x-a"], headers.origin, headers.host], [
    "of the client",
    "https://example.com",
    new URL(url).host,
  ]);
  await chat.close(1000);

  const closing = await connect(`${url}/server-close`, options);
  assertEquals(await collect(closing), []);
  const info = await closing.closed;
  assertEquals([info.closeCode, info.reason, info.wasClean], [4001, "server says bye", true]);

  for (const status of [401, 403]) {
    const error = await assertRejects(
      () => connect(`${url}/refuse/${status}`, options),
      HandshakeError,
    );
    assertEquals(error.status, status);
    assertEquals(new TextDecoder().decode(error.body).trim(), `refused with ${status}`);
  }

  const small = await connect(`${url}/`, { ...options, limits: { maxMessageSize: 1000 } });
  small.send("x".repeat(1001));
  assertEquals(await collect(small), []);
  assertEquals(((await small.closed).error as { code?: string }).code, "ERR_MESSAGE_TOO_BIG");

  if (!isFull) return plain.extensions;
  for (
    const [path, text] of [["server-ping", "answered"], ["fragments", "Hello wörld"]]
  ) {
    const socket = await connect(`${url}/${path}`, options);
    const { value } = await socket[Symbol.asyncIterator]().next();
    assert((value as string).startsWith(text!), String(value));
    await socket.close(1000);
  }
  return plain.extensions;
}
