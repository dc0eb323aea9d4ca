/** Messages that name their connection and their number, and the random numbers that choose them. */

import { Buffer } from "node:buffer";

/** The start of a text or binary message that requests a close. */
const CLOSE = "close me ";

/** The largest message, in bytes. */
const LARGEST = 256 * 1024;

/** Returns numbers from 0 to 1, the same for the same seed. */
export type Chance = () => number;

/** Makes a {@linkcode Chance}, by xorshift32. */
export function chanceOf(seed: number): Chance {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** An integer from `least` to `most`. */
export function between(chance: Chance, least: number, most: number): number {
  return least + Math.floor(chance() * (most - least + 1));
}

/** A size from 0 to 256 KiB, mostly small: each power of two is about as likely. */
export function someSize(chance: Chance): number {
  const size = 2 ** (chance() * Math.log2(LARGEST + 1)) - 1;
  // A few large messages would make up most of the bytes: only one in four is that large.
  return Math.floor(size > 16384 && chance() < 0.75 ? size / 64 : size);
}

/** One message, made again to compare its echo with. */
export interface Sent {
  isText: boolean;
  connection: number;
  sequence: number;
  size: number;
  /** Whether the server is asked to close after it. */
  isLast: boolean;
}

const patterns = {
  text: Buffer.from("é€😀 plain words, and words, ".repeat(12_000).slice(0, 2 * LARGEST)),
  binary: Buffer.from(
    Array.from({ length: 2 * LARGEST + 256 }, (_, i) => (i * 31 + (i >> 8)) & 0xff),
  ),
};

/** The payload: its connection and number, then a filler of the size, cut between characters. */
export function payloadOf({ isText, connection, sequence, size, isLast }: Sent): Buffer {
  const head = Buffer.from(`${isLast ? CLOSE : ""}${connection}:${sequence} `);
  if (!isText) {
    const from = (connection * 7 + sequence) % 256;
    return Buffer.concat([head, patterns.binary.subarray(from, from + size)]);
  }
  let end = Math.min(size, patterns.text.length);
  while (end > 0 && end < patterns.text.length && (patterns.text[end]! & 0xc0) === 0x80) end--;
  return Buffer.concat([head, patterns.text.subarray(0, end)]);
}

/** Whether a message asks the server to close. */
export function asksForClose(message: string | Uint8Array): boolean {
  if (typeof message === "string") return message.startsWith(CLOSE);
  return message.length >= CLOSE.length && message[0] === 0x63 &&
    Buffer.from(message.buffer, message.byteOffset, CLOSE.length).toString("latin1") === CLOSE;
}
