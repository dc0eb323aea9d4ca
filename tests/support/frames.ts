/**
 * Frames of RFC 6455 §5.2 built and read byte by byte, correct or with any fault that a test needs.
 * Imports nothing of src/, so that the code under test does not test itself, and not the harness,
 * which an attacker's process does not have.
 */

import { bytesOf, join, toHex, utf8 } from "./bytes.ts";

/** The masking key of RFC 6455 §5.7. */
export const KEY: Uint8Array = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** The fields of a {@linkcode frame}. */
export interface FrameParts {
  /** 0 Continuation, 1 Text, 2 Binary, 8 Close, 9 Ping, 10 Pong; others are reserved. */
  opcode: number;
  /** @default {true} */
  fin?: boolean | undefined;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. @default {0} */
  rsv?: number | undefined;
  /** The masking key, in bytes or hex; `null` for a frame that is not masked. @default {KEY} */
  mask?: string | Uint8Array | null | undefined;
  /** Bytes, or text in UTF-8. Default: none. */
  payload?: string | Uint8Array | undefined;
  /** The number of bits of the length. Default: the fewest. */
  lengthForm?: 7 | 16 | 64 | undefined;
  /** The length in the header, if it is not the payload's. */
  claims?: number | bigint | undefined;
}

/** One frame. */
export function frame(parts: FrameParts): Uint8Array<ArrayBuffer> {
  const { opcode, fin = true, rsv = 0, mask = KEY, payload = "" } = parts;
  const data = typeof payload === "string" ? utf8(payload) : payload;
  const length = BigInt(parts.claims ?? data.length);
  const form = parts.lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const short = form === 7 ? Number(length) : form === 16 ? 126 : 127;
  const head = new DataView(new ArrayBuffer(form === 7 ? 2 : 2 + form / 8));
  head.setUint8(0, (fin ? 0x80 : 0) | (rsv << 4) | opcode);
  head.setUint8(1, (mask === null ? 0 : 0x80) | short);
  if (form === 16) head.setUint16(2, Number(length));
  if (form === 64) head.setBigUint64(2, length);
  const header = new Uint8Array(head.buffer);
  if (mask === null) return join(header, data);
  const key = bytesOf(mask);
  return join(header, key, naiveMask(data, key));
}

/** RFC 6455 §5.3, word for word. */
export function naiveMask(bytes: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const masked = new Uint8Array(bytes);
  for (let i = 0; i < masked.length; i++) masked[i]! ^= key[i % 4]!;
  return masked;
}

/** A Close frame's payload: the code, and the reason as text or as bytes. */
export function closePayload(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const text = typeof reason === "string" ? utf8(reason) : reason;
  return join(Uint8Array.of(code >> 8, code & 0xff), text);
}

/** A client's Close frame; without a code if none is given. */
export function closeFrame(code?: number, reason?: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return frame({ opcode: 8, payload: code === undefined ? "" : closePayload(code, reason) });
}

/** A frame by its first byte, for {@linkcode rawFrame}. */
export interface RawFrame {
  /** FIN, RSV and opcode: the first byte, unchanged. */
  first: number;
  /** The payload: bytes, or text in UTF-8. */
  payload?: Uint8Array | string;
  /** The number of bits of the length, valid or not. */
  form?: 7 | 16 | 64;
}

/** The bytes of a frame, masked if `to` is the server. */
export function rawFrame(
  { first, payload, form }: RawFrame,
  to: "client" | "server" = "client",
): Uint8Array<ArrayBuffer> {
  return frame({
    fin: first >= 0x80,
    rsv: (first >> 4) & 7,
    opcode: first & 0x0f,
    payload,
    lengthForm: form,
    mask: to === "server" ? KEY : null,
  });
}

/** A frame as {@linkcode wholeFrames} reads it. */
export interface ParsedFrame {
  /** FIN, RSV and opcode. */
  first: number;
  /** The header without the masking key, in hex. */
  header: string;
  /** The masking key in hex; empty if there is none. */
  key: string;
  /** The payload, unmasked. */
  payload: Uint8Array;
}

/** The sizes of a frame's two parts, in bytes. */
export interface FrameSizes {
  /** The header, with the masking key. */
  header: number;
  payload: number;
}

