import { constants, deflateRawSync } from "node:zlib";

/** For each number of window bits that has been tested, whether zlib keeps to it. */
const tested = /* @__PURE__ */ new Map<number, boolean>([[15, true]]);

/**
 * Returns the largest window, of at most `limit` bits, to which this runtime's zlib keeps when it
 * deflates.
 *
 * zlib accepts 8 and uses 9, so 8 is never used. Each larger window is tested at its first use.
 *
 * @returns 9 to 15, or `undefined` if there is none.
 */
export function deflatableBits(
  limit: number,
  keeps: (windowBits: number) => boolean = keepsTested,
): number | undefined {
  for (let bits = limit; bits > 8; bits--) {
    if (keeps(bits)) return bits;
  }
  return undefined;
}

function keepsTested(windowBits: number): boolean {
  const known = tested.get(windowBits) ?? keepsWindow(windowBits);
  tested.set(windowBits, known);
  return known;
}

/** Returns whether zlib does not use a repetition that lies beyond the window. */
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
    // The upper bits of a linear congruential generator: only the repetition can be compressed.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    twice[i] = twice[i + half] = state >>> 24;
  }
  const { length } = deflate(twice, { windowBits, finishFlush: constants.Z_SYNC_FLUSH });
  return length > 1.5 * half;
}
