import { constants, deflateRawSync } from "node:zlib";
import { ContextDeflater } from "./deflater.ts";
import { ContextInflater } from "./inflater.ts";
import type { ZlibBackend } from "./deflate_codec.ts";
import { OneShotDeflater } from "./one_shot_deflater.ts";
import { OneShotInflater } from "./one_shot_inflater.ts";
import { proveZlibStream } from "./zlib_stream.ts";

/** Streams whose context is kept: the fast way. */
export const contextBackend: ZlibBackend = {
  createDeflater: (options) => new ContextDeflater(options),
  createInflater: (options) => new ContextInflater(options),
};

/**
 * `node:zlib`'s public synchronous functions alone. A message that is sent refers to none before it,
 * which is always allowed, and one that is received is put together before it is decompressed.
 */
export const oneShotBackend: ZlibBackend = {
  createDeflater: (options) => new OneShotDeflater(options),
  createInflater: (options) => new OneShotInflater(options),
};

let proven: boolean | undefined;

/** The best way that this runtime has; it's put to the proof once, at the first use. */
export function chooseBackend(isProven: boolean = proven ??= proveZlibStream()): ZlibBackend {
  return isProven ? contextBackend : oneShotBackend;
}

const kept = new Map<number, boolean>([[15, true]]);

/**
 * The largest window, of at most `limit` bits, that this runtime's zlib keeps to when it deflates.
 *
 * zlib takes 8 and makes it 9, so 8 is never promised; from 9 on, each is put to the proof at its
 * first use.
 *
 * @returns 9 to 15, or `undefined` where there is none.
 */
export function deflatableBits(
  limit: number,
  keeps: (windowBits: number) => boolean = keepsProven,
): number | undefined {
  for (let bits = limit; bits > 8; bits--) {
    if (keeps(bits)) return bits;
  }
  return undefined;
}

function keepsProven(windowBits: number): boolean {
  const known = kept.get(windowBits) ?? keepsWindow(windowBits);
  kept.set(windowBits, known);
  return known;
}

/** Whether a repetition that lies beyond the window is not found. */
export function keepsWindow(
  windowBits: number,
  deflate: (
    bytes: Uint8Array,
    options: { windowBits: number; finishFlush: number },
  ) => Uint8Array = deflateRawSync,
): boolean {
  const half = (1 << windowBits) + 1;
  const twice = new Uint8Array(2 * half);
  for (let i = 0, state = 1; i < half; i++) {
    // A linear congruential generator's upper bits: nothing to compress but the repetition.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    twice[i] = twice[i + half] = state >>> 24;
  }
  const { length } = deflate(twice, { windowBits, finishFlush: constants.Z_SYNC_FLUSH });
  return length > 1.5 * half;
}