/** The sizes of the frame that the bytes begin with; `undefined` if its header is incomplete. */
export function sizesOf(bytes: Uint8Array): FrameSizes | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const header = (short < 126 ? 2 : short === 126 ? 4 : 10) + ((bytes[1]! & 0x80) === 0 ? 0 : 4);
  if (bytes.length < header) return undefined;
  if (short < 126) return { header, payload: short };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { header, payload: short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2)) };
}

/** The complete frames at the start of `bytes`, and the bytes that follow them. */
export function wholeFrames(bytes: Uint8Array): { frames: ParsedFrame[]; rest: Uint8Array } {
  const frames: ParsedFrame[] = [];
  let rest = bytes;
  while (true) {
    const sizes = sizesOf(rest);
    if (sizes === undefined || sizes.header + sizes.payload > rest.length) return { frames, rest };
    const end = sizes.header + sizes.payload;
    const keyAt = sizes.header - ((rest[1]! & 0x80) === 0 ? 0 : 4);
    const key = rest.subarray(keyAt, sizes.header);
    const payload = rest.slice(sizes.header, end);
    frames.push({
      first: rest[0]!,
      header: toHex(rest.subarray(0, keyAt)),
      key: toHex(key),
      payload: key.length === 0 ? payload : naiveMask(payload, key),
    });
    rest = rest.subarray(end);
  }
}

/**
 * The frames of bytes that contain nothing else.
 *
 * @throws {Error} If the last frame is incomplete.
 */
export function parseFrames(bytes: Uint8Array): ParsedFrame[] {
  const { frames, rest } = wholeFrames(bytes);
  if (rest.length > 0) throw new Error("the last frame is cut off");
  return frames;
}

const NAMES = ["continuation", "text", "binary"].concat(
  Array.from({ length: 5 }, (_, i) => `reserved ${3 + i}`),
  ["close", "ping", "pong"],
);

/** A frame in words: `text Hello`, `binary 00 ff`, `close 1000 bye`; with a `+` if FIN is not set. */
export function frameWords({ first, payload }: ParsedFrame): string {
  const opcode = first & 0x0f;
  const name = `${NAMES[opcode]}${(first & 0x80) === 0 ? "+" : ""}`;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  let words = toHex(payload);
  if (opcode === 0x8 && payload.length >= 2) {
    words = `${(payload[0]! << 8) | payload[1]!} ${text(payload.subarray(2))}`;
  } else if (opcode === 0x1) {
    words = text(payload);
  }
  return `${name} ${words}`.trim();
}

/** A frame as a {@linkcode FrameReader} reads it. */
export interface ReadFrame {
  /** FIN, RSV and opcode. */
  first: number;
  isMasked: boolean;
  /** The start of the payload, unmasked, of at most as many bytes as the reader keeps. */
  payload: Uint8Array;
}

/** Reads a stream of frames that arrives in chunks of any size. */
export class FrameReader {
  readonly #onFrame: (frame: ReadFrame) => void;
  readonly #most: number;
  #header: number[] = [];
  #sizes: FrameSizes | undefined;
  #missing = 0;
  #kept: Uint8Array[] = [];
  #keptLength = 0;

  /** @param most How many bytes of a payload are kept. */
  constructor(onFrame: (frame: ReadFrame) => void, most = Infinity) {
    this.#onFrame = onFrame;
    this.#most = most;
  }

  /** Reads the next bytes. */
  push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length;) {
      if (this.#sizes === undefined) {
        this.#header.push(chunk[i++]!);
        this.#sizes = sizesOf(Uint8Array.from(this.#header));
        this.#missing = this.#sizes?.payload ?? 0;
      } else {
        const part = chunk.subarray(i, i + this.#missing);
        const kept = part.slice(0, Math.max(0, this.#most - this.#keptLength));
        this.#kept.push(kept);
        this.#keptLength += kept.length;
        this.#missing -= part.length;
        i += part.length;
      }
      if (this.#sizes !== undefined && this.#missing === 0) this.#end();
    }
  }

  #end(): void {
    const isMasked = (this.#header[1]! & 0x80) !== 0;
    const kept = join(...this.#kept);
    const payload = isMasked ? naiveMask(kept, Uint8Array.from(this.#header.slice(-4))) : kept;
    const first = this.#header[0]!;
    this.#header = [];
    this.#sizes = undefined;
    this.#kept = [];
    this.#keptLength = 0;
    this.#onFrame({ first, isMasked, payload });
  }
}
