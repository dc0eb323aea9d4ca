// The client through an HTTP proxy, RFC 9110 §9.3.6.
import { createConnection } from "node:net";
import { connect, WebSocketError } from "../../mod.ts";
import type { HandshakeError, TcpAddr } from "../../mod.ts";
import { USER_AGENT } from "../../src/client/user_agent.ts";
import { assertEquals, assertMatch, assertRejects, delay, runtime, test } from "../harness.ts";
import { certificate } from "../support/certificates.ts";
import { fieldOf } from "../support/http.ts";
import type { RawServer, RawTcp } from "../support/raw_tcp.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";

/** A working proxy: each CONNECT leads to the same port, whatever its target. */
function workingProxy(port: number): Promise<RawServer> {
  return rawServer(async (connection) => {
    const head = await connection.head();
    const { socket } = connection;
    socket.pause();
    const upstream = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise<void>((resolve) => upstream.once("connect", resolve));
    connection.write(`HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n`);
    const early = connection.text.slice(head.length + 2);
    if (early !== "") upstream.write(early, "latin1");
    upstream.on("error", () => socket.destroy());
    upstream.on("close", () => socket.destroy());
    socket.on("close", () => upstream.destroy());
    upstream.pipe(socket);
    socket.pipe(upstream);
  });
}

const TLS = (() => {
  const ca = certificate({ subject: "Test CA" });
  return { ca, server: certificate({ subject: "server", names: ["inner.test"], issuer: ca }) };
})();

test("connect goes through a proxy, and sends it the user information of its URL", async () => {
  const { server, url } = serving(echo);
  const { port } = server.addr as TcpAddr;
  const proxy = await workingProxy(port);
  const socket = await connect("ws://inner.test:8080/chat", {
    proxy: `http://user:p%40ss@127.0.0.1:${proxy.port}`,
  });
  const head = await (await proxy.first).head();
  assertEquals(
    head,
    "CONNECT inner.test:8080 HTTP/1.1\r\nHost: inner.test:8080\r\n" +
      `User-Agent: ${USER_AGENT}\r\nProxy-Authorization: Basic ${btoa("user:p@ss")}\r\n`,
  );
  assertEquals(socket.request.headers.get("host"), "inner.test:8080");
  assertEquals(socket.request.headers.get("proxy-authorization"), null);
  assertEquals((socket.remoteAddr as TcpAddr).port, proxy.port);
  await socket.send("Hello");
  assertEquals((await socket[Symbol.asyncIterator]().next()).value, "Hello");
  assertEquals((await socket.close(1000)).wasClean, true);
  assertEquals(url.endsWith(String(port)), true);
});

test("connect asks a proxy for port 80, and for an IPv6 address in brackets", async () => {
  const { server } = serving(echo);
  const proxy = await workingProxy((server.addr as TcpAddr).port);
  const options = { proxy: new URL(`http://127.0.0.1:${proxy.port}/`) };
  await (await connect("ws://inner.test/", options)).close();
  await (await connect("ws://[2001:db8::1]/", options)).close();
  const heads = await Promise.all(proxy.connections.map((connection) => connection.head()));
  assertEquals(heads.map((head) => head.split(" ")[1]), ["inner.test:80", "[2001:db8::1]:80"]);
  assertEquals(fieldOf(heads[1], "Host"), "[2001:db8::1]:80");
});

test("connect starts TLS within the tunnel, with the name of the host behind it", async () => {
  const { cert, key } = TLS.server;
  const { server } = serving(echo, { tls: { cert, key } });
  const proxy = await workingProxy((server.addr as TcpAddr).port);
  const options = {
    proxy: `http://127.0.0.1:${proxy.port}`,
    tls: { caCerts: [TLS.ca.cert] },
  };
  const socket = await connect("wss://inner.test/", options);
  const big = new Uint8Array(300_000).fill(7);
  await socket.send(big);
  assertEquals((await socket[Symbol.asyncIterator]().next()).value, big);
  assertEquals((await socket.close(1000)).wasClean, true);
  assertEquals((await (await proxy.first).head()).split(" ")[1], "inner.test:443");

  for (const url of ["wss://outer.test/", "wss://127.0.0.1/"]) {
    const error = await assertRejects(() => connect(url, options), WebSocketError);
    assertEquals(error.code, "ERR_TLS");
  }
  const error = await assertRejects(
    () => connect("wss://inner.test/", { proxy: options.proxy }),
    WebSocketError,
  );
  assertEquals(error.code, "ERR_TLS");
});

/** Returns the error of an attempt through a proxy that behaves like this. */
async function failure(behave: (connection: RawTcp) => void, url = "ws://inner.test/") {
  const proxy = await rawServer(async (connection) => {
    await connection.head();
    behave(connection);
  });
  const options = { proxy: `http://127.0.0.1:${proxy.port}`, timeout: 5000 };
  const error = await assertRejects(() => connect(url, options), WebSocketError);
  await (await proxy.first).untilGone();
  return error;
}

