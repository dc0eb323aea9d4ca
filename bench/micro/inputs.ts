/** The inputs of the micro-benchmarks. */

import type { Payload } from "../loads.ts";
import { concat, makeFrame, makeKey, makePayload } from "../load/frames.ts";

/** Numbers and sizes of the messages in a network chunk. */
export const SHAPES: readonly [count: number, size: number][] = [[64, 16], [16, 1024], [1, 65536]];

/** Returns different payloads of one size. */
export function payloads(kind: Payload, count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => makePayload(kind, size, i));
}

/** Returns a client's frames as one chunk. */
export function maskedFrames(kind: Payload, count: number, size: number): Uint8Array {
  const first = kind === "binary" ? 0x82 : 0x81;
  return concat(payloads(kind, count, size).map((each, i) => makeFrame(first, each, makeKey(i))));
}
