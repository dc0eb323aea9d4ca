import { acquireBuffer, releaseBuffer } from "./buffer_pool.ts";
import { checkFirstByte, MAX_CONTROL_PAYLOAD, Rsv } from "./frame.ts";
import type { FrameInit, Role } from "./frame.ts";
import { mask } from "./mask.ts";
import { freshMaskingKey } from "./masking_key.ts";
import type { Message } from "./message.ts";
import { isControl, Opcode } from "./opcode.ts";

/** Options of {@linkcode FrameEncoder}. */
export interface FrameEncoderOptions {
  /** The end that encodes: a client masks, a server doesn't. */
  role: Role;
  /**
   * The longest payload of a data frame, in bytes: a longer message is sent as a series of
   * fragments. At least 1.
   *
   * @default {Infinity} each message is one frame
   */
  maxFramePayload?: number;
}

/** Up to this many characters, a loop beats `TextEncoder.encodeInto` and its view. */
const SHORT_TEXT = 48;
/** Above this many, three bytes a character would be too much to set aside at once. */
const LONG_TEXT = 16 * 1024;
/** The longest header: a length of 64 bits, and a masking key. */
const MAX_HEADER = 14;
const ALL_RSV = Rsv.Rsv1 | Rsv.Rsv2 | Rsv.Rsv3;

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);
const textEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * Turns messages and frames into bytes: an `UnderlyingSink` for a `WritableStream`, synchronous
 * inside. What is written is gathered in one buffer, until `take()` takes it: any number of
 * messages, one write to the network.
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
export class FrameEncoder implements UnderlyingSink<Message | FrameInit> {
  readonly #masked: boolean;
  readonly #maxFramePayload: number;
  #buffer: Uint8Array<ArrayBuffer> = NO_BYTES;
  #length = 0;

  /**
   * Makes an encoder for one direction of one connection.
   *
   * @throws {RangeError} where `maxFramePayload` is not an integer of 1 or more, nor `Infinity`.
   */
  constructor(options: FrameEncoderOptions) {
    this.#masked = options.role === "client";
    this.#maxFramePayload = options.maxFramePayload ?? Infinity;
    const size = this.#maxFramePayload;
    if (!(size >= 1) || (size !== Infinity && !Number.isInteger(size))) {
      throw new RangeError(
        `Cannot encode frames of at most ${size} bytes: expected an integer, 1 or more`,
      );
    }
  }

  /** How many bytes wait for `take()`. */
  get length(): number {
    return this.#length;
  }

  /** How many bytes of memory it has set aside for them. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /**
   * Encodes a message, or a frame of your own making.
   *
   * @throws {TypeError} where it's neither, or the frame breaks a rule of RFC 6455 §5.
   */
  write(message: Message | FrameInit): void {
    if (typeof message === "string") this.#writeText(message);
    else if (message instanceof Uint8Array) this.#writeMessage(Opcode.Binary, message);
    else this.writeFrame(message);
  }

  /**
   * Encodes one frame.
   *
   * @throws {TypeError} where the frame breaks a rule of RFC 6455 §5.
   */
  writeFrame(frame: FrameInit): void {
    const { opcode, fin = true, payload = NO_BYTES } = frame;
    // An ArrayBuffer, or a number, has no opcode, and would go out as an empty continuation frame.
    if (!Number.isInteger(opcode) || (opcode & 0x0f) !== opcode) {
      throw new TypeError(
        "Cannot encode frame: expected a string, a Uint8Array or a frame, with an opcode of 0-15, " +
          `got ${Object.prototype.toString.call(frame)}, opcode ${opcode}`,
      );
    }
    if (!(payload instanceof Uint8Array)) {
      throw new TypeError("Cannot encode frame: expected a Uint8Array as its payload");
    }
    const first = (fin ? 0x80 : 0) | (frame.rsv1 ? Rsv.Rsv1 : 0) | (frame.rsv2 ? Rsv.Rsv2 : 0) |
      (frame.rsv3 ? Rsv.Rsv3 : 0) | opcode;
    try {
      checkFirstByte(first, ALL_RSV);
    } catch (error) {
      throw new TypeError((error as Error).message.replace("decode", "encode"), { cause: error });
    }
    // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
    if (isControl(opcode) && payload.length > MAX_CONTROL_PAYLOAD) {
      throw new TypeError(
        `Cannot encode frame: control frame, opcode 0x${opcode.toString(16)}, of ` +
          `${payload.length} bytes, at most ${MAX_CONTROL_PAYLOAD} are allowed`,
      );
    }
    this.#writeFrame(first, payload, 0, payload.length);
  }

