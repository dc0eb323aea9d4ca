import "../../src/protocol/provide_fast_paths.ts";
import { KernelMemory } from "../../src/protocol/kernel_memory.ts";
import { mask, maskByWords, unmaskTo } from "../../src/protocol/mask.ts";
import { simdKernel } from "../../src/protocol/fast_paths.ts";
import { SimdKernel } from "../../src/protocol/simd_kernel.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { randomBytes, sameBytes } from "./frames.ts";

const KEY = 0x3d21fa37;

test("KernelMemory lends 32 buffers of 260 KiB that do not overlap, and each again when it is back", () => {
  const memory = new KernelMemory();
  const buffers: Uint8Array<ArrayBuffer>[] = [];
  for (let next = memory.acquire(); next !== undefined; next = memory.acquire()) {
    buffers.push(next.fill(buffers.length + 1));
  }
  assertEquals(buffers.map(({ length }) => length), Array(32).fill(260 * 1024));
  assert(buffers.every((buffer, i) => buffer.every((byte) => byte === i + 1)), "they overlap");
  assert(memory.piece.every((byte) => byte === 0), "they overlap the piece");
  const [first, , third] = buffers;
  memory.release(third!);
  memory.release(first!);
  assert(memory.acquire() === first && memory.acquire() === third);
  assertEquals(memory.acquire(), undefined);
});

test("KernelMemory has 2 MiB until a buffer is lent, and no buffer if it can't grow", () => {
  const memory = new KernelMemory();
  assertEquals(memory.memory.buffer.byteLength, 2 * 1024 * 1024);
  const grow = memory.memory.grow.bind(memory.memory);
  memory.memory.grow = () => {
    throw new RangeError("no memory");
  };
  assertEquals(memory.acquire(), undefined);
  memory.memory.grow = grow;
  assertEquals(memory.acquire()?.length, 260 * 1024);
  assertEquals(memory.memory.buffer.byteLength, 131 * 64 * 1024);
});

test("a SimdKernel masks and validates before and after its memory grows", () => {
  const kernel = SimdKernel.load()!;
  const bytes = randomBytes(20_000, 1);
  const expected = bytes.slice();
  maskByWords(expected, 0, bytes.length, KEY);
  const text = new TextEncoder().encode("ä €".repeat(3000));
  for (const when of ["before", "after"]) {
    const target = new Uint8Array(bytes.length);
    kernel.mask(bytes, 0, bytes.length, KEY, target, 0);
    assert(sameBytes(target, expected), when);
    assert(kernel.validate(text, 0, 64) > text.length - 64, when);
    assertEquals(kernel.validate(bytes, 0, 64), -1, when);
    const buffer = kernel.memory.acquire()!;
    buffer.set(bytes);
    kernel.mask(buffer, 0, bytes.length, KEY, buffer, 0);
    assert(sameBytes(buffer.subarray(0, bytes.length), expected), when);
  }
});

test("KernelMemory.holds is whether bytes lie in it", () => {
  const memory = new KernelMemory();
  assert(memory.holds(memory.piece));
  assert(memory.holds(memory.acquire()!.subarray(3, 5)));
  assert(memory.holds(memory.piece));
  assert(!memory.holds(new Uint8Array(8)));
  assert(!memory.holds(new KernelMemory().acquire()!));
});

test("mask and unmaskTo mask in the kernel's memory as without SIMD, and nothing beside the range", () => {
  const { memory } = simdKernel()!;
  const buffer = memory.acquire()!;
  const next = memory.acquire()!.fill(0x55);
  for (const size of [4096, 4097, 65_536, 260 * 1024 - 14]) {
    for (const start of [0, 1, 6, 14]) {
      // The chunk is a view that does not start with the buffer, as after a request head.
      const chunk = buffer.subarray(buffer.length - start - size);
      const original = randomBytes(chunk.length, size);
      const expected = original.slice();
      maskByWords(expected, start, start + size, KEY);
      chunk.set(original);
      mask(chunk, start, start + size, KEY);
      assert(sameBytes(chunk, expected), `${size} bytes from ${start}`);
      chunk.set(original);
      const target = new Uint8Array(size + 5);
      unmaskTo(chunk, start, start + size, KEY, target, 3);
      assert(sameBytes(target.subarray(3, 3 + size), expected.subarray(start, start + size)));
      assertEquals([target[2], target[3 + size]], [0, 0]);
      unmaskTo(chunk, start, start + size, 0, target, 3);
      assert(sameBytes(target.subarray(3, 3 + size), expected.subarray(start, start + size)));
    }
  }
  assert(next.every((byte) => byte === 0x55));
  memory.release(next);
  memory.release(buffer);
});
