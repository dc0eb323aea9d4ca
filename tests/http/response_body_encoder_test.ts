import { ResponseBodyEncoder } from "../../src/http/response_body_encoder.ts";
import { RequestBodyDecoder } from "../../src/http/request_body.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { join, latin1, utf8 } from "../support/bytes.ts";

const chunked = { sendsBody: true, contentLength: undefined, isChunked: true, endsByClose: false };
const known = (contentLength: number) => ({ ...chunked, contentLength, isChunked: false });
const byClose = { ...chunked, isChunked: false, endsByClose: true };

function text(pieces: readonly Uint8Array[]): string {
  return new TextDecoder().decode(join(...pieces));
}

test("ResponseBodyEncoder encodes chunks, and the last one", () => {
  const encoder = new ResponseBodyEncoder(chunked);
  assertEquals(text(encoder.encode(utf8("hello"))), "5\r\nhello\r\n");
  assertEquals(text(encoder.encode(utf8("x".repeat(26)))), `1a\r\n${"x".repeat(26)}\r\n`);
  assertEquals(encoder.encode(new Uint8Array(0)), []);
  assertEquals(text([encoder.finish()]), "0\r\n\r\n");
  assertEquals(text([new ResponseBodyEncoder(chunked).finish()]), "0\r\n\r\n");
});

test("ResponseBodyEncoder does not copy large pieces", () => {
  const encoder = new ResponseBodyEncoder(chunked);
  const piece = new Uint8Array(16_384).fill(0x61);
  const [line, data, end] = encoder.encode(piece);
  assertEquals(text([line]), "4000\r\n");
  assert(data === piece);
  assertEquals(text([end]), "\r\n");
  assertEquals(encoder.encode(piece.subarray(1)).length, 1);
});

test("ResponseBodyEncoder passes a body of known length on, and checks its length", () => {
  const encoder = new ResponseBodyEncoder(known(5));
  const piece = utf8("hel");
  assert(encoder.encode(piece)[0] === piece);
  const short = assertThrows(() => encoder.finish(), RangeError);
  assertEquals(
    short.message,
    "Cannot send body: it ends after 3 of 5 bytes, the announced Content-Length",
  );
  assertThrows(() => encoder.encode(utf8("lo!")), RangeError, "more than 5 bytes");
  const exact = new ResponseBodyEncoder(known(2));
  exact.encode(utf8("hi"));
  assertEquals(exact.encode(new Uint8Array(0)), []);
  assertEquals(exact.finish().length, 0);
  assertEquals(new ResponseBodyEncoder(known(0)).finish().length, 0);
  assertThrows(() => new ResponseBodyEncoder(known(0)).encode(utf8("x")), RangeError);
});

test("ResponseBodyEncoder passes a body on that ends with the connection", () => {
  const encoder = new ResponseBodyEncoder(byClose);
  assertEquals(text(encoder.encode(utf8("any length"))), "any length");
  assertEquals(encoder.finish().length, 0);
});

test("RequestBodyDecoder decodes what ResponseBodyEncoder encodes", () => {
  const encoder = new ResponseBodyEncoder(chunked);
  const pieces = [
    utf8("a"),
    latin1("\0\r\n\xff"),
    new Uint8Array(20_000).fill(7),
    utf8("0\r\n\r\n"),
  ];
  const bytes = join(...pieces.flatMap((piece) => encoder.encode(piece)), encoder.finish());
  const decoder = new RequestBodyDecoder("chunked");
  assertEquals(decoder.push(bytes), bytes.length);
  assertEquals(decoder.data.length, join(...pieces).length);
  assert(decoder.data.every((byte, i) => byte === join(...pieces)[i]));
});
