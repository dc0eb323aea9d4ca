// The client over real sockets: TCP, Unix sockets, and servers that end or reset the TCP connection.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { connect, HandshakeError, WebSocketError } from "../../mod.ts";
import type { TcpAddr, WebSocketConnection } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  deadline,
  delay,
  eventually,
  onTestEnd,
  spawn,
  test,
  testIf,
} from "../harness.ts";
import { runSource } from "../support/child_script.ts";
import { switching } from "../support/http.ts";
import { collect, exchange } from "../support/open.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";

/** Sends messages of many sizes to an echo server, and checks the replies. */
async function exchangeWith(socket: WebSocketConnection): Promise<void> {
  const messages: (string | Uint8Array)[] = [];
  for (const size of [0, 1, 125, 126, 65535, 65536, 1024 * 1024]) {
    messages.push("x".repeat(size), new Uint8Array(size).fill(size & 0xff));
  }
  assertEquals(await exchange(messages, socket), messages);
}

test("connect and serve exchange messages over TCP", async () => {
  const { server, url } = serving(echo, { protocols: ["chat"] });
  const socket = await connect(`${url}/chat?a=b`, { protocols: ["x", "chat"] });
  assertEquals(socket.protocol, "chat");
  assertEquals(socket.remoteAddr, server.addr);
  assertEquals((socket.localAddr as TcpAddr).hostname, "127.0.0.1");
  assertEquals(socket.request.url, `${url.replace("ws", "http")}/chat?a=b`);
  await exchangeWith(socket);
  const { closeCode, wasClean } = await socket.close(1000);
  assertEquals([closeCode, wasClean], [1000, true]);
});

test("connect accepts a host name, and http: for ws:", async () => {
  const { url } = serving(echo);
  const socket = await connect(url.replace("ws://127.0.0.1", "http://localhost"));
  assert(await socket.ping() >= 0);
  await socket.close();
});

test("connect and serve exchange messages over IPv6", async () => {
  let served;
  try {
    served = serving(echo, { hostname: "::1" });
  } catch {
    return; // This machine has no IPv6.
  }
  const { port } = served.server.addr as TcpAddr;
  const socket = await connect(`ws://[::1]:${port}/`);
  assertEquals(socket.request.headers.get("host"), `[::1]:${port}`);
  await exchangeWith(socket);
  await socket.close();
});

test("connect and serve exchange messages over a Unix socket", async () => {
  const folder = await mkdtemp(`${tmpdir()}/sluice-`);
  onTestEnd(() => rm(folder, { recursive: true }));
  const path = `${folder}/socket`;
  serving(echo, { path });
  const socket = await connect("ws://localhost/chat", { path });
  assertEquals(socket.request.headers.get("host"), "localhost");
  assertEquals(socket.remoteAddr.transport, "unix");
  await exchangeWith(socket);
  const { closeCode, wasClean } = await socket.close(1001);
  assertEquals([closeCode, wasClean], [1001, true]);
});

test("connect closes cleanly when the server does", async () => {
  const { url } = serving((socket) => void socket.close(4001, "bye"));
  const socket = await connect(url);
  assertEquals(await collect(socket), []);
  const { closeCode, reason, wasClean } = await socket.closed;
  assertEquals([closeCode, reason, wasClean], [4001, "bye", true]);
});

test("connect rejects with the response of a server that refuses", async () => {
  const { url } = serving(echo, {
    upgrade: () => new Response("who are you?", { status: 401, headers: { "X-A": "b" } }),
  });
  const error = await assertRejects(() => connect(url), HandshakeError);
  assertEquals([error.status, new TextDecoder().decode(error.body)], [401, "who are you?"]);
  assert(error.headers.some(([name, value]) => name === "x-a" && value === "b"));
});

test("connect rejects if no server listens, and if the name can't be resolved", async () => {
  const server = await rawServer();
  await new Promise((resolve) => server.server.close(resolve));
  const urls = [`ws://127.0.0.1:${server.port}/`, "ws://nobody.invalid/"];
  for (const url of urls) {
    const error = await assertRejects(() => connect(url), WebSocketError, "Cannot connect to ");
    assertEquals([error.name, error.code, error.closeCode], [
      "WebSocketError",
      "ERR_CONNECT",
      1006,
    ]);
    assert(error.cause instanceof Error);
  }
  const path = "/nowhere/at/all";
  const error = await assertRejects(() => connect("ws://a/", { path }), WebSocketError);
  assertEquals(error.code, "ERR_CONNECT");
});

test("connect rejects if the server ends the connection at once, by a FIN or by a reset", async () => {
  for (const isReset of [false, true]) {
    const { port } = await rawServer(async (connection) => {
      await connection.head();
      if (isReset) connection.socket.resetAndDestroy();
      else connection.socket.end();
    });
    const error = await assertRejects(() => connect(`ws://127.0.0.1:${port}/`), WebSocketError);
    assertEquals([error.name, error.code], ["WebSocketError", "ERR_HANDSHAKE_LEFT"]);
  }
});

