import type { Message } from "../protocol/message.ts";

/**
 * The memory usage, in bytes, of an unread message or part in addition to its content: the object, what
 * the runtime keeps of its buffer, and its place in a queue. Measured: up to 590 bytes for a short
 * `Uint8Array` in a stream on Deno, 170 on Bun; 90 to 180 for a string.
 */
export const PART_OVERHEAD = 512;

/** Up to this many bytes, a view counts as its own bytes, not as the chunk that it is cut from. */
const SHORT = 64;

/**
 * Returns the memory usage of a queue of messages, in bytes. Characters count twice: a string with one
 * that is not Latin-1 takes two bytes for each. A view counts with all of the chunk that it is cut from,
 * once for consecutive views of the same chunk.
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
