/** Generates compressed payloads: blocks of every type, written bit by bit or by zlib, and damaged. */

import { constants, deflateRawSync } from "node:zlib";
import { join } from "../support/bytes.ts";
import { damage, text } from "./arbitraries.ts";
import { Random } from "./random.ts";

/** Writes bits in the order of RFC 1951 §3.1.1. */
class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;
  #count = 0;

  put(value: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#bits |= ((value >> i) & 1) << this.#count;
      if (++this.#count < 8) continue;
      this.#bytes.push(this.#bits);
      this.#bits = this.#count = 0;
    }
  }

  /** Writes a Huffman code, most significant bit first. */
  code(value: number, count: number): void {
    for (let i = count - 1; i >= 0; i--) this.put(value >> i, 1);
  }

  align(): void {
    if (this.#count > 0) this.put(0, 8 - this.#count);
  }

  take(): Uint8Array<ArrayBuffer> {
    this.align();
    return Uint8Array.from(this.#bytes);
  }
}

/** Writes a symbol with the fixed code: RFC 1951 §3.2.6. */
function symbol(bits: BitWriter, value: number): void {
  if (value < 144) bits.code(0x30 + value, 8);
  else if (value < 256) bits.code(0x190 + value - 144, 9);
  else if (value < 280) bits.code(value - 256, 7);
  else bits.code(0xc0 + value - 280, 8);
}

/** Writes a block of literals and matches with the fixed code. Returns about its size in bytes. */
function fixedBlock(random: Random, bits: BitWriter, isFinal: boolean, before: number): number {
  bits.put(isFinal ? 1 : 0, 1);
  bits.put(1, 2);
  let size = 0;
  const isLong = random.once(60);
  for (let count = isLong ? 400 : random.small(30); count > 0; count--) {
    if (before + size === 0 || (!isLong && random.once(2))) {
      symbol(bits, random.below(256));
      size++;
      continue;
    }
    // Lengths without extra bits, or 258; distances that are valid, nearly always.
    const isLongest = isLong || random.once(10);
    const short = random.below(8);
    symbol(bits, isLongest ? 285 : 257 + short);
    const reach = random.once(200) ? 30 : Math.min(30, reachOf(before + size));
    const code = random.below(Math.max(1, reach));
    bits.code(code, 5);
    const extra = code < 4 ? 0 : (code - 2) >> 1;
    bits.put(random.once(3) ? 0 : random.below(1 << extra), extra);
    size += isLongest ? 258 : 3 + short;
  }
  symbol(bits, 256);
  return size;
}

/** Returns the number of distance codes that reach back at most `distance` bytes. */
function reachOf(size: number): number {
  let code = 0;
  const most = (n: number) => n < 4 ? n + 1 : (2 + (n & 1) + 1) * (1 << ((n - 2) >> 1));
  while (code < 30 && most(code) <= size) code++;
  return code;
}

function storedBlock(random: Random, bits: BitWriter, isFinal: boolean): number {
  const length = random.once(3) ? 0 : random.small(40);
  bits.put(isFinal ? 1 : 0, 1);
  bits.put(0, 2);
  bits.align();
  bits.put(length, 16);
  bits.put(~length & 0xffff, 16);
  for (let i = 0; i < length; i++) bits.put(random.below(256), 8);
  return length;
}

/** Payloads with dynamic codes, written by zlib; created once for all cases. */
const dynamic: readonly Uint8Array[] = Array.from({ length: 96 }, (_, i) => {
  const random = new Random(1951, i);
  const size = 40 + random.below(400);
  const source = i % 3 === 0
    ? text(random, size)
    : random.bytes(size).map((byte) => byte & (i | 3));
  const flushed = deflateRawSync(source, {
    level: 9,
    strategy: i % 3 === 1 ? constants.Z_HUFFMAN_ONLY : constants.Z_DEFAULT_STRATEGY,
    windowBits: 9 + i % 7,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  return new Uint8Array(flushed.subarray(0, -4));
});

/** Returns a valid payload: blocks of any type, some of them final, and the header of the tail. */
export function payload(random: Random, before: number): { bytes: Uint8Array; size: number } {
  if (random.once(4)) return { bytes: random.pick(dynamic).slice(), size: 40 };
  const bits = new BitWriter();
  let size = 0;
  const restarts = random.once(3);
  const blocks = random.once(150) ? 70 + random.small(40) : random.small(4);
  for (let count = blocks; count > 0; count--) {
    const isFinal = restarts && random.once(blocks > 60 ? 1 : 2);
    if (blocks > 60) {
      bits.put(isFinal ? 3 : 2, 3); // An empty block by the fixed code.
      symbol(bits, 256);
    } else {
      size += random.once(3)
        ? storedBlock(random, bits, isFinal)
        : fixedBlock(random, bits, isFinal, before + size);
    }
    if (isFinal) bits.align();
  }
  // RFC 7692 §7.2.1: the header bits of an empty stored block, which may be final.
  bits.put(random.once(12) ? 1 : 0, 1);
  bits.put(0, 2);
  return { bytes: bits.take(), size };
}

/** Returns the payloads of a connection's messages as input: each as a length of two bytes, and the bytes. */
export function payloads(random: Random): Uint8Array<ArrayBuffer> {
  const all: Uint8Array[] = [];
  let before = 0;
  for (let count = 1 + random.small(4); count > 0; count--) {
    let { bytes, size } = payload(random, before);
    before += size;
    if (random.once(6)) bytes = damage(random, bytes);
    if (random.once(40)) bytes = random.bytes(random.small(30));
    all.push(Uint8Array.from([bytes.length >> 8, bytes.length & 0xff]), bytes);
  }
  return join(...all);
}
