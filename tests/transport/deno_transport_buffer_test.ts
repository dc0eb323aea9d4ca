import { ReadBuffer } from "../../src/transport/deno_transport.ts";
import { assertEquals, test } from "../harness.ts";

const KIB = 1024;

/** A buffer that has been read full, again and again. */
function grown(times: number): ReadBuffer {
  const buffer = new ReadBuffer();
  for (let i = 0; i < times; i++) buffer.fit(buffer.bytes.length);
  return buffer;
}

test("ReadBuffer grows with full reads, and shrinks with small ones", () => {
  const buffer = new ReadBuffer();
  const sizes = [buffer.bytes.length];
  for (let i = 0; i < 5; i++) {
    buffer.fit(buffer.bytes.length);
    sizes.push(buffer.bytes.length);
  }
  assertEquals(sizes.map((size) => size / KIB), [1, 4, 16, 64, 64, 64]);
  for (let i = 0; i < 15; i++) buffer.fit(1);
  buffer.fit(8 * KIB); // Not small.
  for (let i = 0; i < 15; i++) buffer.fit(8 * KIB - 1);
  assertEquals(buffer.bytes.length, 64 * KIB);
  buffer.fit(1);
  assertEquals(buffer.bytes.length, 16 * KIB);
  for (let i = 0; i < 200; i++) buffer.fit(1);
  assertEquals(buffer.bytes.length, 256);
  buffer.fit(255);
  assertEquals(buffer.bytes.length, 256);
});

test("ReadBuffer is small again when it's reset, and nothing when it's freed", () => {
  const buffer = grown(3);
  assertEquals(buffer.bytes.length, 64 * KIB);
  buffer.reset();
  assertEquals(buffer.bytes.length, 256);
  const { bytes } = buffer;
  buffer.reset();
  assertEquals(buffer.bytes === bytes, true, "it's small already");
  buffer.free();
  assertEquals(buffer.bytes.length, 0);
});

test("ReadBuffer's first size is that of a head, in a buffer that another is done with", () => {
  const first = new ReadBuffer();
  const { bytes } = first;
  assertEquals(bytes.length, KIB);
  first.reset();
  const second = new ReadBuffer();
  assertEquals([second.bytes === bytes, first.bytes.length], [true, 256]);
  const third = new ReadBuffer();
  assertEquals(third.bytes === bytes, false, "and nobody else has it");
  second.free();
  assertEquals(
    new ReadBuffer().bytes === bytes,
    false,
    "nor gets it of one that may still be read into",
  );
  third.free();
});
