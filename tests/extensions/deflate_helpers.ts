/** Helpers for the tests of permessage-deflate: connections without a network, and messages to send. */

import { inflateRawSync } from "node:zlib";
import { PerMessageDeflateCodec } from "../../src/extensions/permessage_deflate_codec.ts";
import type { DeflaterOptions } from "../../src/extensions/deflater.ts";
import type { InflaterOptions } from "../../src/extensions/inflater.ts";
import type { ExtensionInUse, ExtensionSendOptions } from "@sluice/websocket/extensions";
import { Z_SYNC_FLUSH } from "../../src/extensions/zlib_stream.ts";
import type { Frame, FrameInit } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Message, OutgoingMessage } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { isControl, Opcode } from "../../src/protocol/opcode.ts";
import { hex } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { random, randomBytes } from "../protocol/frames.ts";

/** With and without context takeover, and the name of each for a test. */
export const CONTEXTS: readonly [name: string, takesContextOver: boolean][] = [
  ["context takeover", true],
  ["no context takeover", false],
];

/** Options of {@linkcode makeDeflate}. */
export interface DeflateSettings extends Partial<DeflaterOptions & InflaterOptions> {
  threshold?: number;
}

/** Returns the extension in use at an end that negotiated the same parameters for both directions. */
export function makeDeflate(settings: DeflateSettings = {}): PerMessageDeflateCodec {
  const { threshold = 0, ...given } = settings;
  const options = {
    windowBits: 15,
    takesContextOver: true,
    maxMessageSize: 1024 * 1024,
    level: 6,
    memLevel: 8,
    ...given,
  };
  return new PerMessageDeflateCodec(options, options, threshold);
}

/** Returns a message as one frame, or as several fragments. */
export function toFrames(message: OutgoingMessage, fragments = 1): FrameInit[] {
  const payload = typeof message === "string" ? utf8(message) : message;
  const opcode = typeof message === "string" ? Opcode.Text : Opcode.Binary;
  const size = Math.ceil(payload.length / fragments);
  return Array.from({ length: fragments }, (_, i) => ({
    opcode: i === 0 ? opcode : Opcode.Continuation,
    fin: i === fragments - 1,
    payload: payload.subarray(i * size, (i + 1) * size),
  }));
}

/** Returns the frames that the extension sends for the given ones, with copies of the payloads. */
export function sendAll(
  extension: ExtensionInUse,
  frames: FrameInit[],
  options?: ExtensionSendOptions,
): FrameInit[] {
  const sent: FrameInit[] = [];
  const sink = {
    enqueue: (frame: FrameInit) => {
      sent.push({ ...frame, payload: (frame.payload ?? new Uint8Array(0)).slice() });
    },
  };
  for (const frame of frames) extension.send(frame, sink, options);
  return sent;
}

/** Encodes the frames as a server. */
export function encode(frames: FrameInit[]): Uint8Array<ArrayBuffer> {
  const encoder = new FrameEncoder({ role: "server" });
  for (const frame of frames) encoder.writeFrame(frame);
  return encoder.take();
}

/** A receiving end, from bytes to messages. */
export class Receiver {
  /** The received messages. */
  readonly messages: Message[] = [];
  /** The frames, and parts of frames, that the extension has passed on. */
  readonly frames: Frame[] = [];
  readonly #decoder: FrameDecoder;
  readonly #extension: ExtensionInUse;
  readonly #assembler: MessageAssembler;

  constructor(extension: ExtensionInUse, maxMessageSize = Infinity) {
    this.#extension = extension;
    this.#decoder = new FrameDecoder({ role: "client", rsv: extension.rsv, chunks: "lent" });
    this.#assembler = new MessageAssembler({ maxMessageSize, maxFragments: Infinity });
  }

  /** The number of payload bytes that the extension has passed on. */
  get produced(): number {
    return this.frames.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Takes the next bytes from a server. They are overwritten afterwards. */
  take(chunk: Uint8Array): void {
    const lent = chunk.slice();
    const sink = { enqueue: (message: Message) => this.messages.push(message) };
    const frameSink = {
      enqueue: (frame: Frame) => {
        this.frames.push(isControl(frame.opcode) ? copyOf(frame) : frame);
        this.#assembler.transform(frame, sink);
      },
    };
    this.#decoder.transform(lent, {
      enqueue: (frame) => this.#extension.receive(frame, frameSink),
    });
    lent.fill(0xff);
  }
}

function copyOf(frame: Frame): Frame {
  const { fin, rsv1, rsv2, rsv3, opcode, payloadLength, payloadOffset } = frame;
  const payload = frame.payload.slice();
  return { fin, rsv1, rsv2, rsv3, opcode, payload, payloadLength, payloadOffset };
}

/** Encodes a compressed message with one frame for each payload. */
export function compressed(
  payloads: readonly Uint8Array[],
  opcode: Opcode = Opcode.Text,
): Uint8Array<ArrayBuffer> {
  return encode(payloads.map((payload, i) => ({
    opcode: i === 0 ? opcode : Opcode.Continuation,
    rsv1: i === 0,
    fin: i === payloads.length - 1,
    payload,
  })));
}

/** Decompresses successive payloads with `node:zlib`, with one window. */
export function inflateIndependently(payloads: readonly Uint8Array[]): Uint8Array {
  const tail = new Uint8Array([0x00, 0x00, 0xff, 0xff]);
  const stream = join(...payloads.flatMap((payload) => [payload, tail]));
  return inflateRawSync(stream, { finishFlush: Z_SYNC_FLUSH });
}

/** Returns JSON of about `size` bytes that depends on the seed. */
export function json(size: number, seed = 0): string {
  const next = random(seed);
  const records: unknown[] = [];
  for (let length = 0; length < size; length += 90) {
    records.push({
      id: records.length,
      name: `user${next() % 1000}`,
      price: next() % 10_000 / 100,
      tags: ["alpha", "beta", "gamma", "delta"].slice(next() % 4),
      text: "caf\u00e9 \u20ac",
    });
  }
  return JSON.stringify(records).slice(0, size);
}

/** Returns messages of all kinds, text and binary, compressible and not, that depend on the seed. */
export function corpus(seed: number, sizes: readonly number[]): Message[] {
  return sizes.map((size, i) => {
    const bytes = randomBytes(size, seed * 1000 + i);
    switch (i % 5) {
      case 0:
        return json(size, seed + i);
      case 1:
        return bytes;
      case 2:
        return new Uint8Array(size).fill(seed);
      case 3:
        return bytes.map((byte) => byte & 3);
      default:
        return "a\u00e9\u20ac\u{1f600}".repeat(size / 10);
    }
  });
}

/** Returns a flushed fixed block with a match of 3 bytes at the largest distance of that window. */
export function farthestMatch(windowBits: number): Uint8Array {
  const bits: number[] = [0, 1, 0]; // BFINAL 0, BTYPE 01
  const put = (value: number, count: number, isCode: boolean) => {
    for (let i = 0; i < count; i++) bits.push((value >> (isCode ? count - 1 - i : i)) & 1);
  };
  put(0b0000001, 7, true); // Symbol 257: 3 bytes.
  const symbol = 2 * windowBits - 1; // Its distances end at 2 ** windowBits.
  put(symbol, 5, true);
  const extra = (symbol - 2) >> 1;
  put((1 << extra) - 1, extra, false);
  put(0, 7, true); // Symbol 256: the end.
  put(0, 3, false); // An empty block without compression.
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => bytes[i >> 3]! |= bit << (i & 7));
  return join(bytes, hex("00 00 ff ff"));
}
