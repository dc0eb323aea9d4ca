import { HeadParser } from "../../src/http/head_parser.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import type { HeaderList } from "../../src/http/header_list.ts";
import { parseRequestHead } from "../../src/http/request_head_parser.ts";
import { assert, assertEquals, assertThrows, hex, test } from "../harness.ts";
import { assertLinear, assertRefused, latin1, SAMPLE } from "../handshake/helpers.ts";

const HEAD = "ERR_HANDSHAKE_HEAD";
const TOO_LARGE = "ERR_HANDSHAKE_HEAD_TOO_LARGE";

function parse(text: string, options = {}): RequestHead {
  const parser = new RequestHeadParser(options);
  assertEquals(parser.push(latin1(text)), text.length);
  return parser.head!;
}

/** Asserts that the head fails exactly at the last byte of `text`, at any chunking. */
function assertFailsAtEnd(text: string, status = 400, code = HEAD, options = {}): void {
  const bytes = latin1(text);
  const whole = new RequestHeadParser(options);
  const error = assertRefused(() => whole.push(bytes), status, code);
  const split = new RequestHeadParser(options);
  for (let i = 0; i < bytes.length - 1; i++) {
    assertEquals(split.push(bytes.subarray(i, i + 1)), -1, `at ${i} of ${JSON.stringify(text)}`);
  }
  const late = assertRefused(() => split.push(bytes.subarray(-1)), status, code);
  assertEquals(late.message, error.message);
}

test("RequestHeadParser reads the request of RFC 6455 §1.2", () => {
  const head = parse(SAMPLE);
  assertEquals([head.method, head.target, head.minorVersion], ["GET", "/chat", 1]);
  assertEquals([...head.headers], [
    ["host", "server.example.com"],
    ["upgrade", "websocket"],
    ["connection", "Upgrade"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ["origin", "http://example.com"],
    ["sec-websocket-protocol", "chat, superchat"],
    ["sec-websocket-version", "13"],
  ]);
});

test("RequestHeadParser reads a head without header fields", () => {
  assertEquals([...parse("GET / HTTP/1.1\r\n\r\n").headers].length, 0);
});

test("RequestHeadParser.push returns -1, then how much of the chunk was the head's", () => {
  const parser = new RequestHeadParser();
  assertEquals(parser.head, null);
  assertEquals(parser.push(new Uint8Array()), -1);
  assertEquals(parser.push(latin1("GET / HT")), -1);
  assertEquals(parser.head, null);
  assertEquals(parser.push(latin1("TP/1.1\r\n\r\n\x81\x05Hello")), 10);
  assertEquals(parser.text.length, 18);
  assertEquals(parser.head?.target, "/");
});

test("RequestHeadParser.push throws InvalidStateError after the head has ended or failed", () => {
  const ended = new RequestHeadParser();
  ended.push(latin1(SAMPLE));
  assertThrows(() => ended.push(new Uint8Array(1)), DOMException, "the head has ended");
  const failed = new RequestHeadParser();
  assertRefused(() => failed.push(hex("16")), 400, HEAD);
  const error = assertThrows(() => failed.push(latin1(SAMPLE)), DOMException);
  assertEquals(error.name, "InvalidStateError");
  assertEquals(failed.head, null);
});

test("RequestHeadParser gives the same head for every cut in two", () => {
  const bytes = latin1(SAMPLE + "rest");
  const expected = [...parse(SAMPLE).headers];
  for (let cut = 0; cut < SAMPLE.length; cut++) {
    const parser = new RequestHeadParser();
    assertEquals(parser.push(bytes.subarray(0, cut)), -1);
    assertEquals(parser.push(bytes.subarray(cut)), SAMPLE.length - cut);
    assertEquals([...parser.head!.headers], expected);
    assertEquals([parser.head!.method, parser.head!.target], ["GET", "/chat"]);
  }
});

test("RequestHeadParser gives the same head byte by byte, from a buffer that is reused", () => {
  const parser = new RequestHeadParser();
  const buffer = new Uint8Array(1);
  const results = Array.from(latin1(SAMPLE), (byte) => {
    buffer[0] = byte;
    return parser.push(buffer);
  });
  assertEquals(results.pop(), 1);
  assert(results.every((result) => result === -1));
  assertEquals([...parser.head!.headers], [...parse(SAMPLE).headers]);
  assertEquals(parser.head!.target, "/chat");
});

test("RequestHeadParser gives the same head for random chunks, obs-text and all", () => {
  let text = "\r\nGET /a?b=%20|{} HTTP/1.1\r\n";
  for (let i = 0; i < 60; i++) text += `X-${i}: ${"\x80\xe9\xff\t v".repeat(i)}  \r\n`;
  text += "\r\n";
  const bytes = latin1(text);
  const expected = [...parse(text).headers];
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  for (let round = 0; round < 50; round++) {
    const parser = new RequestHeadParser();
    for (let i = 0; i < bytes.length;) {
      const end = Math.min(bytes.length, i + random(400));
      assertEquals(parser.push(bytes.subarray(i, end)), end === bytes.length ? end - i : -1);
      i = end;
    }
    assertEquals([...parser.head!.headers], expected);
    assertEquals(parser.head!.target, "/a?b=%20|{}");
  }
});

test("RequestHeadParser does not write to the chunk", () => {
  const bytes = latin1(SAMPLE);
  new RequestHeadParser().push(bytes);
  assertEquals(bytes, latin1(SAMPLE));
});

test("RequestHeadParser decodes obs-text one character for each byte", () => {
  const all = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i)).join("");
  assertEquals(parse(`GET / HTTP/1.1\r\nX: a${all}z\r\n\r\n`).headers.get("x"), `a${all}z`);
});

