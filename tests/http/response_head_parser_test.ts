import { HandshakeError } from "../../src/http/errors.ts";
import { ResponseHeadParser } from "../../src/http/response_head_parser.ts";
import type { ResponseHead } from "../../src/http/response_head_parser.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { assertRefused, latin1 } from "../handshake/helpers.ts";

/** The bytes of the response of RFC 6455 §1.3. */
const SAMPLE = "HTTP/1.1 101 Switching Protocols\r\n" +
  "Upgrade: websocket\r\n" +
  "Connection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
  "Sec-WebSocket-Protocol: chat\r\n" +
  "\r\n";

function parse(text: string): ResponseHead {
  const parser = new ResponseHeadParser();
  assertEquals(parser.push(latin1(text)), text.length);
  return parser.head!;
}

/** The status line, without the header fields. */
function statusLine({ status, reason, minorVersion }: ResponseHead) {
  return [minorVersion, status, reason];
}

test("ResponseHeadParser reads the answer of RFC 6455 §1.3, and leaves what follows", () => {
  const parser = new ResponseHeadParser();
  assertEquals(parser.push(latin1(`${SAMPLE}\x81\x00`)), SAMPLE.length);
  const head = parser.head!;
  assertEquals(statusLine(head), [1, 101, "Switching Protocols"]);
  assertEquals(head.headers.get("Upgrade"), "websocket");
  assertEquals([...head.headers].length, 4);
});

test("ResponseHeadParser reads the same from chunks that are cut anywhere", () => {
  const bytes = latin1(SAMPLE);
  for (let cut = 1; cut < bytes.length; cut++) {
    const parser = new ResponseHeadParser();
    assertEquals(parser.push(bytes.subarray(0, cut)), -1);
    assertEquals(parser.push(bytes.subarray(cut)), bytes.length - cut);
    assertEquals(statusLine(parser.head!), [1, 101, "Switching Protocols"]);
    assertEquals(parser.head!.headers.get("sec-websocket-protocol"), "chat");
  }
  const parser = new ResponseHeadParser();
  for (const byte of bytes.subarray(0, -1)) assertEquals(parser.push(new Uint8Array([byte])), -1);
  assertEquals(parser.push(bytes.subarray(-1)), 1);
  assertEquals(statusLine(parser.head!), [1, 101, "Switching Protocols"]);
});

const lines: [line: string, ...expected: ReturnType<typeof statusLine>][] = [
  ["HTTP/1.1 200 OK", 1, 200, "OK"],
  ["HTTP/1.0 403 Forbidden", 0, 403, "Forbidden"],
  ["HTTP/1.1 404 ", 1, 404, ""],
  ["HTTP/1.1 404", 1, 404, ""],
  ["HTTP/1.1 599  two  spaces ", 1, 599, " two  spaces "],
  ["HTTP/1.1 999 caf\xe9\tau lait", 1, 999, "caf\xe9\tau lait"],
];

for (const [line, ...expected] of lines) {
  test(`ResponseHeadParser takes the status line ${JSON.stringify(line)}`, () => {
    assertEquals(statusLine(parse(`${line}\r\nX: \xe9\r\n\r\n`)), expected);
  });
}

const bad: [name: string, text: string, at: number][] = [
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", 0],
  ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", 0],
  ["HTTP/2's preface", "\x00\x00\x12\x04\x00", 0],
  ["HTTP/2 in words", "HTTP/2 101\r\n", 5],
  ["lower case", "http/1.1 101\r\n", 0],
  ["no minor version", "HTTP/1. 101\r\n", 7],
  ["two digits of a version", "HTTP/1.10 101\r\n", 8],
  ["an empty line first", "\r\nHTTP/1.1 101\r\n", 0],
  ["no status", "HTTP/1.1  OK\r\n", 9],
  ["a status below 100", "HTTP/1.1 099 X\r\n", 9],
  ["a status of two digits", "HTTP/1.1 10 X\r\n", 11],
  ["a status of four digits", "HTTP/1.1 1010 X\r\n", 12],
  ["letters for a status", "HTTP/1.1 1O1 X\r\n", 10],
  ["a NUL in the reason", "HTTP/1.1 101 S\0\r\n", 14],
  ["a bare LF", "HTTP/1.1 101 S\n", 14],
  ["a bare CR", "HTTP/1.1 101 S\rX", 15],
  ["a bare CR after the status", "HTTP/1.1 101\rX", 13],
  ["a folded line", "HTTP/1.1 101 S\r\nA: b\r\n c\r\n", 22],
  ["a space before the colon", "HTTP/1.1 101 S\r\nA : b\r\n", 17],
];

for (const [name, text, at] of bad) {
  test(`ResponseHeadParser refuses ${name} at the first byte that proves it`, () => {
    const parser = new ResponseHeadParser();
    const bytes = latin1(text);
    if (at > 0) assertEquals(parser.push(bytes.subarray(0, at)), -1);
    const push = () => parser.push(bytes.subarray(at, at + 1));
    assertRefused(push, 0, "ERR_HANDSHAKE_HEAD", `at offset ${at},`);
    assertThrows(push, DOMException, "the head has ended");
  });
}

test("ResponseHeadParser refuses a head beyond the limits", () => {
  const tooLarge = "ERR_HANDSHAKE_HEAD_TOO_LARGE";
  const long = latin1(`HTTP/1.1 101 ${"x".repeat(200)}`);
  assertRefused(() => new ResponseHeadParser({ maxHeadSize: 100 }).push(long), 0, tooLarge);
  const endless = new ResponseHeadParser({ maxHeadSize: 100 });
  endless.push(latin1("HTTP/1.1 101 S\r\n"));
  assertRefused(
    () => {
      while (true) endless.push(latin1("A: b\r\n"));
    },
    0,
    tooLarge,
  );
  const many = latin1("HTTP/1.1 101 S\r\nA: 1\r\nB: 2\r\n\r\n");
  assertRefused(() => new ResponseHeadParser({ maxHeaders: 1 }).push(many), 0, tooLarge);
  assertThrows(() => new ResponseHeadParser({ maxHeaders: 0 }), RangeError);
  assertEquals(assertThrows(() => parse("x"), HandshakeError).closeCode, 1002);
});

test("ResponseHeadParser reads a reason phrase beyond ASCII, and the fields behind it", () => {
  for (const reason of ["\xc3\xa9", "\xe4", "\xef\xbf\xbd"]) {
    const parser = new ResponseHeadParser();
    const text = `HTTP/1.1 403 ${reason}\r\nA: b\r\nC: d\r\n\r\n`;
    parser.push(latin1(text));
    assertEquals(parser.head?.reason, reason);
    assertEquals([...parser.head!.headers], [["a", "b"], ["c", "d"]]);
  }
});
