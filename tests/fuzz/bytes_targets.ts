import { mask, maskByWords } from "../../src/protocol/mask.ts";
import "../../src/protocol/provide_fast_paths.ts";
import { simdKernel } from "../../src/protocol/fast_paths.ts";
import { isValidUtf8, Utf8Validator } from "../../src/protocol/utf8.ts";
import { join } from "../support/bytes.ts";
import { badText, damage, text } from "./arbitraries.ts";
import { utf8Fault } from "./frame_model.ts";
import { Random } from "./random.ts";
import { ensure, pieces, same } from "./target.ts";
import type { Target } from "./target.ts";

const fatal = new TextDecoder("utf-8", { fatal: true });

function isText(bytes: Uint8Array): boolean {
  try {
    fatal.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Validates all bytes with SIMD, but the last few; whether they end inside a character is not checked. */
function validatesByKernel(bytes: Uint8Array): boolean {
  const at = simdKernel()!.validate(bytes, 0, 16);
  return at >= 0 && new Utf8Validator().push(bytes.subarray(at));
}

/** Validates the bytes in pieces that are too short for SIMD. */
function validatesByTypeScript(bytes: Uint8Array): boolean {
  const validator = new Utf8Validator();
  for (let at = 0; at < bytes.length; at += 48) {
    if (!validator.push(bytes.subarray(at, at + 48))) return false;
  }
  return validator.isComplete;
}

/** The validator, with any split, the platform's decoder and the model's table agree about any bytes. */
export const utf8: Target = {
  name: "utf8",
  generate(seed, index) {
    const random = new Random(seed, index);
    const size = random.once(300)
      ? 8000 + random.below(1000) // The kernel copies 8 KiB at a time.
      : random.once(4)
      ? random.small(400)
      : random.small(40);
    let bytes: Uint8Array = random.once(10)
      ? random.bytes(random.small(12))
      : random.once(3)
      ? badText(random, size)
      : text(random, size);
    if (random.once(3)) bytes = damage(random, bytes);
    // The offset in the buffer decides how many bytes precede the first aligned word.
    return join(Uint8Array.from([random.below(256), random.below(4)]), bytes);
  },
  check(input) {
    const [cut = 0, offset = 0] = input;
    const buffer = new Uint8Array(input.length + 8);
    const bytes = buffer.subarray(offset & 7, (offset & 7) + Math.max(0, input.length - 2));
    bytes.set(input.subarray(2));
    const valid = isText(bytes);
    const fault = utf8Fault(bytes);
    ensure((fault === -1) === valid, () => `the model says ${fault}, the platform ${valid}`);
    ensure(isValidUtf8(bytes) === valid, () => `isValidUtf8() is ${!valid}`);
    ensure(validatesByKernel(bytes) === (fault === -1 || fault === bytes.length), () => "kernel");
    ensure(validatesByTypeScript(bytes) === valid, () => `TypeScript alone says ${!valid}`);
    const validator = new Utf8Validator();
    let taken = 0;
    for (const piece of pieces(bytes, cut)) {
      const holds = validator.push(piece);
      const isFaulty = fault >= taken && fault < taken + piece.length;
      ensure(holds !== isFaulty, () => `${holds} for bytes ${taken}-${taken + piece.length}`);
      if (!holds) return "not UTF-8";
      taken += piece.length;
    }
    ensure(validator.isComplete === valid, () => `complete: ${validator.isComplete}`);
    return valid ? "UTF-8" : "cut";
  },
};

/** Masking is an XOR of any range at any offset, and changes nothing else. */
export const masking: Target = {
  name: "mask",
  generate(seed, index) {
    const random = new Random(seed, index);
    const size = random.once(100)
      ? 4000 + random.below(5000)
      : random.once(5)
      ? random.small(600)
      : random.small(140);
    return join(random.bytes(4), Uint8Array.from([random.below(256)]), random.bytes(size));
  },
  check(input) {
    const key = join(input.subarray(0, 4), new Uint8Array(4)).subarray(0, 4);
    const place = input[4] ?? 0;
    const bytes = input.slice(5);
    const start = Math.min(bytes.length, (place >> 3) & 15);
    const end = Math.max(start, bytes.length - (place >> 7) * 3);
    const expected = bytes.map((byte, i) =>
      i < start || i >= end ? byte : byte ^ key[(i - start) & 3]!
    );
    const range = new Uint8Array(bytes.length + 8).subarray(place & 7, (place & 7) + bytes.length);
    range.set(bytes);
    const [a = 0, b = 0, c = 0, d = 0] = key;
    const octets = a | (b << 8) | (c << 16) | (d << 24);
    mask(range, start, end, octets);
    ensure(same(range, expected), () => "masked otherwise");
    mask(range, start, end, octets);
    ensure(same(range, bytes), () => "masked twice, it's another");
    simdKernel()!.mask(range, start, end, octets, range, start);
    ensure(same(range, expected), () => "masked otherwise with SIMD");
    if (end - start >= 32) maskByWords(range, start, end, octets);
    else mask(range, start, end, octets);
    ensure(same(range, bytes), () => "masked otherwise without SIMD");
    return end - start < 64 ? "short" : end - start < 4096 ? "long" : "with SIMD";
  },
};
