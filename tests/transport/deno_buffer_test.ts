import { ReadBuffer } from "../../src/transport/deno.ts";
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
  assertEquals(sizes.map((size) => size / KIB), [1, 4, 16, 64, 256, 256]);
  for (let i = 0; i < 15; i++) buffer.fit(1);
  buffer.fit(32 * KIB); // Not small.
  for (let i = 0; i < 15; i++) buffer.fit(32 * KIB - 1);
  assertEquals(buffer.bytes.length, 256 * KIB);
  buffer.fit(1);
  assertEquals(buffer.bytes.length, 64 * KIB);
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

test("ReadBuffer is above 64 KiB for 32 connections at a time", () => {
  const all = Array.from({ length: 33 }, () => grown(5));
  const sizes = () => all.map(({ bytes }) => bytes.length / KIB);
  assertEquals(sizes(), [...new Array<number>(32).fill(256), 64]);
  const [first, second, third] = all as [ReadBuffer, ReadBuffer, ReadBuffer];
  const more = [grown(5)];
  assertEquals(more[0]!.bytes.length, 64 * KIB);
  first.reset();
  second.free();
  for (let i = 0; i < 16; i++) third.fit(1);
  more.push(grown(5), grown(5), grown(5), grown(5));
  assertEquals(more.map(({ bytes }) => bytes.length / KIB), [64, 256, 256, 256, 64]);
  for (const buffer of [...all, ...more]) buffer.free();
});