test("RequestHeadParser decodes obs-text in a head of more than 4096 bytes", () => {
  const long = "\xe9".repeat(10_000);
  assertEquals(parse(`GET / HTTP/1.1\r\nX: ${long}\r\n\r\n`).headers.get("x"), long);
});

test("RequestHeadParser trims SP and HTAB around values, and nothing else", () => {
  const values: [string, string][] = [
    ["a", "a"],
    [" \t a \t ", "a"],
    ["", ""],
    [" \t ", ""],
    ["a b\tc", "a b\tc"],
    [" \xa0a\xa0 ", "\xa0a\xa0"],
  ];
  for (const [raw, value] of values) {
    assertEquals(parse(`GET / HTTP/1.1\r\nX:${raw}\r\nY: z\r\n\r\n`).headers.get("x"), value);
  }
});

test("RequestHeadParser takes every tchar in method and header names", () => {
  const tchars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const head = parse(`${tchars} / HTTP/1.1\r\n${tchars}: 1\r\n\r\n`);
  assertEquals(head.method, tchars);
  assertEquals(head.headers.get(tchars), "1");
});

test("RequestHeadParser keeps names such as constructor and __proto__ apart", () => {
  const head = parse("GET / HTTP/1.1\r\n__proto__: a\r\nConstructor: b\r\n\r\n");
  assertEquals(head.headers.get("__proto__"), "a");
  assertEquals(head.headers.get("constructor"), "b");
  assertEquals(head.headers.get("toString"), null);
});

test("RequestHeadParser ignores one empty line before the request line (RFC 9112 §2.2)", () => {
  const head = parse("\r\nGET /x HTTP/1.1\r\nA: b\r\n\r\n");
  assertEquals([head.method, head.target, head.headers.get("a")], ["GET", "/x", "b"]);
  assertFailsAtEnd("\r\n\r");
  assertFailsAtEnd("\n");
  assertFailsAtEnd("\rG");
});

test("RequestHeadParser takes HTTP/1.1 and later minor versions", () => {
  for (let minor = 1; minor <= 9; minor++) {
    assertEquals(parse(`GET / HTTP/1.${minor}\r\n\r\n`).minorVersion, minor);
  }
});

test("RequestHeadParser answers 505 to another HTTP version, at its digit (RFC 6455 §4.1)", () => {
  for (const version of ["HTTP/1.0", "HTTP/0", "HTTP/2", "HTTP/3", "HTTP/9"]) {
    assertFailsAtEnd(`GET / ${version}`, 505, "ERR_HANDSHAKE_HTTP_VERSION");
  }
  assertFailsAtEnd("PRI * HTTP/2", 505, "ERR_HANDSHAKE_HTTP_VERSION");
});

test("RequestHeadParser rejects a malformed HTTP version at the byte that is wrong", () => {
  for (const start of ["h", "HTTPS", "HTTP/a", "HTTP/1,", "HTTP/1.a", "HTTP/1.11", "HTTP/1.1 "]) {
    assertFailsAtEnd(`GET / ${start}`);
  }
  assertFailsAtEnd("GET / \r");
  assertFailsAtEnd("GET /  ");
  assertFailsAtEnd("GET / HTTP/1.1\n");
});

test("RequestHeadParser rejects binary data at its first byte", () => {
  // A TLS ClientHello first; then NUL, UTF-8, LF, SP, a colon, DEL.
  for (const first of ["16 03 01", "00", "c3 a9", "0a", "20", "3a", "7f"]) {
    const parser = new RequestHeadParser();
    const error = assertRefused(() => parser.push(hex(first)), 400, HEAD, "at offset 0");
    assert(error.message.includes(`0x${first.slice(0, 2)}`));
  }
});

test("RequestHeadParser rejects what cannot be in a request-target", () => {
  for (const char of [" ", "\t", "\r", "\n", "\0", "\x7f", "\x80", "\xe9", "#"]) {
    assertFailsAtEnd(`GET ${char}`);
    if (char !== " ") assertFailsAtEnd(`GET /a${char}`);
  }
});

