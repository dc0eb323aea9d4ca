import { RequestReader } from "../../src/server/request_reader.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { latin1 as bytes } from "../support/bytes.ts";

const makeReader = () => new RequestReader(resolveLimits(), false, undefined);

test("RequestReader reads a head, and keeps the data after it", () => {
  const reader = makeReader();
  assertEquals(reader.hasBegun, false);
  assertEquals(reader.read(bytes("GET /one HTTP/1.1\r\n"), false), undefined);
  assertEquals([reader.hasBegun, reader.memoryUsage, reader.inputSize], [true, 19, 0]);
  const chunk = bytes("Host: a\r\n\r\nrest");
  const head = reader.read(chunk, false);
  chunk.fill(0); // As a transport does that reuses its chunks.
  assertEquals(head?.target, "/one");
  assertEquals(reader.headText, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
  assertEquals([reader.inputSize, reader.memoryUsage], [4, 4]);
  reader.keep(bytes(" more"), false);
  assertEquals(reader.take(), bytes("rest more"));
  assertEquals([reader.inputSize, reader.memoryUsage], [0, 0]);
});

test("RequestReader reads the next head after finishHead()", () => {
  const reader = makeReader();
  const text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (let i = 0; i < 3; i++) {
    assertEquals(reader.read(bytes(text), true)?.method, "GET");
    reader.finishHead();
    assertEquals([reader.hasBegun, reader.memoryUsage], [false, 0]);
  }
});

test("RequestReader keeps no large chunk for a small rest of it", () => {
  const reader = makeReader();
  reader.keep(bytes("x".repeat(1000)).subarray(990), true);
  assertEquals(reader.take().buffer.byteLength, 10);
  const own = bytes("x".repeat(1000));
  reader.keep(own, true);
  assertEquals(reader.take().buffer === own.buffer, true);
});

test("RequestReader throws for a malformed head", () => {
  assertThrows(() => makeReader().read(bytes("\0"), true), HandshakeError);
});

test("RequestReader reads heads with limits of its own, whichever reader was used before", () => {
  const long = bytes(`GET /${"a".repeat(200)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const small = resolveLimits({ maxHeadSize: 100 });
  const large = resolveLimits({ maxHeadSize: 1000 });
  for (let i = 0; i < 3; i++) {
    const reader = new RequestReader(large, false, undefined);
    assertEquals(reader.read(long, false)?.target.length, 201);
    reader.finishHead();
    assertThrows(
      () => new RequestReader(small, false, undefined).read(long, false),
      HandshakeError,
    );
    const old = bytes("GET / HTTP/1.0\r\n\r\n");
    assertThrows(() => new RequestReader(large, false, undefined).read(old, false), HandshakeError);
    assertEquals(new RequestReader(large, true, undefined).read(old, false)?.minorVersion, 0);
  }
});

test("RequestReader starts anew after an incomplete and after a malformed head", () => {
  const limits = resolveLimits();
  const pieces = [
    "\r",
    "GE",
    "GET /",
    "GET / HTTP/1.1\r\nA: b",
    "GET / HTTP/1.1\r\nHost: x\r\n\r",
    "\0",
  ];
  for (const piece of pieces) {
    const reader = new RequestReader(limits, true, undefined);
    if (piece === "\0") assertThrows(() => reader.read(bytes(piece), false), HandshakeError);
    else assertEquals(reader.read(bytes(piece), false), undefined);
    reader.finishHead();
    const head = reader.read(bytes("PUT /b HTTP/1.1\r\nC: d\r\n\r\n"), false);
    assertEquals([head?.method, head?.target, [...head!.headers]], ["PUT", "/b", [["c", "d"]]]);
    assertEquals(reader.headText, "PUT /b HTTP/1.1\r\nC: d\r\n\r\n");
  }
});

test("RequestReader gives each of several readers a parser, while their heads are incomplete", () => {
  const limits = resolveLimits();
  const readers = ["/a", "/b", "/c"].map((path) => ({
    path,
    reader: new RequestReader(limits, true, undefined),
  }));
  for (let i = 0; i < 2; i++) {
    for (const { path, reader } of readers) reader.read(bytes(`GET ${path} HT`), false);
    const heads = readers.map(({ reader }) => reader.read(bytes("TP/1.1\r\nX: y\r\n\r\n"), false));
    for (const { reader } of readers) reader.finishHead();
    assertEquals(heads.map((head) => head?.target), ["/a", "/b", "/c"]);
    assertEquals(heads.map((head) => head?.headers.get("x")), ["y", "y", "y"]);
  }
});
