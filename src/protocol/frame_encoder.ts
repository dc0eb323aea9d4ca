import { EMPTY } from "./bytes.ts";
import { acquireBuffer, fastText, LONG_TEXT, releaseBuffer } from "./fast_paths.ts";
import { checkControlLength, checkFirstByte, ROLES, RSV_BITS } from "./frame.ts";
import type { FrameInit, Role } from "./frame.ts";
import { freshMaskingKey, mask } from "./mask.ts";
import type { OutgoingMessage } from "./message.ts";
import { checkNames, checkOneOf } from "./options.ts";
import { BINARY, TEXT } from "./opcode.ts";

/** Options of {@linkcode FrameEncoder}. */
export interface FrameEncoderOptions {
  /** The end that encodes: a client masks frames, a server does not. */
  role: Role;
}

const NAMES = ["role"];

/** The longest text, in characters, that is encoded by a loop: for more, `encodeInto` is faster. */
const SHORT_TEXT = 48;
/** The longest header, in bytes: with a 64-bit length and a masking key. */
const MAX_HEADER = 14;
/** The largest buffer that `take()` remembers, in bytes. */
const MAX_REMEMBERED = 128 * 1024;

const textEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * The result of the last `take()`, and its whole buffer. Most results are written within a call, and
 * recycled before the next `take()`: to make another view of the buffer costs as much as a short message.
 */
let lastTaken: Uint8Array<ArrayBuffer> = EMPTY;
let lastBuffer: Uint8Array<ArrayBuffer> = EMPTY;

