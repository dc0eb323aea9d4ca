import "../../src/protocol/provide_fast_paths.ts";
import { freshMaskingKey, mask, rotateKey } from "../../src/protocol/mask.ts";
import { assert, assertEquals, hex, onTestEnd, test, toHex } from "../harness.ts";
import { naiveMask } from "../support/frames.ts";
import { random, randomBytes, sameBytes } from "./frames.ts";

/** Returns the four octets of a key, first to last. */
function octets(key: number): Uint8Array {
  return new Uint8Array([key, key >>> 8, key >>> 16, key >>> 24]);
}

const keys = [0x3d21fa37, 0, -1, 0x000000ff, 0xff000000 | 0, 0x80808080 | 0, 1, random(5)() | 0];

/** Masks `size` bytes at `start` of a larger buffer, and checks every byte of the buffer. */
function check(key: number, align: number, start: number, size: number): void {
  const buffer = randomBytes(align + start + size + 9);
  const bytes = buffer.subarray(align);
  const before = bytes.slice();
  mask(bytes, start, start + size, key);
  const expected = before.slice();
  expected.set(naiveMask(before.subarray(start, start + size), octets(key)), start);
  assert(sameBytes(bytes, expected), `${size} bytes at ${align} + ${start}, key ${key}`);
  mask(bytes, start, start + size, key);
  assert(sameBytes(bytes, before), `${size} bytes at ${align} + ${start}, key ${key}, twice`);
}

test("mask masks 0 to 130 bytes by the RFC at every alignment, and masking twice restores them", () => {
  for (let align = 0; align < 4; align++) {
    for (let start = 0; start < 5; start++) {
      for (let size = 0; size <= 130; size++) check(keys[size % keys.length]!, align, start, size);
    }
  }
});

test("mask masks by the RFC with each kind of key", () => {
  for (const key of keys) {
    for (const size of [1, 5, 63, 64, 65, 99]) check(key, 1, 2, size);
  }
});

test("mask masks large payloads by the RFC", () => {
  for (const size of [65535, 65536, 65541, 1_000_003]) {
    for (let align = 0; align < 4; align++) check(0x3d21fa37, align, 1, size);
  }
});

test("mask turns Hello into the payload of RFC 6455 §5.7", () => {
  const bytes = hex("48 65 6c 6c 6f");
  mask(bytes, 0, 5, 0x3d21fa37);
  assertEquals(toHex(bytes), "7f 9f 4d 51 58");
});

test("rotateKey returns the key that applies later in the payload", () => {
  for (const key of keys) {
    const own = octets(key);
    for (
      const octet of [0, 1, 2, 3, 4, 5, 6, 7, 130, 65535, 0xffffffff, 2 ** 53 - 1, 2 ** 52 + 2]
    ) {
      const first = octet % 4;
      const expected = [0, 1, 2, 3].map((i) => own[(first + i) % 4]!);
      assertEquals([...octets(rotateKey(key, octet))], expected, `${key} after ${octet}`);
    }
  }
});

test("mask in pieces with rotateKey equals mask of the whole", () => {
  const next = random(9);
  const whole = randomBytes(1000);
  const pieces = whole.slice();
  mask(whole, 0, whole.length, 0x3d21fa37);
  for (let at = 0; at < pieces.length;) {
    const end = Math.min(pieces.length, at + next() % 140);
    mask(pieces, at, end, rotateKey(0x3d21fa37, at));
    at = end;
  }
  assert(sameBytes(pieces, whole));
});

test("freshMaskingKey returns different 32-bit keys", () => {
  const keys = Array.from({ length: 2000 }, freshMaskingKey);
  assert(keys.every((key) => Number.isInteger(key) && key === (key | 0)));
  // Of 2,000 of 2^32 keys, two are equal in 1 of 2,000 runs, and three in 1 of 10 million.
  assert(new Set(keys).size >= keys.length - 1);
  for (let bit = 0; bit < 32; bit++) {
    const set = keys.filter((key) => (key >>> bit & 1) === 1).length;
    assert(set > 700 && set < 1300, `bit ${bit} is set in ${set} of 2,000`);
  }
});

test("freshMaskingKey draws each key once from crypto.getRandomValues", () => {
  const original = crypto.getRandomValues;
  onTestEnd(() => {
    crypto.getRandomValues = original;
  });
  const drawn: number[] = [];
  crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
    original.call(crypto, array as Int32Array<ArrayBuffer>);
    drawn.push(...array as unknown as Int32Array);
    return array;
  };
  // The rest of an earlier draw comes first, then each drawn key in order.
  const given = Array.from({ length: 1024 }, freshMaskingKey);
  assert(drawn.length >= 768);
  const start = given.indexOf(drawn[0]!);
  assert(start >= 0 && start <= 256);
  assertEquals(given.slice(start), drawn.slice(0, given.length - start));
});