test("RequestHeadParser rejects a request line of two words", () => {
  assertFailsAtEnd("GET\r");
  assertFailsAtEnd("GET /\r");
  assertFailsAtEnd("GET\t");
});

test("RequestHeadParser rejects a bare LF wherever a line ends", () => {
  assertFailsAtEnd("GET / HTTP/1.1\n");
  assertFailsAtEnd("GET / HTTP/1.1\r\n\n");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\n");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA:\n");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA\n");
});

test("RequestHeadParser rejects a bare CR wherever a line ends", () => {
  assertFailsAtEnd("GET / HTTP/1.1\rA");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\rc");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\r\r");
  assertFailsAtEnd("GET / HTTP/1.1\r\n\rA");
});

test("RequestHeadParser rejects obs-fold (RFC 9112 §5.2)", () => {
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\r\n ");
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\r\n\t");
  assertFailsAtEnd("GET / HTTP/1.1\r\n ");
});

test("RequestHeadParser rejects whitespace before the colon (RFC 9112 §5.1)", () => {
  assertFailsAtEnd("GET / HTTP/1.1\r\nHost ");
  assertFailsAtEnd("GET / HTTP/1.1\r\nHost\t");
});

test("RequestHeadParser rejects a header name that is not a token, or not followed by a colon", () => {
  for (const line of [":", "(", "a(", "a\0", "a\x80", 'a"', "a\r", "a/"]) {
    assertFailsAtEnd(`GET / HTTP/1.1\r\n${line}`);
  }
});

test("RequestHeadParser rejects control characters in a header value (RFC 9110 §5.5)", () => {
  for (let code = 0; code < 0x20; code++) {
    const char = String.fromCharCode(code);
    if (char === "\t" || char === "\r") continue;
    assertFailsAtEnd(`GET / HTTP/1.1\r\nA: b${char}`);
    assertFailsAtEnd(`GET / HTTP/1.1\r\nA:${char}`);
  }
  assertFailsAtEnd("GET / HTTP/1.1\r\nA: b\x7f");
});

test("RequestHeadParser takes a head of maxHeadSize bytes and answers 431 to a longer one", () => {
  const rest = "GET / HTTP/1.1\r\nX: \r\n\r\n".length;
  const head = (size: number) => `GET / HTTP/1.1\r\nX: ${"a".repeat(size - rest)}\r\n\r\n`;
  assertEquals(parse(head(16_384)).headers.get("x")?.length, 16_384 - rest);
  assertEquals([...parse(head(100), { maxHeadSize: 100 }).headers].length, 1);
  for (const size of [16_385, 20_000]) {
    const parser = new RequestHeadParser();
    const error = assertRefused(() => parser.push(latin1(head(size))), 431, TOO_LARGE);
    assert(error.message.includes("16384"));
  }
});

test("RequestHeadParser answers 501 to a method, and 414 to a target, beyond the limit", () => {
  // RFC 9112 §3: "A server that receives a request-target longer than any URI it wishes to parse MUST
  // respond with a 414 (URI Too Long) status code"; to a longer method, "SHOULD respond with a 501".
  const options = { maxHeadSize: 64 };
  assertFailsAtEnd("A".repeat(64), 501, TOO_LARGE, options);
  assertFailsAtEnd(`GET ${"/".repeat(60)}`, 414, TOO_LARGE, options);
  assertFailsAtEnd(`GET ${"/".repeat(53)} HTTP/`, 414, TOO_LARGE, { maxHeadSize: 63 });
});

test("RequestHeadParser answers 431 at the last allowed byte, in any part of the fields", () => {
  const options = { maxHeadSize: 64 };
  for (
    const text of [
      `GET / HTTP/1.1\r\n${"a".repeat(48)}`,
      `GET / HTTP/1.1\r\nA:${" ".repeat(46)}`,
      `GET / HTTP/1.1\r\nA:${"a".repeat(46)}`,
      `GET / HTTP/1.1\r\nA:${"a".repeat(43)}\r\n\r`,
    ]
  ) {
    assertEquals(text.length, 64);
    assertFailsAtEnd(text, 431, TOO_LARGE, options);
  }
});

test("RequestHeadParser takes maxHeaders lines and answers 431 at the first byte of one more", () => {
  const lines = (n: number) => "GET / HTTP/1.1\r\n" + "A: b\r\n".repeat(n);
  assertEquals([...parse(lines(100) + "\r\n").headers].length, 100);
  assertEquals([...parse(lines(1) + "\r\n", { maxHeaders: 1 }).headers].length, 1);
  assertFailsAtEnd(lines(100) + "A", 431, TOO_LARGE);
  assertFailsAtEnd(lines(3) + "A", 431, TOO_LARGE, { maxHeaders: 3 });
});

