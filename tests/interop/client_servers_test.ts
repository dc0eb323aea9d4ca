// Our client against servers that we did not write, plain and over TLS.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { connect, type ConnectOptions, HandshakeError } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  deadline,
  onTestEnd,
  runtime,
  spawn,
  testIf,
} from "../harness.ts";
import { certificate } from "../support/certificates.ts";
import { collect } from "../support/open.ts";

const SIZES = [0, 1, 125, 126, 65535, 65536, 1024 * 1024];

const ca = certificate({ subject: "Test CA" });
const shown = certificate({ subject: "server", names: ["localhost", "127.0.0.1"], issuer: ca });

/** A server that we did not write. */
interface Peer {
  name: string;
  condition: true | string;
  command: [command: string, ...args: string[]];
  /** Whether it can ping, and send fragments. */
  isFull: boolean;
}

const script = (file: string) => fileURLToPath(new URL(`./peers/${file}`, import.meta.url));

/** Where a runtime's executable is; its bare name where it has to be in the PATH. */
function executable(name: "deno" | "bun"): string {
  if (runtime === name) return process.execPath;
  const local = fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  return existsSync(local) ? local : name;
}

const python = "/usr/bin/python3";
const PEERS: Peer[] = [
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
  },
  {
    name: "Bun.serve",
    condition: canRun(executable("bun")),
    command: [executable("bun"), script("platform_server.mjs")],
    isFull: false,
  },
];

/** Starts a server; gives its URL, and what it takes to connect to it. */
async function start({ command: [command, ...args] }: Peer, isSecure: boolean) {
  const files: string[] = [];
  if (isSecure) {
    const folder = await mkdtemp(`${tmpdir()}/sluice-`);
    onTestEnd(() => rm(folder, { recursive: true }));
    files.push(`${folder}/cert.pem`, `${folder}/key.pem`);
    await writeFile(files[0], shown.cert);
    await writeFile(files[1], shown.key);
  }
  const child = spawn(command, [...args, ...files]);
  const [, port] = await child.waitForLine(/^listening on (\d+)$/);
  const options: ConnectOptions = isSecure ? { tls: { caCerts: [ca.cert] } } : {};
  return { url: `${isSecure ? "wss" : "ws"}://127.0.0.1:${port}`, options };
}

/** Sends all of them, and takes as many back. */
async function echoed(
  url: string,
  options: ConnectOptions,
  messages: (string | Uint8Array)[],
): Promise<(string | Uint8Array)[]> {
  const socket = await connect(url, options);
  const sent = (async () => {
    for (const message of messages) await socket.send(message);
  })();
  const got: (string | Uint8Array)[] = [];
  for await (const message of socket) {
    got.push(message);
    if (got.length === messages.length) break;
  }
  await sent;
  const { closeCode, reason, wasClean } = await socket.close(4321, "client says bye");
  // Whether the reason comes back is the server's choice.
  assertEquals([closeCode, wasClean], [4321, true], reason);
  return got;
}

for (const peer of PEERS) {
  for (const isSecure of [false, true]) {
    const way = isSecure ? "over TLS" : "in the clear";
    testIf(peer.condition, `the client gets along with ${peer.name}, ${way}`, async () => {
      const { url, options } = await start(peer, isSecure);

      const messages = SIZES.flatMap((size) => [
        "x".repeat(size),
        new Uint8Array(size).map((_, i) => i),
      ]);
      messages.push("Hello wörld \u{1f600}");
      assertEquals(
        await deadline(echoed(`${url}/`, options, messages), 20_000, "echoes"),
        messages,
      );

      const many = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
      assertEquals(await deadline(echoed(`${url}/`, options, many), 20_000, "echoes"), many);

      const plain = await connect(`${url}/`, options);
      assertEquals([plain.protocol, plain.extensions], ["", ""]);
      assert(await plain.ping() >= 0);
      const { closeCode, wasClean } = await plain.close();
      // A Close without a code comes back without one, or with 1000.
      assert(closeCode === 1005 || closeCode === 1000, String(closeCode));
      assertEquals(wasClean, true);

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

      if (!peer.isFull) return;
      for (
        const [path, text] of [["server-ping", "answered Hello"], ["fragments", "Hello wörld"]]
      ) {
        const socket = await connect(`${url}/${path}`, options);
        assertEquals((await socket[Symbol.asyncIterator]().next()).value, text);
        await socket.close(1000);
      }
    });
  }
}
