// RFC 6455 §4.2.2 and §10: origins, decisions of `upgrade()`, timeouts, and plain HTTP.
import { HandshakeError } from "../../mod.ts";
import { assert, assertEquals, delay, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { HANDSHAKE, RawClient, rawHandshake } from "./raw_client.ts";
import {
  assertAccepted,
  assertRefusal,
  assertRefused,
  exchange,
  fieldsOf,
  request,
} from "./requests.ts";
import { echo, type TestOptions } from "./servers.ts";

interface OriginCase {
  origin: string | string[];
  host?: string;
  origins?: TestOptions["origins"];
  status: 101 | 400 | 403;
}

// RFC 6455 §10.2: servers "SHOULD verify the |Origin| field is an origin they expect. If the origin
// indicated is unacceptable to the server, then it SHOULD respond to the WebSocket handshake with a
// reply containing HTTP 403 Forbidden status code."
const origins: OriginCase[] = [
  { origin: "http://server.example.com", status: 101 },
  { origin: "https://server.example.com", status: 101 },
  { origin: "http://SERVER.example.com:80", status: 101 },
  { origin: "http://server.example.com:8080", host: "server.example.com:8080", status: 101 },
  { origin: "http://server.example.com:8080", status: 403 },
  { origin: "http://server.example.com", host: "server.example.com:8080", status: 403 },
  { origin: "http://example.com", status: 403 },
  { origin: "http://evil-server.example.com", status: 403 },
  { origin: "http://server.example.com.evil.com", status: 403 },
  { origin: "http://server.example.com@evil.com", status: 403 },
  { origin: "ftp://server.example.com", status: 403 },
  { origin: "null", status: 403 },
  { origin: "", status: 403 },
  { origin: "server.example.com", status: 403 },
  { origin: "http://server.example.com/", status: 403 },
  { origin: "http://server.example.com http://other.com", status: 403 },
  { origin: ["http://server.example.com", "http://other.com"], status: 400 },
  { origin: "https://a.com", origins: ["https://a.com", "https://b.com"], status: 101 },
  { origin: "https://a.com:443", origins: ["https://a.com"], status: 101 },
  { origin: "http://a.com", origins: ["https://a.com"], status: 403 },
  { origin: "https://a.com:444", origins: ["https://a.com"], status: 403 },
  { origin: "null", origins: ["null"], status: 101 },
  { origin: "anything at all", origins: "*", status: 101 },
  { origin: "https://a.com", origins: (origin) => origin === "https://a.com", status: 101 },
  { origin: "https://a.com", origins: () => false, status: 403 },
];

for (const { origin, host = "server.example.com", origins: policy, status } of origins) {
  const welcome = policy === undefined
    ? "by default"
    : `with origins ${typeof policy === "function" ? policy : JSON.stringify(policy)}`;
  test(`RFC 6455 §10.2: Origin ${JSON.stringify(origin)} at ${host} is ${status} ${welcome}`, async () => {
    const text = request({ Origin: origin, Host: host });
    const options: TestOptions = policy === undefined ? {} : { origins: policy };
    if (status === 101) await assertAccepted(text, options);
    else await assertRefused(text, status, /[Oo]rigin/, options);
  });
}

test("RFC 6455 §10.2: with scheme https, a page of the same host by http is refused", async () => {
  const options: TestOptions = { scheme: "https" };
  await assertRefused(request({ Origin: "http://server.example.com" }), 403, /[Oo]rigin/, options);
  await assertAccepted(request({ Origin: "https://server.example.com" }), options);
});

const SLOW = { handshakeTimeout: 60 };

for (const [name, bytes] of [["nothing", ""], ["half a head", HANDSHAKE.slice(0, 80)]] as const) {
  test(`RFC 6455 §4.2: a client that sends ${name} within handshakeTimeout gets 408`, async () => {
    await using server = echo("callbacks", { limits: SLOW });
    const start = performance.now();
    const response = await exchange(server, bytes);
    assertRefusal(response, 408);
    const took = performance.now() - start;
    assert(took >= 55 && took < 1500, `took ${took} ms`);
  });
}

test("RFC 6455 §4.2: a client that sends a byte now and then gets 408, too", async () => {
  await using server = echo("callbacks", { limits: SLOW });
  await using client = await RawClient.connect(server.port);
  for (const byte of latin1(HANDSHAKE)) {
    await client.write(new Uint8Array([byte]));
    await delay(5);
    if (client.received.length > 0) break;
  }
  assertRefusal(await client.readResponse(), 408);
});

test("RFC 6455 §4.2: a client that never ends TCP after a refusal is dropped after closeTimeout", async () => {
  await using server = echo("callbacks", { limits: { closeTimeout: 60 } });
  await using client = await RawClient.connect(server.port);
  await client.write(latin1("\0"));
  assertRefusal(await client.readResponse(), 400);
  const start = performance.now();
  // The server has dropped the connection, so TCP responds with a reset.
  await client.drop();
  assert(performance.now() - start >= 50);
});

for (const end of ["lets the client in", "throws"]) {
  test(`RFC 6455 §4.2: an upgrade() that takes too long is 503, and then ${end}`, async () => {
    let isOpen = false;
    const late = Promise.withResolvers<void>();
    await using server = echo("callbacks", {
      limits: SLOW,
      async upgrade() {
        await late.promise;
        isOpen = true;
        if (end === "throws") throw new Error("too late");
        return {};
      },
    });
    const response = await exchange(server, request());
    assertRefusal(response, 503);
    assertEquals(isOpen, false);
    late.resolve();
    await delay(20);
    assertEquals(isOpen, true);
    assertEquals(server.server.connections.size, 0);
  });
}

const BOOM = new Error("secret");
const throwers = [
  ["throws", () => {
    throw BOOM;
  }],
  ["rejects", () => Promise.reject(BOOM)],
  ["rejects later", () => delay(5).then(() => Promise.reject(BOOM))],
  ["names a subprotocol that is not offered", () => ({ protocol: "mega" })],
  ["sets a field of the handshake's own", () => ({ headers: { "Sec-WebSocket-Accept": "x" } })],
  ["sets Connection", () => ({ headers: { connection: "close" } })],
  ["sets Content-Length", () => ({ headers: { "Content-Length": "0" } })],
  ["sets a field with a line end", () => ({ headers: { "X-A": "a\r\nX-B: b" } })],
] as const;

for (const [name, upgrade] of throwers) {
  test(`RFC 6455 §4.2.2: an upgrade() that ${name} is 500, and onError is told why`, async () => {
    await using server = echo("callbacks", { upgrade });
    const response = await exchange(server, request());
    assertRefusal(response, 500);
    assert(!response.body.includes("secret"));
    assertEquals(server.errors.length, 1);
    const [error] = server.errors;
    assert(error === BOOM || error instanceof TypeError, `${error}`);
    assertEquals(server.server.connections.size, 0);
  });
}

test("RFC 6455 §4.2.2: an upgrade() that throws a HandshakeError chooses the status", async () => {
  const error = new HandshakeError("Cannot accept handshake: full", {
    code: "ERR_FULL",
    status: 429,
    headers: [["Retry-After", "30"]],
  });
  await using server = echo("callbacks", {
    upgrade() {
      throw error;
    },
  });
  const response = await exchange(server, request());
  assertEquals(response.statusLine, "HTTP/1.1 429 Too Many Requests");
  assertRefusal(response, 429);
  assertEquals(fieldsOf(response, "retry-after"), ["30"]);
  assertEquals(server.errors, [error]);
});

// RFC 6455 §4.2.2: "The server can perform additional client authentication, for example, by returning a
// 401 status code", "The server MAY redirect the client using a 3xx status code".
for (const wait of [undefined, 5]) {
  test(`RFC 6455 §4.2.2: upgrade() refuses with a Response, ${wait === undefined ? "at once" : "later"}`, async () => {
    const respond = () =>
      new Response("who are you?", { status: 401, headers: { "WWW-Authenticate": "Basic" } });
    await using server = echo("callbacks", {
      upgrade: wait === undefined ? respond : () => delay(wait).then(respond),
    });
    const response = await exchange(server, request());
    assertEquals(response.statusLine, "HTTP/1.1 401 Unauthorized");
    assertEquals(fieldsOf(response, "www-authenticate"), ["Basic"]);
    assertEquals(fieldsOf(response, "connection"), ["close"]);
    assertEquals(response.body, "who are you?");
    assertEquals(server.server.connections.size, 0);
    assertEquals(server.errors, []);
  });
}

test("RFC 6455 §4.2.2: upgrade() redirects with an empty Response", async () => {
  await using server = echo("callbacks", { upgrade: () => Response.redirect("http://b/", 307) });
  const response = await exchange(server, request());
  assertEquals(response.statusLine, "HTTP/1.1 307 Temporary Redirect");
  assertEquals(fieldsOf(response, "location"), ["http://b/"]);
  assertEquals(fieldsOf(response, "content-length"), ["0"]);
  assertEquals(response.body, "");
});

test("RFC 6455 §4.2.2: upgrade() tells that there is no such resource", async () => {
  // RFC 6455 §4.2.2: "If the requested service is not available, the server MUST send an appropriate
  // HTTP error code (such as 404 Not Found) and abort the WebSocket handshake."
  await using server = echo("callbacks", {
    upgrade: ({ url }) =>
      new URL(url).pathname === "/chat" ? {} : new Response("no such room", { status: 404 }),
  });
  const response = await exchange(server, request({}, "GET /other HTTP/1.1"));
  assertEquals([response.statusLine, response.body], ["HTTP/1.1 404 Not Found", "no such room"]);
  await using client = await rawHandshake(server.port);
  assertEquals(client.ending, undefined);
});

test("RFC 6455 §4.2.2: upgrade() is told of the request, and adds fields and data", async () => {
  let seen: unknown;
  await using server = echo("callbacks", {
    upgrade(request, { remoteAddr, protocols }) {
      const { hostname } = remoteAddr as { hostname: string };
      seen = [request.method, request.url, request.headers.get("cookie"), hostname, protocols];
      return { headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]], data: 42 };
    },
  });
  await using client = await RawClient.connect(server.port);
  const fields = { Cookie: "c=3", "Sec-WebSocket-Protocol": "x, y" };
  await client.write(latin1(request(fields, "GET /chat?room=1 HTTP/1.1")));
  assertEquals(fieldsOf(await client.readHead(), "set-cookie"), ["a=1", "b=2"]);
  const url = "http://server.example.com/chat?room=1";
  assertEquals(seen, ["GET", url, "c=3", "127.0.0.1", ["x", "y"]]);
  const socket = await server.socket;
  assertEquals([socket.data, socket.request.url], [42, url]);
});