test("RequestHeadParser takes Infinity for its limits", () => {
  const options = { maxHeadSize: Infinity, maxHeaders: Infinity };
  const text = "GET / HTTP/1.1\r\n" + "Header: value\r\n".repeat(5000) + "\r\n";
  assertEquals([...parse(text, options).headers].length, 5000);
  const parser = new RequestHeadParser(options);
  assertEquals(parser.push(latin1(text.slice(0, -1))), -1);
  assertEquals(parser.push(latin1("\n")), 1);
});

test("RequestHeadParser throws RangeError for a limit that is not a number above 0", () => {
  for (const value of [0, -1, NaN]) {
    assertThrows(() => new RequestHeadParser({ maxHeadSize: value }), RangeError, "maxHeadSize");
    assertThrows(() => new RequestHeadParser({ maxHeaders: value }), RangeError, "maxHeaders");
  }
  assertThrows(
    () => new RequestHeadParser({ maxHeaders: 1.5 }),
    RangeError,
    "Cannot use limit maxHeaders: expected an integer above 0, got 1.5",
  );
});

test("RequestHeadParser takes linear time, in one chunk and byte by byte", () => {
  const options = { maxHeadSize: Infinity, maxHeaders: Infinity };
  assertLinear((size) => {
    parse(`GET / HTTP/1.1\r\nX: a${" ".repeat(size)}\r\nY: z\r\n\r\n`, options);
  }, 10_000);
  assertLinear((size) => {
    const parser = new RequestHeadParser(options);
    const byte = latin1("a");
    for (let i = 0; i < size; i++) parser.push(byte);
  }, 10_000);
});

test("HeadParser leaves the start line to its subclass", () => {
  /** Reads one line of any content. */
  class LineParser extends HeadParser<{ line: string; headers: HeaderList }> {
    #end = 0;
    protected override scanStartLine(bytes: Uint8Array, from: number, end: number, offset: number) {
      const at = bytes.indexOf(0x0a, from);
      if (at === -1 || at >= end) return -1;
      this.#end = offset + at + 1;
      return at + 1;
    }
    protected override finish(text: string, headers: HeaderList) {
      return { line: text.slice(0, this.#end), headers };
    }
  }
  const parser = new LineParser();
  const text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  for (const char of text.slice(0, -1)) assertEquals(parser.push(latin1(char)), -1);
  assertEquals(parser.push(latin1("\n\x81")), 1);
  assertEquals(parser.head?.line, "HTTP/1.1 101 Switching Protocols\r\n");
  assertEquals(parser.head?.headers.get("upgrade"), "websocket");
});

test("RequestHeadParser.text is the head as it came, and parseRequestHead reads it again", () => {
  const parser = new RequestHeadParser();
  const text =
    "\r\nGET /caf%C3%A9?x HTTP/1.1\r\nHost: a\r\nX-Bytes: \xe9\xff\x80 \r\nX-Bytes: 2\r\n\r\n";
  assertEquals(parser.text, "");
  assertEquals(parser.push(latin1(text.slice(0, 60))), -1);
  assertEquals(parser.text, "");
  assertEquals(parser.push(latin1(text.slice(60) + "rest")), text.length - 60);
  assertEquals(parser.text, text);
  const again = parseRequestHead(parser.text);
  const { method, target, minorVersion, headers } = parser.head!;
  assertEquals([again.method, again.target, again.minorVersion], [method, target, minorVersion]);
  assertEquals([...again.headers], [...headers]);
});

test("parseRequestHead takes any head that has been let in", () => {
  const fields = Array.from({ length: 200 }, (_, i) => `X-${i}: ${"y".repeat(100)}\r\n`);
  assertEquals(
    [...parseRequestHead(`GET / HTTP/1.1\r\n${fields.join("")}\r\n`).headers].length,
    200,
  );
});

test("RequestHeadParser reads HTTP/1.0 if that is allowed", () => {
  const parser = new RequestHeadParser({ allowHttp10: true });
  assertEquals(parser.push(latin1("GET /a HTTP/1.0\r\n\r\n")), 19);
  assertEquals([parser.head!.target, parser.head!.minorVersion], ["/a", 0]);
  assertEquals(parseRequestHead(parser.text).minorVersion, 0);
  const refused = new RequestHeadParser({ allowHttp10: false });
  assertRefused(
    () => refused.push(latin1("GET /a HTTP/1.0")),
    505,
    "ERR_HANDSHAKE_HTTP_VERSION",
    "HTTP/1.0",
  );
  const older = new RequestHeadParser({ allowHttp10: true });
  assertRefused(() => older.push(latin1("GET /a HTTP/0")), 505, "ERR_HANDSHAKE_HTTP_VERSION");
});
