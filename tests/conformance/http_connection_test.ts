// RFC 9112 §9: connections, as a server must manage them. Each test quotes the clause that it checks.
import { assert, assertEquals, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { assertPersists, readOne, serveHttp, talk, talkToEnd, valuesOf } from "./http_servers.ts";
import { HANDSHAKE, RawClient } from "./raw_client.ts";

const get = (path: string, fields = "", version = "1.1") =>
  `GET ${path} HTTP/${version}\r\nHost: a\r\n${fields}\r\n`;

test('RFC 9112 §9.3: "HTTP/1.1 defaults to the use of persistent connections"', async () => {
  await using server = serveHttp();
  const [client, responses] = await talk(server, get("/a") + get("/b"), 2);
  await using _ = client;
  assertEquals(responses.map(({ body }) => body), ["GET /a ", "GET /b "]);
  assertEquals(responses.flatMap((response) => valuesOf(response, "connection")), []);
  await assertPersists(client);
});

test('RFC 9112 §9.3: HTTP/1.0 does not persist without "the "keep-alive" connection option"', async () => {
  await using server = serveHttp();
  const responses = await talkToEnd(server, get("/a", "", "1.0") + get("/b"));
  assertEquals(responses.map(({ body }) => body), ["GET /a "]);
  assertEquals(valuesOf(responses[0]!, "connection"), ["close"]);
  const [client, [kept]] = await talk(server, get("/a", "Connection: keep-alive\r\n", "1.0"));
  await using _ = client;
  assertEquals(valuesOf(kept!, "connection"), ["keep-alive"]);
  await assertPersists(client);
});

test('RFC 9112 §2.3: the version of a response is "the highest version to which the server is conformant"', async () => {
  await using server = serveHttp();
  const [response] = await talkToEnd(server, get("/a", "", "1.0"));
  assertEquals(response!.statusLine, "HTTP/1.1 200 OK");
});

for (const option of ["close", "Close", "x, close", "keep-alive, close"]) {
  test(`RFC 9112 §9.6: "A server that receives a "close" connection option MUST initiate closure of the connection after it sends the final response" (${option})`, async () => {
    await using server = serveHttp();
    // "and MUST NOT process any further requests received on that connection."
    const responses = await talkToEnd(server, get("/a", `Connection: ${option}\r\n`) + get("/b"));
    assertEquals(responses.map(({ body }) => body), ["GET /a "]);
    // "The server SHOULD send a "close" connection option in its final response".
    assertEquals(valuesOf(responses[0]!, "connection"), ["close"]);
    assertEquals(server.requests, ["GET /a "]);
  });
}

test('RFC 9112 §9.6: "A server that sends a "close" connection option MUST initiate closure", and reads no further request', async () => {
  let calls = 0;
  const headers = { Connection: "close" };
  const fetch = () => new Response(`${++calls}`, { headers });
  await using server = serveHttp({ fetch });
  const responses = await talkToEnd(server, get("/a") + get("/b"));
  assertEquals([responses.length, responses[0]!.body, calls], [1, "1", 1]);
  assertEquals(valuesOf(responses[0]!, "connection"), ["close"]);
});

test('RFC 9112 §9.6: a server "closes the connection in stages": the last response is not lost by a reset', async () => {
  await using server = serveHttp();
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(get("/a", "Connection: close\r\n")));
  // Further data arrives at the server, before and after its FIN.
  await client.write(latin1("x".repeat(100_000)));
  const { bytes, by } = await client.readToEnd();
  assertEquals(by, "FIN");
  assert(new TextDecoder().decode(bytes).endsWith("GET /a "));
  await client.write(latin1("x".repeat(1_000)));
  await client.end();
});