test("connect closes the TCP connection if it is refused", async () => {
  for (
    const answer of [
      "garbage",
      "HTTP/1.1 101 X\r\n\r\n",
      "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n",
    ]
  ) {
    const server = await rawServer(async (connection) => {
      await connection.head();
      connection.write(answer);
    });
    await assertRejects(() => connect(`ws://127.0.0.1:${server.port}/`), HandshakeError);
    await (await server.first).untilGone();
  }
});

test("connect ends an attempt at a silent server by its timeout or its signal", async () => {
  for (const sent of ["", "HTTP/1.1 101 Switch", "HTTP/1.1 403 X\r\n"]) {
    const server = await rawServer((connection) => connection.write(sent));
    const url = `ws://127.0.0.1:${server.port}/`;
    const late = await assertRejects(() => connect(url, { timeout: 50 }), DOMException);
    assertEquals(late.name, "TimeoutError");
    const stop = new AbortController();
    const attempt = connect(url, { signal: stop.signal });
    await eventually(() => server.connections.length >= 2, 10_000, "a second connection");
    await server.connections[1].head();
    stop.abort("enough");
    assertEquals(await assertRejects(() => attempt), "enough");
    for (const connection of server.connections) await connection.untilGone();
  }
});

test("connect ends at once when its signal aborts, at any step", async () => {
  const { url } = serving(echo);
  // Before the attempt, in the same turn, and at about every step of it.
  for (let turns = -1; turns < 40; turns++) {
    const stop = new AbortController();
    if (turns === -1) stop.abort("enough");
    const attempt = connect(url, { signal: stop.signal });
    attempt.catch(() => {});
    for (let i = 0; i < turns; i++) await (i % 4 === 3 ? delay(0) : undefined);
    stop.abort("enough");
    try {
      const socket = await attempt;
      // It was already open.
      await socket.close();
    } catch (error) {
      assertEquals(error, "enough");
    }
  }
});

/** A listener whose backlog is full, so that the kernel does not answer. */
const FULL = `
import socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
clients = []
for _ in range(3):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    clients.append(client)
print("port", server.getsockname()[1], flush=True)
sys.stdin.read() or __import__("time").sleep(60)
`;

testIf(canRun("python3"), "connect ends an attempt while TCP is being connected", async () => {
  const child = spawn("python3", ["-c", FULL]);
  const url = `ws://127.0.0.1:${(await child.waitForLine(/^port (\d+)$/))[1]}/`;
  const late = await assertRejects(() => connect(url, { timeout: 50 }), DOMException);
  assertEquals(late.name, "TimeoutError");
  const stop = new AbortController();
  const attempt = connect(url, { signal: stop.signal });
  setTimeout(() => stop.abort("enough"), 20);
  assertEquals(await assertRejects(() => attempt), "enough");
  await child.kill();
});

testIf(canRun("python3"), "connect that times out does not keep the process alive", async () => {
  const full = spawn("python3", ["-c", FULL]);
  onTestEnd(() => full.kill());
  const url = `ws://127.0.0.1:${(await full.waitForLine(/^port (\d+)$/))[1]}/`;
  const child = await runSource(`
    import { connect } from MOD;
    await connect("${url}", { timeout: 50 }).catch((error) => console.log(error.name));`);
  const { code, stdout } = await deadline(child.exited, 10_000, "the exit of the process");
  assertEquals([code, stdout], [0, "TimeoutError\n"]);
});

test("connect takes bytes that follow the response for the first frames", async () => {
  const { port } = await rawServer(async (connection) => {
    const head = await connection.head();
    connection.write(`${switching(head)}\x81\x05Hello\x81\x03`);
    await delay(5);
    connection.write("you\x88\x02\x03\xe8");
    await connection.until(() => connection.text.split("\r\n\r\n")[1].length >= 8, "a Close");
    connection.socket.end();
  });
  const socket = await connect(`ws://127.0.0.1:${port}/`);
  assertEquals(await collect(socket), ["Hello", "you"]);
  const { closeCode, wasClean } = await socket.closed;
  assertEquals([closeCode, wasClean], [1000, true]);
});

test("an open connection that ends without a Close frame has close code 1006", async () => {
  for (const isReset of [false, true]) {
    const { port } = await rawServer(async (connection) => {
      connection.write(switching(await connection.head()));
      await delay(10);
      if (isReset) connection.socket.resetAndDestroy();
      else connection.socket.end();
    });
    const socket = await connect(`ws://127.0.0.1:${port}/`);
    const { closeCode, wasClean } = await deadline(socket.closed, 5000, "closed");
    assertEquals([closeCode, wasClean], [1006, false]);
  }
});

test("a client lets the server end TCP first, RFC 6455 §7.1.1", async () => {
  const server = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
    await connection.until(() => connection.text.split("\r\n\r\n")[1].length >= 8, "a Close");
    connection.write("\x88\x02\x03\xe8");
    await delay(50);
    assertEquals([connection.hasEnded, connection.isClosed], [false, false]);
    connection.socket.end();
  });
  const socket = await connect(`ws://127.0.0.1:${server.port}/`);
  const { wasClean } = await socket.close(1000);
  assertEquals(wasClean, true);
  await (await server.first).untilGone();
});
