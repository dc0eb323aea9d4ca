import { HeaderList } from "../../src/http/header_list.ts";
import { ResponseBody } from "../../src/http/response_body.ts";
import { assertEquals, test } from "../harness.ts";
import { latin1 } from "../handshake/helpers.ts";

function bodyOf(status: number, ...fields: [name: string, value: string][]): ResponseBody {
  return new ResponseBody({ status, reason: "", minorVersion: 1, headers: new HeaderList(fields) });
}

const CHUNKED: [string, string] = ["Transfer-Encoding", "chunked"];

test("ResponseBody ends with its Content-Length", () => {
  const body = bodyOf(403, ["Content-Length", "5"]);
  body.push(latin1("He"));
  assertEquals([body.isDone, body.text], [false, "He"]);
  body.push(latin1("lloHTTP/1.1"));
  assertEquals([body.isDone, body.text], [true, "Hello"]);
  body.push(latin1("more"));
  assertEquals(body.text, "Hello");
});

test("ResponseBody without a length that can be believed goes on to the connection's end", () => {
  for (const fields of [[], [["Content-Length", "5, 5"]], [["Content-Length", "-1"]]]) {
    const body = bodyOf(500, ...fields as [string, string][]);
    body.push(latin1("Hello World"));
    assertEquals([body.isDone, body.text], [false, "Hello World"]);
  }
  const body = bodyOf(500, ["Transfer-Encoding", "gzip"], ["Content-Length", "2"]);
  body.push(latin1("\x1f\x8b\x08"));
  assertEquals([body.isDone, body.bytes], [false, latin1("\x1f\x8b\x08")]);
});

test("ResponseBody knows answers that have no body", () => {
  for (
    const body of [bodyOf(204), bodyOf(304), bodyOf(101), bodyOf(403, ["Content-Length", "0"])]
  ) {
    assertEquals(body.isDone, true);
    body.push(latin1("x"));
    assertEquals(body.bytes, new Uint8Array(0));
  }
});

test("ResponseBody keeps 4,096 bytes", () => {
  const body = bodyOf(200, ["Content-Length", "1000000"]);
  body.push(new Uint8Array(4000).fill(1));
  assertEquals(body.isDone, false);
  body.push(new Uint8Array(4000).fill(2));
  assertEquals([body.isDone, body.bytes.length, body.bytes[4095]], [true, 4096, 2]);
});

test("ResponseBody takes chunks apart up to the last, of size 0, wherever the bytes are cut", () => {
  const bytes = latin1("5;a=b\r\nHello\r\n0A\r\n, 10 bytes\r\n000\r\nTrailer: x\r\n\r\n");
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const body = bodyOf(403, ["Transfer-Encoding", "gzip, Chunked"], ["Content-Length", "1"]);
    for (let at = 0; at < bytes.length; at += size) body.push(bytes.slice(at, at + size));
    assertEquals([body.isDone, body.text], [true, "Hello, 10 bytes"]);
  }
});

test("ResponseBody keeps 4,096 bytes of chunks, and takes what breaks the grammar for the end", () => {
  const long = bodyOf(403, CHUNKED);
  for (let i = 0; i < 9; i++) long.push(latin1(`200\r\n${"x".repeat(512)}\r\n`));
  assertEquals([long.isDone, long.bytes.length], [true, 4096]);
  for (const bad of ["x", ";a\r\n", "2\r\nHello", "2\r\nHe3\r\nllo", "2\r\nHe\r\n3 \r\nllo\r\n"]) {
    const body = bodyOf(403, CHUNKED);
    body.push(latin1(bad));
    assertEquals([body.isDone, body.text], [true, bad.startsWith("2") ? "He" : ""]);
  }
});