test("connect rejects with the response of a proxy that refuses", async () => {
  for (const url of ["ws://inner.test/", "wss://inner.test/"]) {
    const error = await failure((connection) => {
      connection.write(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a"\r\n' +
          "Content-Length: 6\r\n\r\nwho...",
      );
    }, url) as HandshakeError;
    assertEquals([error.name, error.code, error.status], [
      "HandshakeError",
      "ERR_PROXY_REFUSED",
      407,
    ]);
    assertEquals(error.headers[0], ["proxy-authenticate", 'Basic realm="a"']);
    assertEquals(new TextDecoder().decode(error.body), "who...");
  }
});

test("connect refuses a proxy that answers 101, or with a redirect", async () => {
  for (const status of [101, 302]) {
    const error = await failure(({ socket }) => {
      socket.end(`HTTP/1.1 ${status} X\r\nLocation: http://elsewhere/\r\n\r\n`);
    }) as HandshakeError;
    assertEquals([error.code, error.status], ["ERR_PROXY_REFUSED", status]);
  }
});

test("connect refuses a tunnel that sends bytes before the client does", async () => {
  for (const url of ["ws://inner.test/", "wss://inner.test/"]) {
    const error = await failure(
      (connection) => connection.write("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching"),
      url,
    ) as HandshakeError;
    assertEquals([error.code, error.status], ["ERR_PROXY_DATA", 200]);
  }
});

test("connect rejects if a proxy does not answer with HTTP, or disconnects", async () => {
  const garbage = await failure((connection) => connection.write("SOCKS? no.\r\n\r\n"));
  assertEquals(garbage.code, "ERR_HANDSHAKE_HEAD");
  const gone = await failure(({ socket }) => void socket.end());
  assertEquals(gone.code, "ERR_HANDSHAKE_LEFT");
  const later = await failure(({ socket }) => void socket.end("HTTP/1.1 200 OK\r\n\r\n"));
  assertEquals(later.code, "ERR_HANDSHAKE_LEFT");
  const tls = await failure(
    ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\n\r\n"),
    "wss://inner.test/",
  );
  assertEquals(tls.code, "ERR_TLS");
});

test("connect names the proxy in each of its errors, and the server behind it if TLS fails", async () => {
  const url = "wss://inner.test/";
  const answers: [answer: string, message: RegExp][] = [
    ["", /^Cannot use proxy 127\.0\.0\.1, port \d+: it left before it answered$/],
    ["\x05\x00 not HTTP\r\n\r\n", /^Cannot use proxy 127\.0\.0\.1, port \d+: Cannot parse /],
    [
      "HTTP/1.1 407 No\r\n\r\n",
      /^Cannot use proxy 127\.0\.0\.1, port \d+: it answered with status 407/,
    ],
    [
      "HTTP/1.1 200 OK\r\n\r\n!",
      /^Cannot use proxy 127\.0\.0\.1, port \d+: it answered with status 200/,
    ],
    [
      `HTTP/1.1 200 OK\r\n${"a".repeat(20_000)}`,
      /^Cannot use proxy 127\.0\.0\.1, port \d+: Cannot parse /,
    ],
    [
      "HTTP/1.1 200 OK\r\n\r\n",
      /^Cannot connect to inner\.test, port 443, through proxy 127\.0\.0\.1, port \d+: Cannot start/,
    ],
  ];
  for (const [answer, message] of answers) {
    const error = await failure(({ socket }) => void socket.end(answer, "latin1"), url);
    assertMatch(error.message, message);
  }
});

test("connect ends an attempt through a proxy at any point", async () => {
  for (const url of ["ws://inner.test/", "wss://inner.test/"]) {
    for (const answer of ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n"]) {
      const proxy = await rawServer(async (connection) => {
        await connection.head();
        connection.write(answer);
      });
      const stop = new AbortController();
      const options = { proxy: `http://127.0.0.1:${proxy.port}`, signal: stop.signal };
      const attempt = connect(url, options);
      attempt.catch(() => {});
      await (await proxy.first).head();
      await delay(20);
      stop.abort("enough");
      assertEquals(await assertRejects(() => attempt), "enough");
      // Deno continues a TLS handshake until the server sends something or disconnects.
      const isHeld = runtime === "deno" && url.startsWith("wss:") && answer.endsWith("\r\n\r\n");
      if (!isHeld) await (await proxy.first).untilGone();
    }
  }
});

test("connect rejects if no proxy listens", async () => {
  const { port, server } = await rawServer();
  await new Promise((resolve) => server.close(resolve));
  const options = { proxy: `http://127.0.0.1:${port}` };
  const error = await assertRejects(() => connect("ws://inner.test/", options), WebSocketError);
  assertEquals(error.code, "ERR_CONNECT");
});
