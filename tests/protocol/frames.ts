/** Helpers for the codec's tests: build and parse frames independently of src/, and split bytes. */

import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import type { FrameDecoderOptions } from "../../src/protocol/frame_parser.ts";
import type { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Frame, Role } from "../../src/protocol/frame.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import type { Message, OutgoingMessage } from "../../src/protocol/message.ts";
import type { MessageOptions } from "../../src/protocol/message_sequence.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, toHex } from "../harness.ts";
import { utf8 } from "../support/bytes.ts";

/** Both roles. */
export const ROLES: readonly Role[] = ["server", "client"];

/** The sizes of the matrix: on both sides of each change of the header's format. */
export const SIZES: readonly number[] = [0, 125, 126, 65535, 65536];

/** Returns a generator of numbers from 0 to 2^32-1 that depend on the seed: mulberry32. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Returns `size` bytes that depend on the seed. */
export function randomBytes(size: number, seed = size + 1): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return Uint8Array.from({ length: size }, () => next() >>> 24);
}

/** Returns a string of `size` bytes of UTF-8, mostly of 2 to 4 bytes a character. */
export function mixedText(size: number): string {
  const whole = "a\u00e9\u20ac\u{1f600}".repeat(Math.floor(size / 10));
  return whole + "z".repeat(size % 10);
}

/** Returns whether the bytes are equal; faster than `assertEquals` for many bytes. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array): boolean {
  return actual.length === expected.length && actual.every((byte, i) => byte === expected[i]);
}

/** Fails unless the messages are equal. */
export function assertMessages(
  actual: readonly OutgoingMessage[],
  expected: readonly OutgoingMessage[],
): void {
  const same = (a: OutgoingMessage | undefined, b: OutgoingMessage) =>
    typeof a === "string" || typeof b === "string"
      ? a === b
      : a instanceof Uint8Array && sameBytes(a, b);
  assert(actual.length === expected.length, `${actual.length} messages for ${expected.length}`);
  expected.forEach((message, i) => assert(same(actual[i], message), `message ${i} is another`));
}

/** How bytes are split into chunks. */
export type Chunking = "whole" | "byte by byte" | "random chunks";

/** All of them. */
export const CHUNKINGS: readonly Chunking[] = ["whole", "byte by byte", "random chunks"];

/** Returns copies of the bytes as chunks, which a decoder may overwrite. */
export function* cut(bytes: Uint8Array, chunking: Chunking, seed = 1): Generator<Uint8Array> {
  if (chunking === "byte by byte") {
    // A buffer for each byte would take most of the time of a test.
    const copy = bytes.slice();
    for (let i = 0; i < bytes.length; i++) yield copy.subarray(i, i + 1);
    return;
  }
  const next = random(seed);
  const largest = Math.max(2, bytes.length / 4);
  for (let start = 0; start < bytes.length;) {
    const size = chunking === "whole"
      ? bytes.length
      : 1 + next() % (next() % 2 === 0 ? 8 : largest);
    yield bytes.slice(start, start + size);
    start += Math.floor(size);
  }
}

/** Returns the bits, opcode and payload of a frame as text, as in `"FIN RSV1 0x1 48 69"`. */
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

/** Returns the frames and parts of frames that a new decoder decodes from the chunks. */
export function decodeAll(chunks: Iterable<Uint8Array>, options: FrameDecoderOptions): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder(options);
  for (const chunk of chunks) decoder.transform(chunk, { enqueue: (frame) => frames.push(frame) });
  decoder.flush();
  return frames;
}

/** Returns the messages that a new decoder and a new assembler decode from the chunks. */
export function assembleAll(
  chunks: Iterable<Uint8Array>,
  options: FrameDecoderOptions & MessageOptions,
): Message[] {
  const messages: Message[] = [];
  const { role, rsv = 0, chunks: ownership = "kept", payload = "shared", ...others } = options;
  const decoder = new FrameDecoder({ role, rsv, chunks: ownership, payload });
  const assembler = new MessageAssembler({ ...others, payload });
  const sink = {
    enqueue(message: Message) {
      const isBorrowed = options.payload === "borrowed" && typeof message !== "string";
      messages.push(isBorrowed ? message.slice() : message);
    },
  };
  const frames = { enqueue: (frame: Frame) => assembler.transform(frame, sink) };
  for (const chunk of chunks) {
    decoder.transform(chunk, frames);
    // A lent chunk is overwritten after the call.
    if (options.chunks === "lent") chunk.fill(0xff);
  }
  decoder.flush();
  return messages;
}

/** Returns the index of the chunk at which `take` throws, and the error; -1 if it never does. */
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
export function writeFragments(
  encoder: FrameEncoder,
  message: OutgoingMessage,
  size: number,
): void {
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
