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
