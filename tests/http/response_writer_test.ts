import { upgradeRequired } from "../../src/handshake/upgrade_request.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { writeErrorResponse, writeResponseHead } from "../../src/http/response_writer.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { fromLatin1, latin1 } from "../support/bytes.ts";

const DATE = new Date("1994-11-15T08:12:31Z");

/** Texts that must be refused as the name and as the value of a field. */
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
  assertEquals(fromLatin1(writeErrorResponse(error, { date: DATE })), head + body);
  assertEquals(fromLatin1(writeErrorResponse(error, { date: DATE, omitBody: true })), head);
});

test("writeErrorResponse counts the body in bytes of UTF-8", () => {
  const error = new HandshakeError("é☃", { code: "ERR_HANDSHAKE_TEST" });
  const [head, body] = fromLatin1(writeErrorResponse(error)).split("\r\n\r\n");
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
    assert(fromLatin1(writeErrorResponse(error)).startsWith(`HTTP/1.1 ${status} ${reason}\r\n`));
  }
});

test("writeErrorResponse names Upgrade in Connection where it sends one (RFC 9110 §7.8)", () => {
  const lines = fromLatin1(writeErrorResponse(upgradeRequired())).split("\r\n");
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
  const lines = fromLatin1(writeResponseHead(response, { date: DATE, contentLength: 4 })).split(
    "\r\n",
  );
  assertEquals(lines[0], "HTTP/1.1 201 Made");
  assertEquals(lines.slice(-3), ["Connection: close", "", ""]);
  for (const line of ["x-a: b", "set-cookie: a=1", "set-cookie: b=2", "Content-Length: 4"]) {
    assert(lines.includes(line), line);
  }
  assert(lines.includes("Date: Tue, 15 Nov 1994 08:12:31 GMT"));
});

test("writeResponseHead keeps the response's own length where the caller has none", () => {
  const response = new Response(null, { headers: { "content-length": "12" } });
  assert(fromLatin1(writeResponseHead(response)).includes("\r\nContent-Length: 12\r\n"));
  const known = fromLatin1(writeResponseHead(response, { contentLength: 0 }));
  assert(known.includes("\r\nContent-Length: 0\r\n") && !known.includes("12"));
  assert(!fromLatin1(writeResponseHead(new Response(null))).includes("Content-Length"));
});

test("writeResponseHead writes one Date", () => {
  const response = new Response(null, { headers: { date: "Thu, 01 Jan 1970 00:00:00 GMT" } });
  assert(
    fromLatin1(writeResponseHead(response)).includes("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
  );
  const now = fromLatin1(writeResponseHead(response, { date: DATE }));
  assertEquals(now.match(/date: .*/gi), ["Date: Tue, 15 Nov 1994 08:12:31 GMT"]);
});

test("writeResponseHead sends no Content-Length with 204 (RFC 9110 §8.6)", () => {
  const response = new Response(null, { status: 204, headers: { "content-length": "0" } });
  const head = fromLatin1(writeResponseHead(response, { contentLength: 0 }));
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
  assertEquals(
    fromLatin1(writeResponseHead(response)),
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
  );
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

test("writeErrorResponse writes Retry-After, with and without a body", () => {
  const error = new HandshakeError("full", {
    code: "ERR_HANDSHAKE_BUSY",
    status: 503,
    retryAfter: 30,
  });
  for (const omitBody of [false, true]) {
    const answer = fromLatin1(writeErrorResponse(error, { omitBody }));
    assert(answer.startsWith("HTTP/1.1 503 Service Unavailable\r\n"), answer);
    assertEquals(answer.match(/\r\nRetry-After: 30\r\n/g)?.length, 1);
  }
  const other = new HandshakeError("no", { code: "ERR_HANDSHAKE_TEST" });
  assert(!fromLatin1(writeErrorResponse(other)).includes("Retry-After"));
});

test("writeResponseHead writes the framing that it is given, instead of the response's length", () => {
  const response = new Response(null, { headers: { "content-length": "12" } });
  const framing = { sendsBody: true, isChunked: false, endsByClose: false, contentLength: 5 };
  const known = fromLatin1(writeResponseHead(response, { framing }));
  assertEquals(known.match(/content-length: .*|transfer-encoding: .*/gi), ["Content-Length: 5"]);
  const chunked = { ...framing, isChunked: true, contentLength: undefined };
  const unknown = fromLatin1(writeResponseHead(response, { framing: chunked }));
  assertEquals(
    unknown.match(/content-length: .*|transfer-encoding: .*/gi),
    ["Transfer-Encoding: chunked"],
  );
  const byClose = { ...framing, endsByClose: true, contentLength: undefined };
  assert(
    !/content-length|transfer-encoding/i.test(fromLatin1(writeResponseHead(response, {
      framing: byClose,
    }))),
  );
});

test("writeResponseHead writes the connection option that it is given", () => {
  const line = (connection: "" | "close" | "keep-alive" | undefined, headers = {}) =>
    fromLatin1(writeResponseHead(new Response(null, { headers }), { connection })).match(
      /connection: .*/i,
    )?.[0];
  assertEquals(line(undefined), "Connection: close");
  assertEquals(line("close"), "Connection: close");
  assertEquals(line("keep-alive"), "Connection: keep-alive");
  assertEquals(line(""), undefined);
  assertEquals(line("", { upgrade: "websocket" }), "Connection: Upgrade");
  assertEquals(line("close", { upgrade: "websocket" }), "Connection: Upgrade, close");
});