test('RFC 9112 §9.3.2: a server that pipelines "MUST send the corresponding responses in the same order that the requests were received"', async () => {
  const waiting: (() => void)[] = [];
  const fetch = async (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/slow") await new Promise<void>((resolve) => waiting.push(resolve));
    return new Response(pathname);
  };
  await using server = serveHttp({ fetch });
  const client = await RawClient.connect(server.port);
  await using _ = client;
  await client.write(latin1(get("/slow") + get("/fast") + get("/last")));
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(client.received.length, 0);
  waiting[0]!();
  const bodies: string[] = [];
  for (let i = 0; i < 3; i++) bodies.push((await readOne(client)).body);
  assertEquals(bodies, ["/slow", "/fast", "/last"]);
});

test('RFC 9112 §9.3: "A server MUST read the entire request message body or close the connection after sending its response"', async () => {
  await using server = serveHttp({
    fetch: (request) => new Response(new URL(request.url).pathname),
  });
  const body = get("/smuggled");
  const unread = `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const chunked = `POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const request of [unread, chunked]) {
    const text = request + get("/last", "Connection: close\r\n");
    const bodies = (await talkToEnd(server, text)).map((response) => response.body);
    assert(!bodies.includes("/smuggled"), bodies.join());
    assert(["/a,/last", "/b,/last", "/a", "/b"].includes(bodies.join()), bodies.join());
  }
});

test("RFC 9112 §9.3: a body that has not come within a while ends its connection after the response", async () => {
  await using server = serveHttp({ fetch: () => new Response("early") });
  await using client = await RawClient.connect(server.port);
  await client.write(latin1("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx"));
  const response = await readOne(client);
  assertEquals([response.body, valuesOf(response, "connection")], ["early", ["close"]]);
  await client.readToEnd();
});

test("RFC 9112 §9.5: a connection that is idle, or whose head does not go on, is ended", async () => {
  const limits = { handshakeTimeout: 100, keepAliveTimeout: 100 };
  await using server = serveHttp({ limits });
  const [idle] = await talk(server, get("/a"));
  await using _ = idle;
  const { bytes } = await idle.readToEnd();
  assertEquals(bytes.length, 0);
  const [late] = await talk(server, `${get("/a")}GET /b HTTP/1.1\r\n`);
  await using __ = late;
  assertEquals((await readOne(late)).status, 408);
});

test("RFC 9110 §7.8: a connection switches to WebSocket at any of its requests, and ignores Upgrade of HTTP/1.0", async () => {
  await using server = serveHttp();
  const [client, [first]] = await talk(server, get("/a"));
  await using _ = client;
  assertEquals(first!.body, "GET /a ");
  await client.write(latin1(HANDSHAKE));
  assertEquals((await client.readHead()).status, 101);
  const [old] = await talkToEnd(server, HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"));
  assertEquals([old!.status, old!.body], [200, "GET /chat "]);
});

test('RFC 9110 §6.6.1: "An origin server with a clock MUST generate a Date header field in all 2xx (Successful), 3xx (Redirection), and 4xx (Client Error) responses"', async () => {
  await using server = serveHttp();
  for (const request of [get("/a", "Connection: close\r\n"), "GET / HTTP/1.1\r\n\r\n"]) {
    const [response] = await talkToEnd(server, request);
    const [date = ""] = valuesOf(response!, "date");
    assert(Math.abs(Date.parse(date) - Date.now()) < 10_000, `Date: ${date}`);
    assert(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(date), date);
  }
});

test('RFC 9110 §15.2: "A server MUST NOT send a 1xx response to an HTTP/1.0 client"', async () => {
  await using server = serveHttp();
  const body = "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
  const [client, [response]] = await talk(server, `POST /a HTTP/1.0\r\n${body}`);
  await using _ = client;
  assertEquals([response!.status, response!.body], [200, "POST /a hi"]);
});

test("RFC 9110 §10.1.1: a client that expects 100-continue gets 100 before it has sent its body", async () => {
  await using server = serveHttp();
  await using client = await RawClient.connect(server.port);
  await client.write(
    latin1("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
  );
  const interim = await client.readHead();
  assertEquals([interim.status, interim.fields], [100, []]);
  await client.write(latin1("hi"));
  assertEquals((await readOne(client)).body, "POST /a hi");
  await assertPersists(client);
});
