// Persistent HTTP connections: order, framing of responses, and when they end.
import type { ServeOptions } from "../../mod.ts";
import { assert, assertEquals, assertMatch, deadline, delay, test } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { RawHttpClient } from "../support/http_client.ts";
import { serving } from "../support/server.ts";
import { streamOf } from "../support/streams.ts";

type Fetch = NonNullable<ServeOptions["fetch"]>;

async function start(fetch: Fetch, options: ServeOptions = {}) {
  const served = serving({ message: (socket, message) => socket.send(message) }, {
    fetch,
    ...options,
  });
  return { ...served, client: await RawHttpClient.connect(served.server.addr) };
}

const pathOf = ({ url }: Request) => new URL(url).pathname;
const echoPath: Fetch = (request) => new Response(pathOf(request));

test("RFC 9112 §9.3: a connection persists, and has one response for each request", async () => {
  const { client, server, errors } = await start(echoPath);
  for (const path of ["/one", "/two", "/three"]) {
    const { status, head, body } = await client.request(`GET ${path}`);
    assertEquals([status, body], [200, path]);
    assertEquals(/\r\nconnection:/i.test(head), false);
    assertMatch(head, new RegExp(`\r\nContent-Length: ${path.length}(\r\n|$)`));
    assertMatch(head, /\r\nDate: [A-Z][a-z]{2}, \d\d /);
  }
  assertEquals([server.connections.size, errors], [0, []]);
});

test("RFC 9112 §9.3.2: pipelined requests are answered in order, though the first is slow", async () => {
  const begun: string[] = [];
  const { client } = await start(async (request) => {
    begun.push(pathOf(request));
    if (begun.length === 1) await delay(30);
    return new Response(pathOf(request));
  });
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`);
  client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  for (const path of paths) assertEquals((await client.response()).body, path);
  assertEquals(begun, paths);
});

test("requests that are cut at every byte are read alike", async () => {
  const { client } = await start(async (request) => new Response(await request.text()));
  const text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
    "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n" +
    "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const byte of text) {
    client.send(byte);
    await delay(0);
  }
  const bodies = [];
  for (let i = 0; i < 3; i++) bodies.push((await client.response()).body);
  assertEquals(bodies, ["abc", "de", ""]);
});

const ends: [what: string, request: string, fields: string][] = [
  ["Connection: close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"],
  [
    "close among other options",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
    "close",
  ],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "close"],
];
for (const [what, request, connection] of ends) {
  test(`RFC 9112 §9.3: a connection ends after the response to a request with ${what}`, async () => {
    const { client } = await start(echoPath);
    client.send(request, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    const { head, body } = await client.response();
    assertEquals(body, "/");
    assertMatch(head, new RegExp(`\r\nConnection: ${connection}(\r\n|$)`));
    assertEquals((await client.tcp.untilEnd()).match(/HTTP\/1\.1 /g)?.length, 1);
  });
}

test("RFC 9112 §9.3: HTTP/1.0 persists with keep-alive, and with a length", async () => {
  const { client } = await start(echoPath);
  for (const path of ["/one", "/two"]) {
    client.send(`GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
    const { head, body } = await client.response();
    assertEquals(body, path);
    assertMatch(head, /\r\nConnection: keep-alive(\r\n|$)/);
  }
});

test("RFC 9112 §6.1: HTTP/1.0 gets no chunks, but the end of the connection", async () => {
  async function* slowly() {
    for (const part of ["a", "b"]) {
      await delay(5);
      yield new TextEncoder().encode(part);
    }
  }
  const { client } = await start(() => new Response(streamOf(slowly())));
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const { head, body } = await client.response();
  assertEquals([body, /transfer-encoding/i.test(head)], ["ab", false]);
  assertMatch(head, /\r\nConnection: close(\r\n|$)/);
});

test("a response's own Connection: close ends the connection, and other fields of it are not sent", async () => {
  const headers = { Connection: "close", "Keep-Alive": "timeout=5", "Transfer-Encoding": "gzip" };
  const { client } = await start(() => new Response("x", { headers }));
  const { head } = await client.request("GET /");
  assertMatch(head, /\r\nConnection: close(\r\n|$)/);
  assertEquals(/keep-alive|gzip/i.test(head), false);
  await client.tcp.untilEnd();
});

test("RFC 9110 §9.3.2: HEAD has the fields of GET, no body, and persists", async () => {
  const { client } = await start(() =>
    new Response("body", { headers: { "Content-Length": "4", "X-A": "b" } })
  );
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { head } = await client.response("HEAD");
  assertMatch(head, /\r\nContent-Length: 4(\r\n|$)/);
  assertEquals((await client.response()).body, "body");
});

