import type { Message } from "../protocol/message.ts";

/**
 * What a message, or a part of one, costs beside its bytes while it waits: the object, what the runtime
 * keeps of its buffer, and its place in a queue. Measured: up to 590 bytes for a short `Uint8Array` in a
 * stream on Deno, 170 on Bun; 90 to 180 for a string.
 */
export const PART_OVERHEAD = 512;

/** Up to how many bytes a view is not worth a look at what it is a view of. */
const SHORT = 64;

/**
 * How many bytes of memory a queue of messages holds. Characters count twice: a string
 * with one that is not Latin-1 takes two bytes for each. A view counts with all of the chunk that it is
 * cut from, once for all the views in a row that share it.
 */
export function bytesOf(queue: Pick<readonly Message[], "length" | "at">): number {
  const { length } = queue;
  let bytes = length * PART_OVERHEAD;
  let last: ArrayBufferLike | undefined;
  for (let i = 0; i < length; i++) {
    const message = queue.at(i)!;
    if (typeof message === "string") {
      bytes += 2 * message.length;
    } else if (message.length <= SHORT) {
      bytes += message.length;
    } else if (message.buffer !== last) {
      last = message.buffer;
      bytes += last.byteLength;
    }
  }
  return bytes;
}
