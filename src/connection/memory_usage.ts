import type { Message } from "../protocol/message.ts";

/**
 * The memory usage, in bytes, of an unread message or part in addition to its content: the object, what
 * the runtime keeps of its buffer, and its place in a queue. Measured: up to 590 bytes for a short
 * `Uint8Array` in a stream on Deno, 170 on Bun; 90 to 180 for a string.
 */
export const PART_OVERHEAD = 512;

/**
 * The largest binary message, in bytes, that is copied out of a chunk which the transport gives away. To
 * ask such a copy for its buffer would cost more than the copy.
 */
export const SHORT_COPY = 64;

/** The size of a buffer, in bytes, from which on {@linkcode pinsTooMuch} may return true. */
const MIN_PINNED = 4096;
/** The multiple of the messages' bytes that their buffer may have. */
const MAX_PINNED = 4;

/** The part of a queue that is used here. */
type Messages = Pick<readonly Message[], "length" | "at">;

/**
 * Returns the memory usage of a queue of messages, in bytes. Characters count twice: a string with one
 * that is not Latin-1 takes two bytes for each. A view counts with all of the chunk that it is cut from,
 * once for consecutive views of the same chunk.
 *
 * @param copiedUpTo The largest binary message that is known to be a copy, in bytes.
 */
export function bytesOf(queue: Messages, copiedUpTo = 0): number {
  const { length } = queue;
  let bytes = length * PART_OVERHEAD;
  let last: ArrayBufferLike | undefined;
  for (let i = 0; i < length; i++) {
    const message = queue.at(i)!;
    if (typeof message === "string") {
      bytes += 2 * message.length;
    } else if (message.length <= copiedUpTo) {
      bytes += message.length;
    } else if (message.buffer !== last) {
      last = message.buffer;
      bytes += last.byteLength;
    }
  }
  return bytes;
}

/**
 * Returns whether the newest binary messages of a queue are a small part of the chunk that they keep in
 * memory.
 *
 * @param copiedUpTo The largest binary message that is known to be a copy, in bytes.
 * @returns Their buffer, or `undefined`.
 */
export function pinsTooMuch(queue: Messages, copiedUpTo: number): ArrayBufferLike | undefined {
  let buffer: ArrayBufferLike | undefined;
  let bytes = 0;
  let size = Infinity;
  for (let i = queue.length - 1; i >= 0; i--) {
    const message = queue.at(i)!;
    if (typeof message === "string" || message.length <= copiedUpTo) continue;
    // To read `buffer` takes as long as to make a view: as few times as possible.
    const { buffer: own } = message;
    if (buffer === undefined) {
      buffer = own;
      size = buffer.byteLength;
      if (size < MIN_PINNED) return undefined;
    }
    if (own !== buffer) break;
    bytes += message.length;
    if (bytes * MAX_PINNED >= size) return undefined;
  }
  return buffer;
}