test("RFC 6455 §4.2.1: upgrade() is not asked about a request that is refused", async () => {
  let asked = 0;
  const upgrade = () => void asked++;
  await using server = echo("callbacks", { upgrade });
  for (
    const changes of [{ Origin: "http://evil.com" }, { Connection: "close" }, { Upgrade: null }]
  ) {
    assert((await exchange(server, request(changes))).status >= 400);
  }
  assertEquals(asked, 0);
});

const PLAIN = "/page HTTP/1.1\r\nHost: a\r\n";
const CLOSE = "Connection: close\r\n";

const page: TestOptions = {
  fetch: (request) => new Response(`${request.method} ${request.url}`, { headers: { "X-A": "b" } }),
};

test("RFC 6455 §4.2: plain GET and HEAD are for fetch()", async () => {
  await using server = echo("callbacks", page);
  const url = `http://127.0.0.1:${server.port}/page?x=1`;
  const get = await fetch(url);
  assertEquals([get.status, get.headers.get("x-a")], [200, "b"]);
  assertEquals(await get.text(), `GET ${url}`);
  const head = await fetch(url, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("x-a"), await head.text()], [200, "b", ""]);
  const raw = await exchange(server, `GET ${PLAIN}${CLOSE}Content-Length: 0\r\n\r\n`);
  assertEquals([raw.statusLine, raw.body], ["HTTP/1.1 200 OK", "GET http://a/page"]);
  assertEquals(fieldsOf(raw, "connection"), ["close"]);
});

