// What a client sends in its request and reads from the response, and its callbacks.
import { readFileSync } from "node:fs";
import { connect, HandshakeError, WebSocketError } from "../../mod.ts";
import type { ConnectOptions, Message, SocketHandler } from "../../mod.ts";
import { USER_AGENT } from "../../src/client/user_agent.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { accept } from "../../src/server/accept.ts";
import { connectOver } from "../../src/client/connect.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  deadline,
  delay,
  test,
} from "../harness.ts";
import { switching } from "../support/http.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";

test("connect sends the package and its version as User-Agent, or the caller's own", async () => {
  const { version } = JSON.parse(
    readFileSync(new URL("../../deno.json", import.meta.url), "utf8"),
  );
  assertEquals(USER_AGENT, `sluice/${version}`);
  const seen: (string | null)[] = [];
  const { url } = serving(echo, {
    upgrade: ({ headers }) => void seen.push(headers.get("user-agent")),
  });
  await (await connect(url)).close();
  await (await connect(url, { headers: { "user-agent": "mine" } })).close();
  assertEquals(seen, [USER_AGENT, "mine"]);
});

test("connect sends the caller's own Host", async () => {
  const server = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
  });
  const socket = await connect(`ws://127.0.0.1:${server.port}/`, {
    headers: { host: "virtual.test:81" },
  });
  const head = await server.connections[0].head();
  assertEquals(head.match(/^host:.*$/gim), ["Host: virtual.test:81"]);
  assertEquals(socket.request.headers.get("host"), "virtual.test:81");
  socket.abort();
});

test("a client's connection has the header fields of the response", async () => {
  const server = await rawServer(async (connection) => {
    const fields = "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nX-Trace: 7\r\n";
    connection.write(switching(await connection.head(), fields));
  });
  const socket = await connect(`ws://127.0.0.1:${server.port}/`);
  const headers = socket.responseHeaders!;
  assertEquals(headers.getSetCookie(), ["a=b; Path=/", "c=d"]);
  assertEquals([headers.get("x-trace"), headers.get("upgrade")], ["7", "websocket"]);
  socket.abort();
});

test("a server's connection has no header fields of a response", async () => {
  const [here, there] = memoryPair();
  const [server, client] = await Promise.all([accept(here), connectOver(there, "ws://memory/")]);
  assertEquals(server.responseHeaders, undefined);
  client.abort();
  await server.closed;
});

test("connect calls the callbacks of a handler", async () => {
  const { url } = serving(echo);
  const log: unknown[] = [];
  const closed = Promise.withResolvers<void>();
  const handler: SocketHandler = {
    open(socket) {
      log.push(["open", socket.readyState]);
      void socket.send("Hello");
    },
    message(socket, message: Message) {
      log.push(message);
      void socket.close(4001);
    },
    close(_, { closeCode }) {
      log.push(closeCode);
      closed.resolve();
    },
  };
  const socket = await connect(url, {}, handler);
  await deadline(closed.promise, 5000, "close");
  assertEquals(log, [["open", 1], "Hello", 4001]);
  assertEquals((await socket.closed).closeCode, 4001);
});

test("connectOver calls the callbacks of a handler, for frames of the response's chunk, too", async () => {
  const server = await rawServer(async (connection) => {
    connection.write(`${switching(await connection.head())}\x81\x02hi`);
  });
  const got = Promise.withResolvers<Message>();
  const socket = await connect(`ws://127.0.0.1:${server.port}/`, {}, {
    message: (_, message) => got.resolve(message),
  });
  assertEquals(await deadline(got.promise, 5000, "the message"), "hi");
  socket.abort();
});

test("a callback that throws closes a client's connection with 1011", async () => {
  const codes = Promise.withResolvers<number>();
  const { url } = serving({
    open: (socket) => socket.send("x"),
    close: (_, { closeCode }) => codes.resolve(closeCode),
  });
  const broken = new Error("broken");
  const errors: unknown[] = [];
  await connect(url, {}, {
    message() {
      throw broken;
    },
    error: (_, error) => void errors.push(error),
  });
  assertEquals(await deadline(codes.promise, 5000, "the code"), 1011);
  assertStrictEquals(errors[0], broken);
});

/** How a client fails that gets a refusal whose body never ends: `more` again and again. */
async function endlessRefusal(
  answer: string,
  more: string,
  options: ConnectOptions = {},
): Promise<HandshakeError> {
  const gone = Promise.withResolvers<void>();
  const { port } = await rawServer(async (connection) => {
    await connection.head();
    connection.write(answer);
    while (more !== "" && !connection.isClosed) {
      connection.write(more);
      await delay(10);
    }
    await connection.untilGone();
    gone.resolve();
  });
  const error = await assertRejects(
    () => connect(`ws://127.0.0.1:${port}/`, options),
    HandshakeError,
  );
  await deadline(gone.promise, 5000, "the end of the connection");
  return error;
}

test("connect rejects at once with the status of a refusal whose body never ends", async () => {
  const cases: [answer: string, more: string, body: RegExp][] = [
    ["HTTP/1.1 403 Forbidden\r\n\r\nno", "", /^no$/],
    ["HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nno", "", /^no$/],
    ["HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", /^x*$/],
    ["HTTP/1.1 403 Forbidden\r\n\r\n", "x", /^x*$/],
  ];
  for (const [answer, more, body] of cases) {
    const start = performance.now();
    const error = await endlessRefusal(answer, more);
    assertEquals(error.status, 403);
    assert(body.test(new TextDecoder().decode(error.body)));
    assert(performance.now() - start < 1500, `${performance.now() - start} ms`);
  }
});

test("connect rejects with the status of a refusal when its timeout ends the body", async () => {
  const answer = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n";
  const error = await endlessRefusal(answer, "x", { timeout: 60 });
  assertEquals(error.status, 503);
});

test("connect names the proxy that can't be reached", async () => {
  const server = await rawServer();
  await new Promise((resolve) => server.server.close(resolve));
  for (const scheme of ["ws", "wss"]) {
    const error = await assertRejects(
      () => connect(`${scheme}://inner.test/`, { proxy: `http://127.0.0.1:${server.port}` }),
      WebSocketError,
    );
    assertEquals(error.code, "ERR_CONNECT");
    assert(error.message.includes(`proxy 127.0.0.1, port ${server.port}`), error.message);
    assert(!error.message.includes("inner.test"), error.message);
  }
});

test("connect names the path of a Unix socket that can't be reached", async () => {
  const path = "/nowhere/at/all";
  const error = await assertRejects(() => connect("ws://a/", { path }), WebSocketError);
  assert(error.message.startsWith(`Cannot connect to ${path}: `), error.message);
});
