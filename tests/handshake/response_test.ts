import {
  HandshakeError,
  upgradeRequired,
  writeErrorResponse,
  writeResponseHead,
  writeUpgradeResponse,
} from "../../src/handshake/mod.ts";
import { assert, assertEquals, assertMatch, assertThrows, test } from "../harness.ts";
import { latin1 } from "./helpers.ts";

const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const DATE = new Date("1994-11-15T08:12:31Z");

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** What must not get into a header line, each in place of a good name or value. */
const INJECTIONS = [
  "a\r\nb",
  "a\nb",
  "a\rb",
  "a\0b",
  "a\x01b",
  "a\x7fb",
  "\u2603",
  "a\r\n b",
  "\n",
];

test("writeUpgradeResponse writes the answer of RFC 6455 §1.3", () => {
  assertEquals(
    text(writeUpgradeResponse({ acceptKey: ACCEPT, protocol: "chat" })),
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: websocket\r\n" +
      "Connection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
      "Sec-WebSocket-Protocol: chat\r\n" +
      "\r\n",
  );
});

test("writeUpgradeResponse leaves out a protocol and extensions that there are not", () => {
  const bare = text(writeUpgradeResponse({ acceptKey: ACCEPT }));
  assert(!/protocol:|extensions:/i.test(bare));
  const options = { acceptKey: ACCEPT, protocol: undefined, extensions: "", headers: undefined };
  assertEquals(text(writeUpgradeResponse(options)), bare);
});

test("writeUpgradeResponse writes extensions and the caller's headers, of any kind", () => {
  const end = "Sec-WebSocket-Extensions: x; y=1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n";
  const cookies: [string, string][] = [["set-cookie", "a=1"], ["set-cookie", "b=2"]];
  for (const headers of [cookies, new Headers(cookies)]) {
    const bytes = writeUpgradeResponse({ acceptKey: ACCEPT, extensions: "x; y=1", headers });
    assert(text(bytes).endsWith(end), text(bytes));
  }
  const bytes = writeUpgradeResponse({ acceptKey: ACCEPT, headers: { "X-A": "caf\xe9", Y: "" } });
  assert(text(bytes).endsWith("\r\nX-A: caf\xe9\r\nY: \r\n\r\n"));
});

test("writeUpgradeResponse refuses headers that the handshake owns", () => {
  for (
    const name of [
      "Upgrade",
      "connection",
      "Sec-WebSocket-Accept",
      "sec-websocket-protocol",
      "SEC-WEBSOCKET-EXTENSIONS",
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Key",
      "Content-Length",
      "Transfer-Encoding",
      "Trailer",
      "Keep-Alive",
    ]
  ) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: { [name]: "x" } }),
      TypeError,
      `"${name}": the handshake writes it`,
    );
  }
});

test("writeUpgradeResponse refuses CR, LF, NUL and the like in names and values", () => {
  for (const bad of INJECTIONS) {
    const write = (options: object) => () =>
      writeUpgradeResponse({ acceptKey: ACCEPT, ...options });
    assertThrows(write({ headers: [["X", bad]] }), TypeError, "Cannot write header X");
    assertThrows(write({ headers: [[bad, "x"]] }), TypeError, "expected a token");
    assertThrows(write({ protocol: bad }), TypeError, "Cannot write subprotocol");
    assertThrows(write({ extensions: bad }), TypeError);
    assertThrows(write({ acceptKey: bad }), TypeError);
  }
  for (const name of ["", " a", "a ", "a:", "a b", "\xe9"]) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: [[name, "x"]] }),
      TypeError,
    );
  }
  assertThrows(() => writeUpgradeResponse({ acceptKey: ACCEPT, protocol: "" }), TypeError);
});

test("writeUpgradeResponse refuses header entries that are not pairs", () => {
  for (const entry of [["a"], ["a", "b", "c"], []]) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: [entry] }),
      TypeError,
      "expected [name, value]",
    );
  }
});

test("writeErrorResponse writes a whole answer that says why", () => {
  const error = new HandshakeError('Cannot accept request: method "POST", expected GET', {
    code: "ERR_HANDSHAKE_METHOD",
    status: 405,
    headers: [["Allow", "GET"]],
  });
  const head = "HTTP/1.1 405 Method Not Allowed\r\n" +
    "Allow: GET\r\n" +
    "Content-Type: text/plain; charset=utf-8\r\n" +
    "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n" +
    "Content-Length: 51\r\n" +
    "Connection: close\r\n" +
    "\r\n";
  const body = 'Cannot accept request: method "POST", expected GET\n';
  assertEquals(text(writeErrorResponse(error, { date: DATE })), head + body);
  assertEquals(text(writeErrorResponse(error, { date: DATE, omitBody: true })), head);
});

test("writeErrorResponse counts the body in bytes of UTF-8", () => {
  const error = new HandshakeError("é☃", { code: "ERR_HANDSHAKE_TEST" });
  const [head, body] = text(writeErrorResponse(error)).split("\r\n\r\n");
  assert(head.startsWith("HTTP/1.1 400 Bad Request\r\n"));
  assert(head.includes("\r\nContent-Length: 6\r\n"));
  assertEquals(new TextDecoder().decode(latin1(body)), "é☃\n");
  assert(!head.includes("Date:"));
});

