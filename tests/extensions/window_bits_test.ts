import { deflateRawSync } from "node:zlib";
import { deflatableBits, keepsWindow } from "../../src/extensions/zlib_window.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { random, randomBytes } from "../protocol/frames.ts";
import {
  CONTEXTS,
  inflateIndependently,
  makeDeflate,
  sendAll,
  toFrames,
} from "./deflate_helpers.ts";
import { readBlocks } from "./deflate_reader.ts";

const TAIL = new Uint8Array([0x00, 0x00, 0xff, 0xff]);

/** Returns bytes with repetitions just within, at, and just beyond the distance of every window. */
function temptation(seed: number): Uint8Array {
  const next = random(seed);
  const bytes = randomBytes(90_000, seed);
  for (let position = 0; position < bytes.length;) {
    const length = 3 + next() % 200;
    const bits = 8 + next() % 8;
    const distance = (1 << bits) + next() % 520 - 260;
    const end = Math.min(bytes.length, position + length);
    if (distance > 0 && distance <= position) {
      bytes.copyWithin(position, position - distance, end - distance);
    }
    position = end + next() % 20;
  }
  return bytes;
}

for (const [name, takesContextOver] of CONTEXTS) {
  for (let windowBits = 9; windowBits <= 15; windowBits++) {
    test(`Deflater (${name}) refers back at most as far as ${windowBits} bits allow`, () => {
      const bytes = temptation(windowBits);
      for (const level of [1, 2, 4, 6, 9]) {
        for (const memLevel of [1, 5, 9]) {
          const deflate = makeDeflate({ takesContextOver, windowBits, level, memLevel });
          const frames = [
            bytes.subarray(0, 30_000),
            bytes.subarray(30_000, 30_100),
            bytes.subarray(30_100),
          ]
            .flatMap((part) => sendAll(deflate, toFrames(part)));
          deflate.close();
          const payloads = frames.map(({ payload }) => payload!);
          const stream = join(...payloads.flatMap((payload) => [payload, TAIL]));
          const distance = Math.max(...readBlocks(stream).map((block) => block.distance));
          assert(distance <= 1 << windowBits, `level ${level}, memLevel ${memLevel}: ${distance}`);
          assert(distance > 1 << (windowBits - 2), "the window is made use of");
          assertEquals(inflateIndependently(payloads).length, bytes.length);
        }
      }
    });
  }
}

test("deflatableBits returns 9 to 15 on this runtime, and never 8", () => {
  const limits = [8, 9, 10, 11, 12, 13, 14, 15];
  assertEquals(limits.map((bits) => deflatableBits(bits)), [undefined, ...limits.slice(1)]);
});

test("deflatableBits returns a smaller window if zlib does not keep to the limit", () => {
  assertEquals(deflatableBits(15, (bits) => bits === 10), 10);
  assertEquals(deflatableBits(12, (bits) => bits === 15), undefined);
});

test("keepsWindow is false if zlib does not keep to the window", () => {
  assertEquals(keepsWindow(9), true);
  const careless = (bytes: Uint8Array, options: { finishFlush: number }) =>
    deflateRawSync(bytes, { ...options, windowBits: 15 });
  for (const bits of [9, 12, 14]) assertEquals(keepsWindow(bits, careless), false);
});
