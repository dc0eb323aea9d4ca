// Heartbeats over real sockets: with peers that are there, of several makes, and with some that aren't.
import { fileURLToPath } from "node:url";
import { connect } from "../../mod.ts";
import type { TcpAddr, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { assert, assertEquals, canRun, deadline, delay, spawn, test, testIf } from "../harness.ts";
import { python } from "../system/interop/interop.ts";
import { switching } from "../support/http.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { openRaw, PlatformClient, serving } from "../support/server.ts";

/** Short, so that a test is; and long enough for a peer on a busy machine. */
const alive = { pingInterval: 50, pongTimeout: 10_000 };
const dead = { pingInterval: 50, pongTimeout: 100 };

/** A server that pings often, its first connection, and how that ended. */
function servingIdle(limits: typeof alive) {
  const { promise: opened, resolve } = Promise.withResolvers<WebSocketConnection>();
  const served = serving({ open: (socket) => resolve(socket) }, { limits });
  /** Resolves once the peer has answered a Ping. */
  const answered = async () => {
    const socket = await opened;
    while (socket.roundTrip === undefined) await delay(5);
    return socket;
  };
  return { ...served, opened, answered: () => deadline(answered(), 30_000, "a Pong") };
}

const script = (file: string) =>
  fileURLToPath(new URL(`../system/interop/peers/${file}`, import.meta.url));

const peers: [name: string, condition: true | string, command: string, ...args: string[]][] = [
  ["`ws` on Node", canRun("node"), "node", script("idle_client.mjs")],
  [
    "Python's websockets",
    canRun(python, ["-c", "import websockets"]) === true
      ? true
      : `${python} has no websockets (Debian: python3-websockets)`,
    python,
    script("idle_client.py"),
  ],
];

for (const [name, condition, command, ...args] of peers) {
  testIf(condition, `${name} answers heartbeats while it's idle`, async () => {
    const { url, answered, errors } = servingIdle(alive);
    const child = spawn(command, [...args, url]);
    const socket = await answered();
    await socket.close(4000);
    const { code, stdout, stderr } = await child.exited;
    assertEquals([code, stdout.trim(), stderr], [0, "closed 4000", ""]);
    assertEquals(errors, []);
  });
}

test("the platform's WebSocket answers heartbeats while it's idle", async () => {
  const { url, answered, errors } = servingIdle(alive);
  const client = new PlatformClient(url);
  const socket = await answered();
  assert(socket.roundTrip! >= 0);
  assertEquals(client.messages, []);
  assertEquals(errors, []);
});

test("a client of ours and a server of ours keep each other up", async () => {
  const { server, answered, errors } = servingIdle(alive);
  const { port } = server.addr as TcpAddr;
  const client = await connect(`ws://127.0.0.1:${port}/`, { limits: alive });
  const socket = await answered();
  // An end that has received the other's Ping need not send one of its own.
  assert(socket.roundTrip! >= 0);
  await client.close(1000);
  assertEquals((await socket.closed).wasClean, true);
  assertEquals(errors, []);
});

test("serve drops a peer that does not answer, and tells onError", async () => {
  const { server, opened, errors } = servingIdle(dead);
  const client = await openRaw(server);
  await client.tcp.until(({ hasEnded, isClosed }) => hasEnded || isClosed, "the end");
  const { closeCode, wasClean, error } = await (await opened).closed;
  assertEquals([closeCode, wasClean], [1006, false]);
  assertEquals((error as WebSocketError).code, "ERR_PONG_TIMEOUT");
  assertEquals(errors.map(({ error }) => error), [error]);
  assertEquals(client.text.length, 6, "one Ping of 4 bytes, and no Close");
  assertEquals(client.text.slice(0, 2), "\x89\x04");
  assertEquals(server.connections.size, 0);
});

test("serve drops a peer that has stopped reading while it's sent a lot", async () => {
  const { server, opened } = servingIdle(dead);
  const client = await openRaw(server);
  client.tcp.socket.pause();
  const socket = await opened as unknown as
    & { send(data: Uint8Array): void }
    & Awaited<
      typeof opened
    >;
  for (let i = 0; i < 12; i++) socket.send(new Uint8Array(1024 * 1024));
  const { error } = await deadline(socket.closed, 20_000, "the end");
  assertEquals((error as WebSocketError).code, "ERR_PONG_TIMEOUT");
  client.tcp.socket.destroy();
});

test("connect drops a server that does not answer", async () => {
  const server = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
  });
  const socket = await connect(`ws://127.0.0.1:${server.port}/`, { limits: dead });
  const { closeCode, error } = await deadline(socket.closed, 20_000, "the end");
  assertEquals([closeCode, (error as WebSocketError).code], [1006, "ERR_PONG_TIMEOUT"]);
  await (await server.first).untilGone();
});
