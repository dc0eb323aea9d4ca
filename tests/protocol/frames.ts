/** What the codec's tests share: frames built and read by the RFC, not by src/, and ways to cut bytes. */

import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import type { FrameDecoderOptions } from "../../src/protocol/frame_decoder.ts";
import type { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Frame, Role } from "../../src/protocol/frame.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import type { Message } from "../../src/protocol/message.ts";
import type { MessageOptions } from "../../src/protocol/message_sequence.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, toHex } from "../harness.ts";
import { utf8 } from "../support/bytes.ts";

/** Both ends. */
export const ROLES: readonly Role[] = ["server", "client"];

/** The sizes of the matrix: one on each side of every change of the header's form. */
export const SIZES: readonly number[] = [0, 125, 126, 65535, 65536];

/** The same numbers from 0 to 2^32-1 for the same seed: mulberry32. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** The same `size` bytes for the same seed. */
export function randomBytes(size: number, seed = size + 1): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return Uint8Array.from({ length: size }, () => next() >>> 24);
}

/** A string of `size` bytes of UTF-8, most of them of 2 to 4 bytes a character. */
export function mixedText(size: number): string {
  const whole = "a\u00e9\u20ac\u{1f600}".repeat(Math.floor(size / 10));
  return whole + "z".repeat(size % 10);
}

/** Whether the bytes are the same: quicker than `assertEquals` on many. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array): boolean {
  return actual.length === expected.length && actual.every((byte, i) => byte === expected[i]);
}

/** Fails unless the messages are the same. */
export function assertMessages(actual: readonly Message[], expected: readonly Message[]): void {
  const same = (a: Message | undefined, b: Message) =>
    typeof a === "string" || typeof b === "string"
      ? a === b
      : a instanceof Uint8Array && sameBytes(a, b);
  assert(actual.length === expected.length, `${actual.length} messages for ${expected.length}`);
  expected.forEach((message, i) => assert(same(actual[i], message), `message ${i} is another`));
}

/** How chunks are cut. */
export type Chunking = "whole" | "byte by byte" | "random chunks";

/** Each of them. */
export const CHUNKINGS: readonly Chunking[] = ["whole", "byte by byte", "random chunks"];

/** The bytes in chunks of their own, which a decoder may write to. */
export function* cut(bytes: Uint8Array, chunking: Chunking, seed = 1): Generator<Uint8Array> {
  const next = random(seed);
  const largest = Math.max(2, bytes.length / 4);
  for (let start = 0; start < bytes.length;) {
    const size = chunking === "whole"
      ? bytes.length
      : chunking === "byte by byte"
      ? 1
      : 1 + next() % (next() % 2 === 0 ? 8 : largest);
    yield bytes.slice(start, start + size);
    start += Math.floor(size);
  }
}

/** A frame in a word: its bits, its opcode and its payload, as in `"FIN RSV1 0x1 48 69"`. */
export function frameText(frame: Frame): string {
  const bits = [
    frame.fin && "FIN",
    frame.rsv1 && "RSV1",
    frame.rsv2 && "RSV2",
    frame.rsv3 && "RSV3",
  ];
  const words = [...bits, `0x${frame.opcode.toString(16)}`, toHex(frame.payload)];
  return words.filter((word) => word !== false && word !== "").join(" ");
}

/** The frames and parts of frames that a new decoder finds in the chunks. */
export function decodeAll(chunks: Iterable<Uint8Array>, options: FrameDecoderOptions): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder(options);
  for (const chunk of chunks) decoder.transform(chunk, { enqueue: (frame) => frames.push(frame) });
  decoder.flush();
  return frames;
}

/** The messages that a new decoder and a new assembler find in the chunks. */
export function assembleAll(
  chunks: Iterable<Uint8Array>,
  options: FrameDecoderOptions & MessageOptions,
): Message[] {
  const messages: Message[] = [];
  const decoder = new FrameDecoder(options);
  const assembler = new MessageAssembler(options);
  const sink = { enqueue: (message: Message) => messages.push(message) };
  for (const chunk of chunks) {
    const lent = options.chunks === "lent" ? chunk.slice() : chunk;
    decoder.transform(lent, { enqueue: (frame) => assembler.transform(frame, sink) });
    // What is lent is written again.
    if (options.chunks === "lent") lent.fill(0xff);
  }
  decoder.flush();
  return messages;
}

/** At which chunk `take` throws, and what; the index is -1 where it never does. */
export function firstThrow(
  chunks: Iterable<Uint8Array>,
  take: (chunk: Uint8Array) => void,
): { index: number; error: unknown } {
  let index = 0;
  for (const chunk of chunks) {
    try {
      take(chunk);
    } catch (error) {
      return { index, error };
    }
    index++;
  }
  return { index: -1, error: undefined };
}

/** Writes a message as fragments of at most `size` bytes each. */
export function writeFragments(encoder: FrameEncoder, message: Message, size: number): void {
  const bytes = typeof message === "string" ? utf8(message) : message;
  let opcode: Opcode = typeof message === "string" ? Opcode.Text : Opcode.Binary;
  let start = 0;
  do {
    const fin = start + size >= bytes.length;
    encoder.writeFrame({ opcode, fin, payload: bytes.subarray(start, start + size) });
    opcode = Opcode.Continuation;
    start += size;
  } while (start < bytes.length);
}
