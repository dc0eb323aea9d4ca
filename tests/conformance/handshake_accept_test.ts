// RFC 6455 §4.2: requests that a server must accept, and its responses. Also §4.1 from the server's
// side, §9.1 and §1.9.
import { createHash } from "node:crypto";
import { assertEquals, test } from "../harness.ts";
import { HANDSHAKE } from "./raw_client.ts";
import { assertAccepted, assertRefused, type Changes, fieldsOf, request } from "./requests.ts";

const keys = [
  ["RFC 6455 §1.3's key", "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
  ["a key with + and /", "sN9cRrP/n9NdMgdcy2VJFQ==", "fFBooB7FAkLlXgRSz0BT3v4hq5s="],
  // Its last character has bits that are not part of the 16 bytes.
  ["RFC 6455 §4.1's example of a key", "AQIDBAUGBwgJCgsMDQ4PEC==", undefined],
  ["a key of zeros", "AAAAAAAAAAAAAAAAAAAAAA==", undefined],
  ["a key of ones", "/////////////////////w==", undefined],
] as const;

for (const [name, key, accept] of keys) {
  // RFC 6455 §4.2.2: the value "is constructed by concatenating" the key and the GUID, "taking the
  // SHA-1 hash of this concatenated value", "and base64-encoding".
  test(`RFC 6455 §4.2.2: Sec-WebSocket-Accept for ${name}`, async () => {
    const head = await assertAccepted(request({ "Sec-WebSocket-Key": key }));
    const hash = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    const expected = hash.digest("base64");
    assertEquals(fieldsOf(head, "sec-websocket-accept"), [expected]);
    if (accept !== undefined) assertEquals(expected, accept);
  });
}

test("RFC 6455 §1.3: the opening handshake of the overview", async () => {
  const head = await assertAccepted(
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
      "Sec-WebSocket-Version: 13\r\n\r\n",
    { origins: ["http://example.com"], protocols: ["chat"] },
  );
  assertEquals(fieldsOf(head, "sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
  assertEquals(fieldsOf(head, "sec-websocket-protocol"), ["chat"]);
});

interface Variant {
  name: string;
  /** The quoted clause of the RFC, if there is one. */
  rule?: string;
  changes?: Changes;
  startLine?: string;
  text?: string;
}

const CASE = "treated as an ASCII case-insensitive value";
const variants: Variant[] = [
  { name: "a body of no bytes", changes: { "Content-Length": "0" } },
  { name: "WebSocket in mixed case", rule: CASE, changes: { Upgrade: "WebSocket" } },
  { name: "WEBSOCKET in upper case", rule: CASE, changes: { Upgrade: "WEBSOCKET" } },
  { name: "upgrade in lower case", rule: CASE, changes: { Connection: "upgrade" } },
  { name: "UPGRADE in upper case", rule: CASE, changes: { Connection: "UPGRADE" } },
  {
    name: "keep-alive before Upgrade",
    rule: 'A |Connection| header field that includes the token "Upgrade"',
    changes: { Connection: "keep-alive, Upgrade" },
  },
  { name: "keep-alive after Upgrade", changes: { Connection: "Upgrade,keep-alive" } },
  {
    name: "empty Sec-WebSocket-Protocol and -Extensions",
    changes: { "Sec-WebSocket-Protocol": "", "Sec-WebSocket-Extensions": "" },
  },
  { name: "empty elements in Connection", changes: { Connection: ", ,Upgrade ,, " } },
  { name: "Connection in two lines", changes: { Connection: ["keep-alive", "Upgrade"] } },
  { name: "websocket among others in Upgrade", changes: { Upgrade: "h2c, websocket" } },
  { name: "Upgrade in two lines", changes: { Upgrade: ["h2c", "websocket"] } },
  { name: "field names in lower case", text: HANDSHAKE.replaceAll(/^[\w-]+:/gm, lower) },
  { name: "field names in upper case", text: HANDSHAKE.replaceAll(/^[\w-]+:/gm, upper) },
  { name: "no space after the colons", text: HANDSHAKE.replaceAll(/(?<=^[\w-]+): /gm, ":") },
  { name: "tabs after the colons", text: HANDSHAKE.replaceAll(/(?<=^[\w-]+): /gm, ":\t ") },
  { name: "space after the values", text: HANDSHAKE.replaceAll(/(?<=: .*)\r\n/g, " \t \r\n") },
  {
    name: "its fields in another order",
    rule: "the order of the header fields is not important",
    text: request().replace(
      /(?<=1\.1\r\n)[^]*(?=\r\n\r\n)/,
      (fields) => fields.split("\r\n").reverse().join("\r\n"),
    ),
  },
  {
    name: "fields that are unknown",
    rule: "Optionally, other header fields, such as those used to send cookies",
    changes: { Cookie: "a=b; c=d", "X-Empty": "", "!#$%&'*+-.^_`|~": "\xff", Age: ["1", "2"] },
  },
  { name: "an empty line before it", text: `\r\n${HANDSHAKE}` },
  { name: "HTTP/1.2", rule: "An HTTP/1.1 or higher GET request", startLine: "GET / HTTP/1.2" },
  { name: "a query", startLine: "GET /chat?room=1&x=%20/?|{} HTTP/1.1" },
  {
    name: "an absolute http URL",
    rule:
      "be an absolute http/https URI that, when parsed, has a /resource name/, /host/, and /port/",
    startLine: "GET http://server.example.com/chat HTTP/1.1",
  },
  { name: "an absolute ws URL", startLine: "GET ws://SERVER.example.com:80 HTTP/1.1" },
  { name: "a Host with a port", changes: { Host: "server.example.com:8080" } },
  { name: "a Host of an IPv4 address", changes: { Host: "127.0.0.1:80" } },
  { name: "a Host of an IPv6 address", changes: { Host: "[::1]:8080" } },
  {
    name: "100 header fields",
    changes: { "X-Field": Array.from({ length: 95 }, (_, i) => `${i}`) },
  },
  { name: "16 KiB", changes: { "X-Long": "x".repeat(16_384 - request().length - 10) } },
];

function lower(name: string): string {
  return name.toLowerCase();
}

function upper(name: string): string {
  return name.toUpperCase();
}

for (const { name, changes, startLine, text } of variants) {
  test(`RFC 6455 §4.2.1: a request with ${name} is accepted`, async () => {
    await assertAccepted(text ?? request(changes, startLine));
  });
}

test("RFC 6455 §4.2.2: a 101 alone names neither a subprotocol nor an extension", async () => {
  const head = await assertAccepted(request());
  assertEquals(head.fields.map(([name]) => name).sort(), [
    "connection",
    "sec-websocket-accept",
    "upgrade",
  ]);
});

interface Subprotocol {
  name: string;
  offered: string | string[] | null;
  supported: string[];
  chosen?: string;
}

const subprotocols: Subprotocol[] = [
  { name: "the one that is offered", offered: "chat", supported: ["chat"], chosen: "chat" },
  {
    name: "the server's favourite",
    offered: "v1, v2,v3",
    supported: ["v3", "v2"],
    chosen: "v3",
  },
  { name: "one of two lines", offered: ["v1", "v2"], supported: ["v2"], chosen: "v2" },
  { name: "one between empty elements", offered: ", ,v2,", supported: ["v2"], chosen: "v2" },
  // RFC 6455 §4.2.2: if the server agrees to none, "it MUST NOT send back a |Sec-WebSocket-Protocol|
  // header field in its response".
  { name: "none, as none is supported", offered: "chat", supported: [] },
  { name: "none, as another is supported", offered: "chat", supported: ["superchat"] },
  { name: "none, as they differ in case", offered: "Chat", supported: ["chat"] },
  // RFC 6455 §4.2.2: "The value chosen MUST be derived from the client's handshake".
  { name: "none, as none is offered", offered: null, supported: ["chat"] },
];

for (const { name, offered, supported, chosen } of subprotocols) {
  test(`RFC 6455 §4.2.2: the subprotocol is ${name}`, async () => {
    const text = request({ "Sec-WebSocket-Protocol": offered });
    const expected = chosen === undefined ? [] : [chosen];
    const head = await assertAccepted(text, { protocols: supported });
    assertEquals(fieldsOf(head, "sec-websocket-protocol"), expected);
    const decided = await assertAccepted(text, {
      upgrade: (_, { protocols }) => ({
        protocol: supported.find((protocol) => protocols.includes(protocol)),
      }),
    });
    assertEquals(fieldsOf(decided, "sec-websocket-protocol"), expected);
  });
}

for (const offered of [null, "chat, superchat"]) {
  test(`RFC 6455 §4.2.2: upgrade() can't choose what is not in ${offered}: 500`, async () => {
    await assertRefused(request({ "Sec-WebSocket-Protocol": offered }), 500, /unexpected/, {
      upgrade: (request) => request.url.endsWith("/other") ? {} : ({ protocol: "mega" }),
      origins: "*",
    }, request({}, "GET /other HTTP/1.1"));
  });
}

// RFC 6455 §9: "A server MUST NOT respond with any extension not requested by the client." §4.2.2: "The
// absence of such a field is equivalent to the null value": without any, there is no field.
const extensions = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  'permessage-deflate; client_max_window_bits="15"; server_no_context_takeover',
  "x-unknown; a=1; b, x-other;c = d ,,",
  String.raw`x-unknown; a="quo\ted"`,
  "permessage-deflate, permessage-deflate; client_max_window_bits=8, x-webkit-deflate-frame",
];

for (const offered of extensions) {
  test(`RFC 6455 §9.1: the extensions ${offered} are not accepted`, async () => {
    const head = await assertAccepted(request({ "Sec-WebSocket-Extensions": offered }));
    assertEquals(fieldsOf(head, "sec-websocket-extensions"), []);
  });
}

test("RFC 6455 §9.1: extensions may be offered in several lines", async () => {
  const lines = ["permessage-deflate", "x-one; a", 'x-two; b="c"'];
  const head = await assertAccepted(request({ "Sec-WebSocket-Extensions": lines }));
  assertEquals(fieldsOf(head, "sec-websocket-extensions"), []);
});

// RFC 6455 §9.1: "the recipient of such malformed data MUST immediately _Fail the WebSocket
// Connection_", which is a 400 during the handshake.
const malformed = [
  ["nothing between commas", ","],
  ["no name", "; a=1"],
  ["no parameter", "x;"],
  ["no value", "x; a="],
  ["a quote that does not end", 'x; a="b'],
  ["a quoted value that is no token", 'x; a="b c"'],
  ["an empty quoted value", 'x; a=""'],
  ["two values", "x; a=b=c"],
  ["a space in a name", "x y"],
  ["a bracket", "x, (y)"],
  ["a byte beyond ASCII", "x; a=\xe9"],
] as const;

for (const [name, value] of malformed) {
  test(`RFC 6455 §9.1: extensions with ${name} are refused with 400`, async () => {
    await assertRefused(
      request({ "Sec-WebSocket-Extensions": value }),
      400,
      /Sec-WebSocket-Extensions/,
    );
  });
}
