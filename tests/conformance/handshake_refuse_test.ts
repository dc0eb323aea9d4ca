// RFC 6455 §4.2: requests that a server must refuse, with a whole HTTP response and the end of TCP. The
// HTTP rules are those of RFC 9110 and RFC 9112, according to which "the server MUST stop processing the client's
// handshake and return an HTTP response with an appropriate error code (such as 400 Bad Request)".
import { assertEquals, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { HANDSHAKE, RawClient } from "./raw_client.ts";
import {
  assertRefusal,
  assertRefused,
  type Changes,
  exchange,
  fieldsOf,
  request,
} from "./requests.ts";
import { echo } from "./servers.ts";

interface Refusal {
  name: string;
  changes?: Changes;
  startLine?: string;
  text?: string;
  status: number;
  /** A pattern that the response's text must match. */
  why: RegExp;
}

const KEY = "Sec-WebSocket-Key";
const VERSION = "Sec-WebSocket-Version";
const HOST = "Host: server.example.com";

/** Points 1 to 8 of RFC 6455 §4.2.1. */
const fields: Refusal[] = [
  { name: "no Host", changes: { Host: null }, status: 400, why: /Host/ },
  { name: "two Hosts", changes: { Host: ["a", "b"] }, status: 400, why: /2 Host/ },
  { name: "the same Host twice", changes: { Host: ["a", "a"] }, status: 400, why: /2 Host/ },
  { name: "an empty Host", changes: { Host: "" }, status: 400, why: /Host/ },
  { name: "a Host with a path", changes: { Host: "a/b" }, status: 400, why: /Host/ },
  { name: "a Host with a user", changes: { Host: "u@a" }, status: 400, why: /Host/ },
  { name: "a Host with a comma", changes: { Host: "a,b" }, status: 400, why: /Host/ },
  { name: "a Host with a space", changes: { Host: "a b" }, status: 400, why: /Host/ },
  { name: "a Host with port 65536", changes: { Host: "a:65536" }, status: 400, why: /Host/ },
  { name: "no Upgrade", changes: { Upgrade: null }, status: 426, why: /Upgrade: websocket/ },
  {
    name: "an Upgrade to h2c",
    changes: { Upgrade: "h2c" },
    status: 426,
    why: /Upgrade: websocket/,
  },
  { name: "an empty Upgrade", changes: { Upgrade: "" }, status: 426, why: /Upgrade: websocket/ },
  { name: "an Upgrade to websockets", changes: { Upgrade: "websockets" }, status: 426, why: /Upg/ },
  { name: "no Connection", changes: { Connection: null }, status: 400, why: /Connection/ },
  {
    name: "another Connection",
    changes: { Connection: "keep-alive" },
    status: 400,
    why: /Connecti/,
  },
  { name: "no token Upgrade", changes: { Connection: "Upgrades" }, status: 400, why: /Connection/ },
  { name: "no key", changes: { [KEY]: null }, status: 400, why: /0 Sec-WebSocket-Key/ },
  { name: "an empty key", changes: { [KEY]: "" }, status: 400, why: /Key/ },
  {
    name: "the same key twice",
    changes: { [KEY]: ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="] },
    status: 400,
    why: /2 Sec-WebSocket-Key/,
  },
  {
    name: "a key of 15 bytes",
    changes: { [KEY]: "AAAAAAAAAAAAAAAAAAAA" },
    status: 400,
    why: /Key/,
  },
  { name: "a key of 17 bytes", changes: { [KEY]: "A".repeat(23) + "=" }, status: 400, why: /Key/ },
  { name: "a key without padding", changes: { [KEY]: "A".repeat(22) }, status: 400, why: /Key/ },
  {
    name: "a key of base64url",
    changes: { [KEY]: "-".repeat(22) + "==" },
    status: 400,
    why: /Key/,
  },
  {
    name: "a key with a space",
    changes: { [KEY]: "A".repeat(21) + " ==" },
    status: 400,
    why: /Key/,
  },
  { name: "no version", changes: { [VERSION]: null }, status: 426, why: /Version/ },
  { name: "version 8", changes: { [VERSION]: "8" }, status: 426, why: /Version "8"/ },
  { name: "version 0", changes: { [VERSION]: "0" }, status: 426, why: /Version "0"/ },
  { name: "version 14", changes: { [VERSION]: "14" }, status: 426, why: /Version "14"/ },
  { name: "version 013", changes: { [VERSION]: "013" }, status: 426, why: /Version "013"/ },
  {
    name: "versions in a list",
    changes: { [VERSION]: "13, 8" },
    status: 426,
    why: /Version "13, 8"/,
  },
  {
    name: "two versions",
    changes: { [VERSION]: ["13", "8"] },
    status: 400,
    why: /2 Sec-WebSocket-V/,
  },
  { name: "13 twice", changes: { [VERSION]: ["13", "13"] }, status: 400, why: /2 Sec-WebSocket-V/ },
  {
    name: "a subprotocol twice",
    changes: { "Sec-WebSocket-Protocol": "chat, chat" },
    status: 400,
    why: /Sec-WebSocket-Protocol/,
  },
  {
    name: "a subprotocol that is no token",
    changes: { "Sec-WebSocket-Protocol": "super chat" },
    status: 400,
    why: /Sec-WebSocket-Protocol/,
  },
  {
    name: "no subprotocol in its field",
    changes: { "Sec-WebSocket-Protocol": "," },
    status: 400,
    why: /Sec-WebSocket-Protocol/,
  },
  { name: "a body", changes: { "Content-Length": "5" }, status: 400, why: /Content-Length "5"/ },
  {
    name: "a chunked body",
    changes: { "Transfer-Encoding": "chunked" },
    status: 400,
    why: /Transfer-Encoding "chunked"/,
  },
];

const POST = ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH", "get", "CONNECT"];
const startLines: Refusal[] = [
  ...POST.map((method) => ({
    name: `the method ${method}`,
    startLine: `${method} /chat HTTP/1.1`,
    status: 405,
    why: RegExp(`method "${method}"`),
  })),
  { name: "HTTP/1.0", startLine: "GET / HTTP/1.0", status: 505, why: /HTTP\/1\.0/ },
  { name: "HTTP/2.0", startLine: "GET / HTTP/2.0", status: 505, why: /HTTP\/2/ },
  { name: "HTTP/0.9", startLine: "GET / HTTP/0.9", status: 505, why: /HTTP\/0/ },
  { name: "no version of HTTP", startLine: "GET /", status: 400, why: /byte 0x0d/ },
  { name: "http in lower case", startLine: "GET / http/1.1", status: 400, why: /HTTP version/ },
  { name: "two spaces", startLine: "GET  / HTTP/1.1", status: 400, why: /request-target/ },
  { name: "no target", startLine: "GET HTTP/1.1", status: 400, why: /byte 0x0d/ },
  { name: "a space at the end", startLine: "GET / HTTP/1.1 ", status: 400, why: /HTTP version/ },
  { name: "a fragment", startLine: "GET /#top HTTP/1.1", status: 400, why: /0x23/ },
  { name: "a relative target", startLine: "GET chat HTTP/1.1", status: 400, why: /"chat"/ },
  { name: "the target *", startLine: "GET * HTTP/1.1", status: 400, why: /"\*"/ },
  { name: "a URL of another host", startLine: "GET http://b/ HTTP/1.1", status: 400, why: /http:/ },
  {
    name: "a URL of another port",
    startLine: "GET ws://server.example.com:1/ HTTP/1.1",
    status: 400,
    why: /ws:/,
  },
  { name: "a target beyond ASCII", startLine: "GET /\xe9 HTTP/1.1", status: 400, why: /0xe9/ },
  { name: "a TLS ClientHello", text: "\x16\x03\x01\x02\x00", status: 400, why: /0x16/ },
  { name: "a WebSocket frame", text: "\x81\x85", status: 400, why: /0x81/ },
  {
    name: "the preface of HTTP/2",
    text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 505,
    why: /2/,
  },
];

const lines: Refusal[] = [
  { name: "bare LF", text: HANDSHAKE.replaceAll("\r\n", "\n"), status: 400, why: /byte 0x0a/ },
  {
    name: "one bare LF",
    text: HANDSHAKE.replace(`${HOST}\r`, HOST),
    status: 400,
    why: /byte 0x0a/,
  },
  {
    name: "a bare CR",
    text: HANDSHAKE.replace(`${HOST}\r\n`, `${HOST}\rX: y\r\n`),
    status: 400,
    why: /0x58/,
  },
  {
    name: "a folded line",
    text: HANDSHAKE.replace(HOST, `X: a\r\n b\r\n${HOST}`),
    status: 400,
    why: /0x20/,
  },
  {
    name: "a fold by tab",
    text: HANDSHAKE.replace(HOST, `X: a\r\n\tb\r\n${HOST}`),
    status: 400,
    why: /0x09/,
  },
  {
    name: "a space before the colon",
    text: HANDSHAKE.replace("Host:", "Host :"),
    status: 400,
    why: /0x20/,
  },
  {
    name: "a space before the first field",
    text: HANDSHAKE.replace("Host:", " Host:"),
    status: 400,
    why: /0x20/,
  },
  {
    name: "a line without a colon",
    text: HANDSHAKE.replace(HOST, `X\r\n${HOST}`),
    status: 400,
    why: /0x0d/,
  },
  {
    name: "a line without a name",
    text: HANDSHAKE.replace(HOST, `: x\r\n${HOST}`),
    status: 400,
    why: /0x3a/,
  },
  { name: "NUL in a value", changes: { X: "a\0b" }, status: 400, why: /0x00/ },
  { name: "DEL in a value", changes: { X: "a\x7f" }, status: 400, why: /0x7f/ },
  { name: "ESC in a value", changes: { X: "a\x1b[0m" }, status: 400, why: /0x1b/ },
  { name: "a name beyond ASCII", changes: { "X-\xe9": "a" }, status: 400, why: /0xe9/ },
  { name: "a name with a bracket", changes: { "X(": "a" }, status: 400, why: /0x28/ },
  { name: "two empty lines before it", text: `\r\n\r\n${HANDSHAKE}`, status: 400, why: /0x0d/ },
  {
    name: "101 fields",
    changes: { X: Array.from({ length: 96 }, (_, i) => `${i}`) },
    status: 431,
    why: /100/,
  },
  {
    name: "a byte more than 16 KiB",
    changes: { X: "x".repeat(16_384 - request().length - 5 + 1) },
    status: 431,
    why: /16384|16,384/,
  },
  {
    name: "a target without an end",
    text: `GET /${"x".repeat(20_000)}`,
    status: 414,
    why: /16384/,
  },
  {
    name: "a name without an end",
    text: `GET / HTTP/1.1\r\n${"x".repeat(20_000)}`,
    status: 431,
    why: /16384/,
  },
];

for (
  const { name, changes, startLine, text, status, why } of [...fields, ...startLines, ...lines]
) {
  test(`RFC 6455 §4.2.1: a request with ${name} is refused with ${status}`, async () => {
    const bytes = text ?? request(changes, startLine);
    if (startLine?.startsWith("HEAD") === true) {
      await using server = echo("callbacks");
      assertRefusal(await exchange(server, bytes), status, true);
      return;
    }
    const response = await assertRefused(bytes, status, why);
    // RFC 6455 §4.4: "it MUST respond with a |Sec-WebSocket-Version| header field".
    if (status === 426) {
      assertEquals(fieldsOf(response, "sec-websocket-version"), ["13"]);
      assertEquals(fieldsOf(response, "upgrade"), ["websocket"]);
    }
    if (status === 405) assertEquals(fieldsOf(response, "allow"), ["GET"]);
  });
}

test("RFC 6455 §4.2.1: a request is refused at its first wrong byte", async () => {
  await using server = echo("callbacks");
  for (
    const text of ["\0", "GET\t", "GET / HTTP/1.0", "GET / HTTP/1.1\r\nHost\r", "GET / HTTP/1.1\n"]
  ) {
    await using client = await RawClient.connect(server.port);
    await client.write(latin1(text));
    assertRefusal(await client.readResponse(), text.endsWith("0") && text.length > 1 ? 505 : 400);
  }
});

test("RFC 6455 §4.2.1: a refusal can't be made to have lines or bytes of the client's", async () => {
  const response = await assertRefused(
    request({ [KEY]: `"\xff\t\\${"x".repeat(1000)}` }),
    400,
    /Key/,
  );
  assertEquals(response.body.length < 300, true, response.body);
});
