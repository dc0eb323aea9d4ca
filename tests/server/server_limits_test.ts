import { connect as netConnect } from "node:net";
import type { TcpAddr } from "../../mod.ts";
import { connect } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertThrows,
  delay,
  onTestEnd,
  test,
} from "../harness.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { upgradeRequest } from "../support/http.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { echo, openRaw, RawWebSocket, serving } from "../support/server.ts";
import { RawTcp, tcpConnect } from "../support/raw_tcp.ts";
import { good, servingTls, trust } from "../support/tls.ts";

const FULL =
  /^HTTP\/1\.1 503 Service Unavailable\r\n(?=[^]*\r\nRetry-After: 5\r\n)[^]*\r\nConnection: close\r\n/;

/** Connects from another loopback address. */
async function tcpConnectFrom(localAddress: string, { port }: TcpAddr): Promise<RawTcp> {
  const client = new RawTcp(
    netConnect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true }),
  );
  onTestEnd(async () => {
    client.socket.destroy();
    await client.untilClosed();
  });
  await new Promise((resolve) => client.socket.once("connect", resolve));
  return client;
}

/** Resolves to an open client, as soon as the server has room for it. */
async function openWhenRoom(
  addr: TcpAddr,
  fields: Record<string, string> = {},
): Promise<RawWebSocket> {
  const started = performance.now();
  while (performance.now() - started < 20_000) {
    const client = await tcpConnect(addr);
    client.write(upgradeRequest(fields));
    await client.until(
      ({ text, hasEnded, isClosed }) => hasEnded || isClosed || text.includes("\r\n\r\n"),
      "an answer",
    );
    if (client.text.startsWith("HTTP/1.1 101 ")) return new RawWebSocket(client);
    client.socket.destroy();
    await delay(10);
  }
  throw new Error("there was never any room");
}

test("maxConnections: a connection to a full server gets 503 before its request", async () => {
  const { server, errors } = serving({}, { maxConnections: 2 });
  const silent = await tcpConnect(server.addr);
  const open = await openRaw(server);
  const late = await tcpConnect(server.addr);
  assertMatch(await late.untilEnd(), FULL);
  late.end();
  await late.untilClosed();
  assertEquals(late.error, undefined, "no reset that could destroy the answer");
  // Received data is discarded meanwhile.
  const eager = await tcpConnect(server.addr);
  eager.write(upgradeRequest());
  assertMatch(await eager.untilEnd(), FULL);
  assertEquals(errors.map(({ error }) => (error as HandshakeError).code), ["ERR_HANDSHAKE_FULL"]);
  // There is room when one of the two connections is closed, of either kind.
  silent.end();
  await silent.untilClosed();
  await openWhenRoom(server.addr as TcpAddr);
  open.send(closeFrame(1000));
  open.tcp.end();
  await open.tcp.untilClosed();
  await openWhenRoom(server.addr as TcpAddr);
});

test("maxConnections counts connections with responses of fetch(), and pending refusals", async () => {
  const { server } = serving({}, {
    maxConnections: 1,
    fetch: () => new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(1)) })),
  });
  const plain = await tcpConnect(server.addr);
  plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await plain.until(({ text }) => text.includes("\r\n\r\n"), "the answer's head");
  assertMatch(await (await tcpConnect(server.addr)).untilEnd(), FULL);
  plain.reset();
  const refused = await openWhenRoom(server.addr as TcpAddr);
  refused.tcp.reset();
  const bad = await (async () => {
    for (;;) {
      const client = await tcpConnect(server.addr);
      client.write("\x00");
      if (/^HTTP\/1\.1 400 /.test(await client.untilEnd())) return client;
      client.socket.destroy();
    }
  })();
  assertMatch(await (await tcpConnect(server.addr)).untilEnd(), FULL);
  bad.end();
  await openWhenRoom(server.addr as TcpAddr);
});

test("maxConnections limits silent connections, and accepts others when they are closed", async () => {
  const { server, errors } = serving({ message: (socket, message) => socket.send(message) }, {
    maxConnections: 10,
    limits: { handshakeTimeout: 60_000, closeTimeout: 60_000 },
  });
  const clients = await Promise.all(Array.from({ length: 300 }, () => tcpConnect(server.addr)));
  // 10 wait, 64 are answered, and the others are dropped, long before any timeout.
  await Promise.all(clients.slice(10).map((client) => client.untilEnd()));
  const answered = clients.filter(({ text }) => FULL.test(text)).length;
  assertEquals(answered, 64);
  assert(clients.slice(0, 10).every(({ text, hasEnded }) => text === "" && !hasEnded));
  for (const client of clients) client.socket.destroy();
  const client = await openWhenRoom(server.addr as TcpAddr);
  assertEquals(server.connections.size, 1);
  client.tcp.reset();
  const codes = errors.map(({ error }) => (error as HandshakeError).code);
  const full = codes.filter((code) => code === "ERR_HANDSHAKE_FULL").length;
  assert(full >= 1 && full <= 5, `reported ${full} times, at most once a second`);
});