test("RFC 6455 §4.2: fetch() may send any length, and none", async () => {
  await using server = echo("callbacks", {
    fetch: ({ url }) =>
      url.endsWith("/long")
        ? new Response(new Uint8Array(3_000_000).fill(0x61))
        : new Response(null, { status: 204 }),
  });
  const long = await exchange(server, `GET /long HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`);
  assertEquals([long.status, long.body.length], [200, 3_000_000]);
  const none = await exchange(server, `GET ${PLAIN}${CLOSE}\r\n`);
  assertEquals([none.status, none.body], [204, ""]);
  assertEquals(fieldsOf(none, "content-length"), []);
});

test("RFC 6455 §4.2: a fetch() that throws is 500, and onError is told", async () => {
  await using server = echo("callbacks", { fetch: () => Promise.reject(BOOM) });
  const response = await exchange(server, `GET ${PLAIN}${CLOSE}\r\n`);
  assertEquals(response.status, 500);
  assert(!response.body.includes("secret"));
  assertEquals(server.errors, [BOOM]);
});

const plain = [
  ["GET without fetch()", `GET ${PLAIN}\r\n`, 426, {}],
  ["HEAD without fetch()", `HEAD ${PLAIN}\r\n`, 426, {}],
  ["POST without fetch()", `POST ${PLAIN}\r\n`, 405, {}],
  ["GET with a body", `GET ${PLAIN}Content-Length: 1\r\n\r\nx`, 400, page],
  ["GET with chunks", `GET ${PLAIN}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, page],
  ["GET of HTTP/1.0 without fetch()", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505, {}],
  ["TRACE", `TRACE ${PLAIN}\r\n`, 501, page],
  ["GET without a Host", "GET / HTTP/1.1\r\n\r\n", 400, page],
] as const;

for (const [name, text, status, options] of plain) {
  test(`RFC 6455 §4.2: plain ${name} is refused with ${status}`, async () => {
    await using server = echo("callbacks", options);
    const response = await exchange(server, text);
    assertRefusal(response, status, text.startsWith("HEAD"));
    if (status === 426) assertEquals(fieldsOf(response, "sec-websocket-version"), ["13"]);
  });
}