test("writeErrorResponse names the reason of each status that a handshake ends with", () => {
  for (
    const [status, reason] of [
      [400, "Bad Request"],
      [403, "Forbidden"],
      [404, "Not Found"],
      [405, "Method Not Allowed"],
      [408, "Request Timeout"],
      [426, "Upgrade Required"],
      [431, "Request Header Fields Too Large"],
      [500, "Internal Server Error"],
      [503, "Service Unavailable"],
      [505, "HTTP Version Not Supported"],
      [418, ""],
    ] as const
  ) {
    const error = new HandshakeError("x", { code: "ERR_HANDSHAKE_TEST", status });
    assert(text(writeErrorResponse(error)).startsWith(`HTTP/1.1 ${status} ${reason}\r\n`));
  }
});

test("writeErrorResponse names Upgrade in Connection where it sends one (RFC 9110 §7.8)", () => {
  const lines = text(writeErrorResponse(upgradeRequired())).split("\r\n");
  assert(lines.includes("Upgrade: websocket"));
  assert(lines.includes("Connection: Upgrade, close"));
  assert(lines.includes("Sec-WebSocket-Version: 13"));
});

test("writeErrorResponse refuses invalid header fields", () => {
  const error = new HandshakeError("x", { code: "ERR_HANDSHAKE_TEST", headers: [["X", "a\r\nb"]] });
  assertThrows(() => writeErrorResponse(error), TypeError);
});

test("writeResponseHead writes a Web Response's head, with Connection: close", () => {
  const response = new Response("fine", {
    status: 201,
    statusText: "Made",
    headers: [["x-a", "b"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
  });
  const lines = text(writeResponseHead(response, { date: DATE, contentLength: 4 })).split("\r\n");
  assertEquals(lines[0], "HTTP/1.1 201 Made");
  assertEquals(lines.slice(-3), ["Connection: close", "", ""]);
  for (const line of ["x-a: b", "set-cookie: a=1", "set-cookie: b=2", "Content-Length: 4"]) {
    assert(lines.includes(line), line);
  }
  assert(lines.includes("Date: Tue, 15 Nov 1994 08:12:31 GMT"));
});

test("writeResponseHead keeps the response's own length where the caller has none", () => {
  const response = new Response(null, { headers: { "content-length": "12" } });
  assert(text(writeResponseHead(response)).includes("\r\nContent-Length: 12\r\n"));
  const known = text(writeResponseHead(response, { contentLength: 0 }));
  assert(known.includes("\r\nContent-Length: 0\r\n") && !known.includes("12"));
  assert(!text(writeResponseHead(new Response(null))).includes("Content-Length"));
});

test("writeResponseHead writes one Date", () => {
  const response = new Response(null, { headers: { date: "Thu, 01 Jan 1970 00:00:00 GMT" } });
  assert(text(writeResponseHead(response)).includes("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
  const now = text(writeResponseHead(response, { date: DATE }));
  assertEquals(now.match(/date: .*/gi), ["Date: Tue, 15 Nov 1994 08:12:31 GMT"]);
});

test("writeResponseHead sends no Content-Length with 204 (RFC 9110 §8.6)", () => {
  const response = new Response(null, { status: 204, headers: { "content-length": "0" } });
  const head = text(writeResponseHead(response, { contentLength: 0 }));
  assertEquals(head, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
});

test("writeResponseHead drops the fields that describe a connection", () => {
  const names = [
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
  ];
  const response = { status: 200, statusText: "", headers: names.map((name) => [name, "x"]) };
  assertEquals(text(writeResponseHead(response)), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
});

test("writeResponseHead throws for a status, reason or field that cannot be written", () => {
  const headers: [string, string][] = [];
  for (const status of [0, 101, 199, 600, NaN, 200.5]) {
    const response = { status, statusText: "", headers };
    assertThrows(() => writeResponseHead(response), RangeError, "expected 200 to 599");
  }
  for (const bad of INJECTIONS) {
    const reason = { status: 200, statusText: bad, headers };
    assertThrows(() => writeResponseHead(reason), TypeError, "reason phrase");
    const value = { status: 200, statusText: "", headers: [["x", bad]] };
    assertThrows(() => writeResponseHead(value), TypeError);
    const length = { status: 200, statusText: "", headers: [["content-length", bad]] };
    assertThrows(() => writeResponseHead(length), TypeError);
  }
});

test("writeErrorResponse writes Retry-After, in whole seconds", () => {
  const busy = { code: "ERR_BUSY", status: 503 };
  const answer = (retryAfter?: number) =>
    text(writeErrorResponse(new HandshakeError("busy", { ...busy, retryAfter })));
  assertMatch(answer(30), /^HTTP\/1\.1 503 Service Unavailable\r\n(.+\r\n)*Retry-After: 30\r\n/);
  assertMatch(answer(0), /\r\nRetry-After: 0\r\n/);
  assertEquals(/retry-after/i.test(answer()), false);
  for (const retryAfter of [-1, 1.5, NaN, Infinity]) {
    assertThrows(() => answer(retryAfter), RangeError);
  }
});
