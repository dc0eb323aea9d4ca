import { ReadBuffer } from "../../src/transport/deno_transport.ts";
import { type LargeBuffers, setLargeBuffers } from "../../src/transport/large_buffers.ts";
import { assertEquals, test } from "../harness.ts";

const KIB = 1024;

/** A buffer that has been read full, again and again. */
function grown(times: number): ReadBuffer {
  const buffer = new ReadBuffer();
  for (let i = 0; i < times; i++) buffer.fit(buffer.bytes.length);
  return buffer;
}

test("ReadBuffer grows with full reads, and shrinks with small ones", () => {
  // Bun runs all files in one process, so an earlier one may have set a supplier.
  setLargeBuffers({ acquire: () => undefined, release() {} });
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

/** A supplier of one large buffer. */
class OneBuffer implements LargeBuffers {
  readonly buffer = new Uint8Array(260 * KIB);
  isLent = false;

  acquire(): Uint8Array<ArrayBuffer> | undefined {
    if (this.isLent) return undefined;
    this.isLent = true;
    return this.buffer;
  }

  release(buffer: Uint8Array<ArrayBuffer>): void {
    assertEquals([buffer === this.buffer, this.isLent], [true, true]);
    this.isLent = false;
  }
}

test("ReadBuffer is a large one after a full read of 64 KiB, as long as there is one", () => {
  const source = new OneBuffer();
  setLargeBuffers(source);
  const first = grown(4);
  const second = grown(5);
  assertEquals([first.bytes === source.buffer, second.bytes.length], [true, 64 * KIB]);
  first.fit(260 * KIB);
  assertEquals(first.bytes === source.buffer, true);
  for (let i = 0; i < 16; i++) first.fit(1);
  assertEquals([first.bytes.length, source.isLent], [64 * KIB, false]);
  second.fit(64 * KIB);
  assertEquals(second.bytes === source.buffer, true);
  second.reset();
  assertEquals([second.bytes.length, source.isLent], [256, false]);
  const third = grown(4);
  assertEquals(source.isLent, true);
  third.free();
  assertEquals([third.bytes.length, source.isLent], [0, false]);
});
