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

/** The size of a buffer, in bytes, from which on its unread views may be replaced by copies. */
const MIN_PINNED = 4096;
/** The multiple of the views' bytes that their buffer may have. */
const MAX_PINNED = 4;

/** A chunk of which unread messages are views. */
interface Chunk {
  /** Its size, in bytes; if the messages have been copied out of it, that of the copies. */
  size: number;
  /** The number of the unread views. */
  views: number;
  /** The bytes of the unread views. */
  bytes: number;
  isCopied: boolean;
}

/**
 * The memory usage of a queue of unread messages. It is updated with each message that enters or leaves the
 * queue, without a look at the others.
 *
 * Characters count twice: a string with one that is not Latin-1 takes two bytes for each. A view counts with
 * all of the chunk that it is cut from, once for consecutive views of the same chunk, until the last of them
 * has left.
 */
export class UnreadUsage {
  /** The memory usage, in bytes. */
  bytes = 0;
  readonly #copiedUpTo: number;
  /** The chunks of the unread views, the oldest first. */
  #chunks: Chunk[] = [];
  /** The array of the newest chunk, if it is known, and its buffer, to recognize its next view. */
  #newest: Uint8Array | undefined;
  #newestBuffer: ArrayBufferLike | undefined;

  /** @param copiedUpTo The largest binary message that is known to be a copy, in bytes. */
  constructor(copiedUpTo = 0) {
    this.#copiedUpTo = copiedUpTo;
  }

  /** Whether the newest views are a small part of the chunk that they keep in memory. */
  get isWasteful(): boolean {
    const chunk = this.#chunks.at(-1);
    return chunk !== undefined && !chunk.isCopied && chunk.size >= MIN_PINNED &&
      chunk.bytes * MAX_PINNED < chunk.size;
  }

  /** The number of the newest views of the same chunk. */
  get newestViews(): number {
    return this.#chunks.at(-1)?.views ?? 0;
  }

  /** Whether a message may be a view of a chunk. */
  isView(message: Message): message is Exclude<Message, string> {
    return typeof message !== "string" && message.length > this.#copiedUpTo;
  }

  /**
   * Counts a message that enters the queue.
   *
   * @param chunk The array that the message is a view of, if it is known: to ask a view for its buffer takes
   * as long as to create it.
   */
  add(message: Message, chunk?: Uint8Array): void {
    this.bytes += PART_OVERHEAD;
    if (this.isView(message)) this.#addView(message, chunk);
    else this.bytes += sizeOf(message);
  }

  /** The oldest message leaves the queue. */
  removeOldest(message: Message): void {
    this.bytes -= PART_OVERHEAD;
    if (!this.isView(message)) this.bytes -= sizeOf(message);
    else if (this.#removeView(this.#chunks[0]!, message)) this.#chunks.shift();
    if (this.#chunks.length === 0) this.#forgetNewest();
  }

  /** The newest message leaves the queue. */
  removeNewest(message: Message): void {
    this.bytes -= PART_OVERHEAD;
    if (!this.isView(message)) this.bytes -= sizeOf(message);
    else if (this.#removeView(this.#chunks.at(-1)!, message)) this.#chunks.pop();
    this.#forgetNewest();
  }

  /** All messages leave the queue. */
  clear(): void {
    this.bytes = 0;
    this.#chunks = [];
    this.#forgetNewest();
  }

  /** The newest views have been replaced by copies. */
  copied(): void {
    const chunk = this.#chunks.at(-1)!;
    this.bytes -= chunk.size - chunk.bytes;
    chunk.size = chunk.bytes;
    chunk.isCopied = true;
    this.#forgetNewest();
  }

  #addView(message: Exclude<Message, string>, array: Uint8Array | undefined): void {
    let chunk = this.#chunks.at(-1);
    if (array === undefined || array !== this.#newest) {
      const { buffer } = array ?? message;
      // Several short chunks may share a buffer.
      if (buffer !== this.#newestBuffer) chunk = undefined;
      this.#newest = array;
      this.#newestBuffer = buffer;
    }
    if (chunk === undefined) {
      chunk = { size: this.#newestBuffer!.byteLength, views: 0, bytes: 0, isCopied: false };
      this.bytes += chunk.size;
      this.#chunks.push(chunk);
    }
    chunk.views++;
    chunk.bytes += message.length;
  }

  /** The next view begins a chunk, also if it is cut from the same buffer as the last one. */
  #forgetNewest(): void {
    this.#newest = this.#newestBuffer = undefined;
  }

  /** @returns Whether it was the last view of the chunk. */
  #removeView(chunk: Chunk, { length }: Message): boolean {
    chunk.bytes -= length;
    const isLast = --chunk.views === 0;
    const freed = isLast ? chunk.size : chunk.isCopied ? length : 0;
    chunk.size -= freed;
    this.bytes -= freed;
    return isLast;
  }
}

function sizeOf(message: Message): number {
  return typeof message === "string" ? 2 * message.length : message.length;
}
