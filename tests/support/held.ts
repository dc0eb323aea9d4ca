/** What the tests of a connection's memory compress. */
import { constants, deflateRawSync } from "node:zlib";

/** Bytes with nothing to compress. */
export function pseudoRandom(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** RFC 7692 §7.2.1: the payload of a compressed message, without its tail. */
export function rawDeflate(bytes: Uint8Array): Uint8Array {
  const flushed = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  return new Uint8Array(flushed.subarray(0, flushed.length - 4));
}