  /** Adds bytes that are no frame's, such as what a server says before its first. */
  writeRaw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Gives the bytes gathered so far away; they are the taker's, to `recycle()` once they're sent. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
    return bytes;
  }

  /** Takes back what `take()` gave, for use by any encoder: the taker must not touch it any more. */
  static recycle(bytes: Uint8Array<ArrayBuffer>): void {
    releaseBuffer(new Uint8Array(bytes.buffer));
  }

  #writeMessage(opcode: Opcode, payload: Uint8Array): void {
    const size = this.#maxFramePayload;
    if (payload.length <= size) {
      this.#writeFrame(0x80 | opcode, payload, 0, payload.length);
      return;
    }
    // RFC 6455 §5.4: "a single frame with the FIN bit clear and an opcode other than 0, followed by
    // zero or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single
    // frame with the FIN bit set and an opcode of 0".
    let first: number = opcode;
    for (let start = 0; start < payload.length; start += size) {
      const end = Math.min(start + size, payload.length);
      if (end === payload.length) first |= 0x80;
      this.#writeFrame(first, payload, start, end);
      first = Opcode.Continuation;
    }
  }

  #writeText(text: string): void {
    const length = text.length;
    if (length * 3 > this.#maxFramePayload) {
      this.#writeMessage(Opcode.Text, textEncoder.encode(text));
      return;
    }
    if (length <= SHORT_TEXT && this.#writeShortText(text)) return;
    // The header's length depends on the payload's, which is known only once it's encoded: start
    // where plain ASCII would, and move up in the rare case that it was more.
    const headerLength = this.#headerLength(length);
    const start = this.#length + headerLength;
    this.#reserve(MAX_HEADER + (length > LONG_TEXT ? length : length * 3));
    const end = this.#buffer.length - MAX_HEADER + headerLength;
    let { read, written } = textEncoder.encodeInto(text, this.#buffer.subarray(start, end));
    if (read < length) {
      // It's long, and not ASCII.
      this.#reserve(MAX_HEADER + written + (length - read) * 3, headerLength + written);
      const rest = this.#buffer.subarray(start + written);
      written += textEncoder.encodeInto(text.slice(read), rest).written;
    }
    const actual = this.#headerLength(written);
    if (actual !== headerLength) {
      this.#buffer.copyWithin(this.#length + actual, start, start + written);
    }
    this.#finishFrame(0x80 | Opcode.Text, written);
  }

  /** Writes text of ASCII only, at most {@linkcode SHORT_TEXT} characters; `false` if it's not that. */
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
    this.#finishFrame(0x80 | Opcode.Text, length);
    return true;
  }

  #writeFrame(first: number, payload: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#reserve(MAX_HEADER + length);
    const buffer = this.#buffer;
    const start = this.#length + this.#headerLength(length);
    if (length <= 32) {
      for (let i = 0; i < length; i++) buffer[start + i] = payload[from + i];
    } else {
      buffer.set(length === payload.length ? payload : payload.subarray(from, to), start);
    }
    this.#finishFrame(first, length);
  }

  #headerLength(length: number): number {
    return (length <= 125 ? 2 : length <= 0xffff ? 4 : 10) + (this.#masked ? 4 : 0);
  }

  /** Puts the header before a payload that stands in the buffer already, and masks it. */
  #finishFrame(first: number, length: number): void {
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
      const high = Math.floor(length / 0x1_0000_0000);
      for (let shift = 24; shift >= 0; shift -= 8) buffer[position++] = high >>> shift;
      for (let shift = 24; shift >= 0; shift -= 8) buffer[position++] = length >>> shift;
    }
    if (this.#masked) {
      const key = freshMaskingKey();
      for (let shift = 0; shift < 32; shift += 8) buffer[position++] = key >>> shift;
      mask(buffer, position, position + length, key);
    }
    this.#length = position + length;
  }

  /** Makes room for `size` bytes, of which `used` are there. */
  #reserve(size: number, used = 0): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    // Twice as large at least: many small messages must not cost a copy of all before them each.
    const larger = acquireBuffer(Math.max(needed, this.#buffer.length * 2));
    const kept = this.#length + used;
    if (kept > 0) larger.set(this.#buffer.subarray(0, kept));
    if (this.#buffer.length > 0) releaseBuffer(this.#buffer);
    this.#buffer = larger;
  }
}