/**
 * Encodes messages and frames into bytes: a synchronous `UnderlyingSink` for a `WritableStream`. The
 * bytes are collected in one buffer until `take()`, so that any number of messages needs only one write
 * to the network.
 *
 * @example
 * ```ts
 * import { FrameEncoder } from "@sluice/websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const encoder = new FrameEncoder({ role: "server" });
 * encoder.write("Hi");
 * encoder.write(new Uint8Array([7]));
 * assertEquals(encoder.take(), new Uint8Array([0x81, 0x02, 0x48, 0x69, 0x82, 0x01, 0x07]));
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameEncoder implements UnderlyingSink<OutgoingMessage | FrameInit> {
  readonly #masked: boolean;
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;

  /**
   * Creates an encoder for one direction of one connection.
   *
   * @throws {TypeError} If the role, or the name of an option, is unknown.
   */
  constructor(options: FrameEncoderOptions) {
    checkNames("FrameEncoder", options, NAMES);
    checkOneOf("FrameEncoder", "role", options.role, ROLES);
    this.#masked = options.role === "client";
  }

  /** The number of encoded bytes that wait for `take()`. */
  get length(): number {
    return this.#length;
  }

  /** The memory that is allocated for them, in bytes. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /**
   * Encodes a message or a frame.
   *
   * @throws {TypeError} If it is neither, or the frame violates a rule of RFC 6455 §5.
   */
  write(message: OutgoingMessage | FrameInit): void {
    if (typeof message === "string") this.#writeText(message);
    else if (message instanceof Uint8Array) this.#writeFrame(0x80 | BINARY, message);
    else this.writeFrame(message);
  }

  /**
   * Encodes one frame.
   *
   * @throws {TypeError} If the frame violates a rule of RFC 6455 §5.
   */
  writeFrame(frame: FrameInit): void {
    const { opcode, fin = true, payload = EMPTY } = frame;
    // Without this check an ArrayBuffer, which has no opcode, would be sent as an empty frame.
    if (
      !Number.isInteger(opcode) || (opcode & 0x0f) !== opcode || !(payload instanceof Uint8Array)
    ) {
      const { toString } = Object.prototype;
      throw new TypeError(
        "Cannot encode frame: expected a string, a Uint8Array or a frame, with an opcode of 0-15, " +
          `got ${toString.call(frame)}, opcode ${opcode}, ${toString.call(payload)}`,
      );
    }
    const first = (fin ? 0x80 : 0) | (frame.rsv1 ? 0x40 : 0) | (frame.rsv2 ? 0x20 : 0) |
      (frame.rsv3 ? 0x10 : 0) | opcode;
    try {
      checkFirstByte(first, RSV_BITS);
      checkControlLength(opcode, payload.length);
    } catch (error) {
      throw new TypeError((error as Error).message.replace("decode", "encode"), { cause: error });
    }
    this.#writeFrame(first, payload);
  }

  /**
   * Encodes the header of a server's binary message and the first `size` bytes of its payload.
   *
   * @internal The caller sends the rest of the payload.
   */
  writeFirst(message: Uint8Array, size: number): void {
    this.#writeFrame(0x80 | BINARY, message.subarray(0, size), message.length);
  }

  /** Adds bytes that are not part of a frame, such as the response to the opening handshake. */
  writeRaw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Returns the encoded bytes. The caller owns them, and calls `recycle()` when they are sent. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.subarray(0, this.#length);
    if (this.#buffer.length <= MAX_REMEMBERED) {
      lastTaken = bytes;
      lastBuffer = this.#buffer;
    }
    this.#buffer = EMPTY;
    this.#length = 0;
    return bytes;
  }

  /** Returns the buffer of a `take()` to the pool of all encoders. The caller must not use it any more. */
  static recycle(bytes: Uint8Array<ArrayBuffer>): void {
    releaseBuffer(bytes === lastTaken ? lastBuffer : new Uint8Array(bytes.buffer));
  }

  #writeText(text: string): void {
    const length = text.length;
    if (length <= SHORT_TEXT && this.#writeShortText(text)) return;
    // The length of the header depends on that of the payload, which is known only after encoding. So
    // the payload is written as if it were ASCII, and moved in the rare case that the header is longer.
    const headerLength = this.#headerLength(length);
    const start = this.#length + headerLength;
    this.#reserve(MAX_HEADER + (length > LONG_TEXT ? length : length * 3));
    const written = fastText?.encode(text, this.#buffer, start) ??
      this.#encodeInto(text, headerLength);
    const actual = this.#headerLength(written);
    if (actual !== headerLength) {
      this.#buffer.copyWithin(this.#length + actual, start, start + written);
    }
    this.#finishFrame(0x80 | TEXT, written);
  }

  /** Encodes text after the place of its header, and returns the number of bytes. */
  #encodeInto(text: string, headerLength: number): number {
    const { length } = text;
    const start = this.#length + headerLength;
    const end = this.#buffer.length - MAX_HEADER + headerLength;
    let { read, written } = textEncoder.encodeInto(text, this.#buffer.subarray(start, end));
    if (read < length) {
      // The text is long and not ASCII.
      this.#reserve(MAX_HEADER + written + (length - read) * 3, headerLength + written);
      const rest = this.#buffer.subarray(start + written);
      written += textEncoder.encodeInto(text.slice(read), rest).written;
    }
    return written;
  }

  /** Encodes ASCII text of at most {@linkcode SHORT_TEXT} characters. Returns `false` if it is not ASCII. */
  #writeShortText(text: string): boolean {
    const length = text.length;
    this.#reserve(6 + length);
    const buffer = this.#buffer;
    const start = this.#length + (this.#masked ? 6 : 2);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      buffer[start + i] = code;
    }
    this.#finishFrame(0x80 | TEXT, length);
    return true;
  }

  /** @param announced The length in the header: a larger one if the caller sends the rest. */
  #writeFrame(first: number, payload: Uint8Array, announced = payload.length): void {
    const { length } = payload;
    this.#reserve(MAX_HEADER + length);
    const buffer = this.#buffer;
    const start = this.#length + this.#headerLength(announced);
    if (length <= 32) {
      for (let i = 0; i < length; i++) buffer[start + i] = payload[i];
    } else {
      buffer.set(payload, start);
    }
    this.#finishFrame(first, announced);
    this.#length -= announced - length;
  }

  #headerLength(length: number): number {
    return (length <= 125 ? 2 : length <= 0xffff ? 4 : 10) + (this.#masked ? 4 : 0);
  }

  /** Writes the header before a payload that is already in the buffer, and masks the payload. */
  #finishFrame(first: number, length: number): void {
    // The header of most messages, in a function that is short enough for V8 to inline.
    if (length > 125 || this.#masked) return this.#finishLongOrMasked(first, length);
    const position = this.#length;
    this.#buffer[position] = first;
    this.#buffer[position + 1] = length;
    this.#length = position + 2 + length;
  }

  #finishLongOrMasked(first: number, length: number): void {
    const buffer = this.#buffer;
    const maskBit = this.#masked ? 0x80 : 0;
    let position = this.#length;
    buffer[position++] = first;
    // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length".
    if (length <= 125) {
      buffer[position++] = maskBit | length;
    } else if (length <= 0xffff) {
      buffer[position++] = maskBit | 126;
      buffer[position++] = length >>> 8;
      buffer[position++] = length;
    } else {
      buffer[position++] = maskBit | 127;
      // The array keeps the lowest 8 bits of each number.
      for (let octet = 7; octet >= 0; octet--) buffer[position++] = length / 256 ** octet;
    }
    if (this.#masked) {
      const key = freshMaskingKey();
      for (let shift = 0; shift < 32; shift += 8) buffer[position++] = key >>> shift;
      mask(buffer, position, position + length, key);
    }
    this.#length = position + length;
  }

  /** Makes room for `size` bytes, of which `used` have been written. */
  #reserve(size: number, used = 0): void {
    if (this.#length + size > this.#buffer.length) this.#grow(this.#length + size, used);
  }

  #grow(needed: number, used: number): void {
    // At least twice as large: otherwise each small message would copy all messages before it.
    const larger = acquireBuffer(Math.max(needed, this.#buffer.length * 2));
    const kept = this.#length + used;
    if (kept > 0) larger.set(this.#buffer.subarray(0, kept));
    if (this.#buffer.length > 0) releaseBuffer(this.#buffer);
    this.#buffer = larger;
  }
}