test("maxConnectionsPerAddress limits each address separately", async () => {
  const { server } = serving({}, { maxConnectionsPerAddress: 2 });
  const addr = server.addr as TcpAddr;
  const first = await openRaw(server);
  await tcpConnect(addr);
  const third = await tcpConnect(addr);
  assertMatch(await third.untilEnd(), FULL);
  const other = await tcpConnectFrom("127.0.0.2", addr);
  other.write(upgradeRequest());
  await other.until(({ text }) => text.startsWith("HTTP/1.1 101 "), "the answer");
  first.tcp.reset();
  await openWhenRoom(addr);
});

test("maxConnectionsPerAddress limits the clients behind a trusted proxy", async () => {
  const { server, errors } = serving({}, {
    maxConnectionsPerAddress: 2,
    trustedProxies: ["127.0.0.1"],
    fetch: () => new Response("fine"),
  });
  const from = (address: string) => ({ "X-Forwarded-For": address });
  await openRaw(server, from("2001:db8::1"));
  const second = await openRaw(server, from("2001:db8::2"));
  for (let i = 0; i < 3; i++) {
    const third = await openRaw(server, from("2001:db8::3"));
    assertMatch(third.tcp.text, FULL);
    third.tcp.end();
    await third.tcp.untilClosed();
  }
  const plain = await tcpConnect(server.addr);
  plain.write("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8::4\r\n\r\n");
  assertMatch(await plain.untilEnd(), FULL);
  for (let i = 0; i < 3; i++) {
    const unknown = await openRaw(server);
    assertMatch(unknown.tcp.text, /^HTTP\/1\.1 101 /, "the proxy itself");
  }
  assertMatch((await openRaw(server, from("192.0.2.1"))).tcp.text, /^HTTP\/1\.1 101 /);
  assertEquals(errors.length, 4);
  second.tcp.reset();
  await openWhenRoom(server.addr as TcpAddr, from("2001:db8::5"));
});

test("maxConnectionsPerAddress limits the clients of the PROXY protocol", async () => {
  const { server, errors } = serving({}, {
    maxConnections: 3,
    maxConnectionsPerAddress: 1,
    trustedProxies: ["127.0.0.1"],
    proxyProtocol: true,
  });
  const relay = async (source: string) => {
    const client = await tcpConnect(server.addr);
    client.write(`PROXY TCP4 ${source} 127.0.0.1 4711 80\r\n${upgradeRequest()}`);
    await client.until(({ text, isClosed, hasEnded }) => isClosed || hasEnded || text !== "", "it");
    return client;
  };
  const first = await relay("192.0.2.1");
  assertMatch(first.text, /^HTTP\/1\.1 101 /);
  const second = await relay("192.0.2.1");
  assertMatch(await second.untilEnd(), FULL);
  second.end();
  await second.untilClosed();
  assertMatch((await relay("192.0.2.2")).text, /^HTTP\/1\.1 101 /);
  // Dropped connections are not counted.
  for (let i = 0; i < 5; i++) {
    const bad = await relay("oops");
    assertEquals(bad.text, "");
    bad.socket.destroy();
    await bad.untilClosed();
  }
  assertEquals(errors.length, 6);
  first.reset();
  await delay(0);
  for (let i = 0;; i++) {
    const again = await relay("192.0.2.1");
    if (again.text.startsWith("HTTP/1.1 101 ")) break;
    assert(i < 1000, "there was never any room");
    again.socket.destroy();
    await delay(10);
  }
});

test("a connection with a malformed X-Forwarded-For is counted no longer", async () => {
  const { server } = serving({}, { maxConnections: 1, trustedProxies: ["127.0.0.1"] });
  const bad = await openRaw(server, { "X-Forwarded-For": "oops" });
  assertMatch(bad.tcp.text, /^HTTP\/1\.1 400 /);
  bad.tcp.end();
  await openWhenRoom(server.addr as TcpAddr);
});

test("connect() rejects with the status and the Retry-After of the refusal", async () => {
  const { server, url } = serving({}, { maxConnections: 1 });
  await openRaw(server);
  const error = await connect(url).then(() => undefined, (error) => error);
  assert(error instanceof HandshakeError);
  assertEquals([error.status, new Map(error.headers).get("retry-after")], [503, "5"]);
});

test("maxConnections applies over TLS", async () => {
  const { server, url } = servingTls(echo, good, { maxConnections: 1 });
  const socket = await connect(url, trust);
  const error = await connect(url, trust).then(() => undefined, (error) => error);
  assert(error instanceof HandshakeError, `${error}`);
  assertEquals(error.status, 503);
  await socket.close();
  await server.shutdown();
});

test("serve checks maxConnections and maxConnectionsPerAddress", () => {
  assertThrows(() => serving({}, { maxConnections: 0 }), RangeError, "maxConnections");
});