test("RFC 9110 §6.4.1: 204, 205 and 304 have no body, and the connection persists", async () => {
  const { client } = await start((request) =>
    new Response(null, { status: Number(pathOf(request).slice(1)) })
  );
  for (const status of [204, 304, 205, 200]) {
    const response = await client.request(`GET /${status}`);
    assertEquals([response.status, response.body], [status, ""]);
    const hasLength = /\r\nContent-Length: 0(\r\n|$)/.test(response.head);
    assertEquals(hasLength, status === 205 || status === 200);
  }
});

test("a WebSocket opens at any request of a connection", async () => {
  const { client, server } = await start(echoPath);
  assertEquals((await client.request("GET /page")).body, "/page");
  client.send(upgradeRequest(), "\x81\x82\0\0\0\0Hi");
  assertEquals((await client.response()).status, 101);
  await client.tcp.until(({ text }) => text.endsWith("\x81\x02Hi"), "the echo");
  assertEquals(server.connections.size, 1);
});

test("a WebSocket is opened after the responses to the requests before it", async () => {
  for (const isAsync of [false, true]) {
    const { client } = await start((request) =>
      isAsync ? delay(5).then(() => echoPath(request, undefined as never)) : new Response("Hello")
    );
    const gets = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    client.send(gets, upgradeRequest(), "\x81\x82\0\0\0\0Hi");
    await client.tcp.until(() => client.tcp.text.endsWith("\x81\x02Hi"), "the echo");
    const statuses = [...client.tcp.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assertEquals(statuses, ["200", "200", "200", "101"]);
  }
});

test("a client that ends its side right after a request gets the response", async () => {
  for (const count of [1, 3]) {
    const { client } = await start(() => new Response("Hello"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count));
    client.tcp.end();
    assertEquals((await client.tcp.untilEnd()).match(/Hello/g)?.length, count);
  }
});

test("shutdown() in the turn of a response sends it, and ends the connection", async () => {
  let closed: Promise<void> | undefined;
  const { client, server } = await start(() => {
    queueMicrotask(() => closed = server.shutdown());
    return new Response("Hello");
  });
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assertMatch(await client.tcp.untilEnd(), /Hello$/);
  client.tcp.end();
  await deadline(closed!, 1000, "the end of shutdown()");
});

test("a refused upgrade ends its connection", async () => {
  const { client } = await start(echoPath, {
    upgrade: () => new Response("no", { status: 401 }),
  });
  await client.request("GET /page");
  client.send(upgradeRequest(), "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  const { status, head, body } = await client.response();
  assertEquals([status, body], [401, "no"]);
  assertMatch(head, /\r\nConnection: close(\r\n|$)/);
  await client.tcp.untilEnd();
});

test("an idle connection is closed after keepAliveTimeout, without a response", async () => {
  const { client } = await start(echoPath, { limits: { keepAliveTimeout: 40 } });
  await client.request("GET /");
  const started = performance.now();
  const text = await client.tcp.untilEnd();
  assert(performance.now() - started >= 30);
  assertEquals(text.match(/HTTP\/1\.1/g)?.length, 1);
});

test("keepAliveTimeout does not cut a request whose first byte is there: handshakeTimeout does", async () => {
  const { client, errors } = await start(echoPath, {
    limits: { keepAliveTimeout: 40, handshakeTimeout: 120 },
  });
  await client.request("GET /");
  client.send("GET ");
  const { status } = await client.response();
  assertEquals(status, 408);
  assertEquals((errors[0].error as { code: string }).code, "ERR_HANDSHAKE_TIMEOUT");
});

test("shutdown closes idle connections at once, and the others after their response", async () => {
  const released = Promise.withResolvers<void>();
  const { client: idle, server } = await start(async (request) => {
    if (pathOf(request) === "/slow") await released.promise;
    return new Response(pathOf(request));
  });
  await idle.request("GET /idle");
  const busy = await RawHttpClient.connect(server.addr);
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await delay(10);
  const finished = server.shutdown();
  await deadline(idle.tcp.untilEnd(), 1000, "the end of the idle connection");
  released.resolve();
  const { head, body } = await busy.response();
  assertEquals(body, "/slow");
  assertMatch(head, /\r\nConnection: close(\r\n|$)/);
  await busy.tcp.untilEnd();
  busy.tcp.end();
  await deadline(finished, 2000, "the shutdown");
});

test("a connection that has persisted is counted by maxConnections until it ends", async () => {
  const { client, server } = await start(echoPath, { maxConnections: 1 });
  await client.request("GET /");
  const other = await RawHttpClient.connect(server.addr);
  assertEquals((await other.response()).status, 503);
  client.tcp.end();
  await client.tcp.untilEnd();
  for (let i = 0; i < 100; i++) {
    const next = await RawHttpClient.connect(server.addr);
    next.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    if ((await next.response()).status === 200) return;
    await delay(10);
  }
  throw new Error("the place is not free");
});
