/** What the tests of permessage-deflate share: connections without a network, and messages to send. */

import { inflateRawSync } from "node:zlib";
import { PerMessageDeflateCodec } from "../../src/extensions/permessage_deflate_codec.ts";
import type {
  DeflaterOptions,
  InflaterOptions,
  ZlibBackend,
} from "../../src/extensions/deflate_codec.ts";
import type { ExtensionInUse, ExtensionSendOptions } from "@sluice/websocket/extensions";
import { contextBackend, oneShotBackend } from "../../src/extensions/zlib_window.ts";
import { Z_SYNC_FLUSH } from "../../src/extensions/zlib_stream.ts";
import type { Frame, FrameInit } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Message } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { isControl, Opcode } from "../../src/protocol/opcode.ts";
import { hex } from "../harness.ts";
import { join, random, randomBytes, utf8 } from "../protocol/frames.ts";

/** Both ways to use zlib, whichever this runtime chooses. */
export const BACKENDS: readonly [name: string, backend: ZlibBackend][] = [
  ["context", contextBackend],
  ["one-shot", oneShotBackend],
];

/** What {@linkcode makeDeflate} may be told. */
export interface DeflateSettings extends Partial<DeflaterOptions & InflaterOptions> {
  backend?: ZlibBackend;
  threshold?: number;
}

/** The extension in use, as both ends would have it that agreed to the same for either direction. */
export function makeDeflate(settings: DeflateSettings = {}): PerMessageDeflateCodec {
  const { backend = contextBackend, threshold = 0, ...given } = settings;
  const options = {
    windowBits: 15,
    takesContextOver: true,
    maxMessageSize: 1024 * 1024,
    level: 6,
    memLevel: 8,
    ...given,
  };
  return new PerMessageDeflateCodec(
    () => backend.createInflater(options),
    () => backend.createDeflater(options),
    threshold,
  );
}

/** A message as a frame, or as several. */
export function toFrames(message: Message, fragments = 1): FrameInit[] {
  const payload = typeof message === "string" ? utf8(message) : message;
  const opcode = typeof message === "string" ? Opcode.Text : Opcode.Binary;
  const size = Math.ceil(payload.length / fragments);
  return Array.from({ length: fragments }, (_, i) => ({
    opcode: i === 0 ? opcode : Opcode.Continuation,
    fin: i === fragments - 1,
    payload: payload.subarray(i * size, (i + 1) * size),
  }));
}

/** What the frames are sent as; each payload a copy. */
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

/** The frames as a server's bytes. */
export function encode(frames: FrameInit[]): Uint8Array<ArrayBuffer> {
  const encoder = new FrameEncoder({ role: "server" });
  for (const frame of frames) encoder.writeFrame(frame);
  return encoder.take();
}

/** One end that receives, from bytes to messages. */
export class Receiver {
  /** What has come. */
  readonly messages: Message[] = [];
  /** The frames, and parts of frames, that the extension has handed on. */
  readonly frames: Frame[] = [];
  readonly #decoder: FrameDecoder;
  readonly #extension: ExtensionInUse;
  readonly #assembler: MessageAssembler;

  constructor(extension: ExtensionInUse, maxMessageSize = Infinity) {
    this.#extension = extension;
    this.#decoder = new FrameDecoder({ role: "client", rsv: extension.rsv, chunks: "lent" });
    this.#assembler = new MessageAssembler({ maxMessageSize, maxFragments: Infinity });
  }

  /** How many bytes the extension has handed on. */
  get produced(): number {
    return this.frames.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Takes the next bytes of a server's; they are overwritten afterwards. */
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

/** A compressed message of these payloads, a frame each. */
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

/** What independent zlib makes of compressed payloads, one after the other, with one window. */
export function inflateIndependently(payloads: readonly Uint8Array[]): Uint8Array {
  const tail = new Uint8Array([0x00, 0x00, 0xff, 0xff]);
  const stream = join(...payloads.flatMap((payload) => [payload, tail]));
  return inflateRawSync(stream, { finishFlush: Z_SYNC_FLUSH });
}

/** JSON of about `size` bytes, another for each seed. */
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

/** Messages of all kinds, the same for the same seed: text and binary, compressible and not. */
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

/** A fixed block of a match of 3 bytes, as far back as that window goes, and an end; flushed. */
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
