import { DecodedFrame } from "./decoded_frame.ts";
import { MessageTooBigError, ProtocolError, WebSocketError } from "./errors.ts";
import { checkFirstByte, checkSequence, MAX_CONTROL_PAYLOAD } from "./frame.ts";
import type { Frame, Role } from "./frame.ts";
import { mask, rotateKey } from "./mask.ts";
import { isControl, Opcode } from "./opcode.ts";

/** Where a decoder's frames go: a stream's controller, or anything that has its `enqueue`. */
export interface FrameSink {
  /** Takes the next frame or part of one. */
  enqueue(frame: Frame): void;
}

/** Options of {@linkcode FrameDecoder}. */
export interface FrameDecoderOptions {
  /** The end that decodes: a server wants masked frames, and a client refuses them. */
  role: Role;
  /**
   * The reserved bits that extensions have claimed, of {@linkcode Rsv}, or-ed together.
   *
   * @default {0}
   */
  rsv?: number;
  /**
   * Whether the chunks are the decoder's own from then on: it unmasks them in place, and payloads
   * are views of them. Else it makes a copy of each.
   *
   * @default {false}
   */
  ownsChunks?: boolean;
}

/** What the next byte of the stream belongs to. */
const Stage = { First: 0, Second: 1, Length: 2, MaskingKey: 3, Payload: 4 } as const;

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/**
 * Turns bytes into frames: a `Transformer` for a `TransformStream`, synchronous inside, and driven
 * without one where a stream would cost more than the frame.
 *
 * The state between two chunks is a handful of numbers: no byte is looked at twice, and none is
 * kept, but for those of an unfinished control frame. Each rule is checked at the first byte that
 * can break it. After a Close frame, and after an error, further bytes are ignored.
 *
 * @example
 * ```ts
 * import { FrameDecoder } from "@sluice/websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const frames: string[] = [];
 * const decoder = new FrameDecoder({ role: "client" });
 * const sink = { enqueue: (frame: { payload: Uint8Array }) => frames.push(`${frame.payload}`) };
 * decoder.transform(new Uint8Array([0x82, 0x02, 0x07]), sink);
 * decoder.transform(new Uint8Array([0x08]), sink);
 * assertEquals(frames, ["7", "8"]); // one frame, in the two parts it came in
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameDecoder implements Transformer<Uint8Array, Frame> {
  readonly #masked: boolean;
  readonly #rsv: number;
  readonly #ownsChunks: boolean;

  #stage: number = Stage.First;
  /** The first byte of the current frame. */
  #first = 0;
  /** How many bytes of the length or of the masking key are still to come. */
  #missing = 0;
  /** The current frame's length, in two halves of 32 bits, since a number holds 53 exactly. */
  #lengthHigh = 0;
  #length = 0;
  #key = 0;
  /** How many payload bytes of the current frame have been handed on. */
  #offset = 0;
  /** Whether a message has begun and not ended. */
  #inMessage = false;
  /** The payload so far of a control frame that is cut by the end of a chunk. */
  #control: Uint8Array = NO_BYTES;
  #ended = false;
  #paused = false;
  /** What a pause left of a chunk. */
  #rest: Uint8Array = NO_BYTES;

  /** Makes a decoder for one direction of one connection. */
  constructor(options: FrameDecoderOptions) {
    this.#masked = options.role === "server";
    this.#rsv = options.rsv ?? 0;
    this.#ownsChunks = options.ownsChunks ?? false;
  }

  /** Whether bytes wait for {@linkcode FrameDecoder.resume}. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /**
   * Called from within the sink's `enqueue`: stops before the next frame. The rest of the chunk, and
   * whatever chunks follow, are kept as they are until `resume()`.
   */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on after a {@linkcode FrameDecoder.pause}. */
  resume(sink: FrameSink): void {
    this.#paused = false;
    const rest = this.#rest;
    if (rest.length === 0) return;
    this.#rest = NO_BYTES;
    this.#decode(rest, sink);
  }

  /**
   * Takes the next bytes, and hands the frames and parts of frames that they hold to `sink`.
   *
   * @throws {ProtocolError} where the bytes break a rule of RFC 6455 §5.
   * @throws {MessageTooBigError} where a frame claims more bytes than a number can count.
   */
  transform(chunk: Uint8Array, sink: FrameSink): void {
    if (this.#ended) return;
    const bytes = this.#ownsChunks ? chunk : new Uint8Array(chunk);
    if (this.#paused) {
      this.#rest = concat(this.#rest, bytes);
      return;
    }
    this.#decode(bytes, sink);
  }

  /**
   * The bytes have ended.
   *
   * @throws {WebSocketError} with close code 1006 where they end inside a frame or a message.
   */
  flush(): void {
    if (this.#ended || (this.#stage === Stage.First && !this.#inMessage)) return;
    this.#ended = true;
    throw new WebSocketError(
      `Cannot decode frame: the bytes end inside a ${
        this.#stage === Stage.First ? "message" : "frame"
      }`,
      { code: "ERR_TRUNCATED", closeCode: 1006 },
    );
  }

  #decode(bytes: Uint8Array, sink: FrameSink): void {
    try {
      let position = 0;
      while (position < bytes.length && !this.#ended) {
        if (this.#paused) {
          this.#rest = bytes.subarray(position);
          return;
        }
        position = this.#decodeFrame(bytes, position, sink);
      }
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  /** Decodes up to the end of the current frame, or of the bytes; gives back where it stopped. */
  #decodeFrame(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const end = bytes.length;
    let position = start;
    if (this.#stage === Stage.First) {
      this.#readFirstByte(bytes[position++]);
      if (position === end) return end;
    }
    if (this.#stage === Stage.Second) {
      this.#readSecondByte(bytes[position++]);
    }
    if (this.#stage === Stage.Length) {
      while (this.#missing > 0) {
        if (position === end) return end;
        this.#readLengthByte(bytes[position++]);
      }
      this.#afterLength();
    }
    if (this.#stage === Stage.MaskingKey) {
      while (this.#missing > 0) {
        if (position === end) return end;
        this.#key |= bytes[position++] << (32 - 8 * this.#missing--);
      }
      this.#stage = Stage.Payload;
    }
    return this.#readPayload(bytes, position, sink);
  }

  #readFirstByte(first: number): void {
    checkFirstByte(first, this.#rsv);
    if (!isControl(first & 0x0f)) {
      checkSequence(first & 0x0f, this.#inMessage);
      this.#inMessage = (first & 0x80) === 0;
    }
    this.#first = first;
    this.#stage = Stage.Second;
  }

  #readSecondByte(second: number): void {
    const masked = (second & 0x80) !== 0;
    if (masked !== this.#masked) {
      // RFC 6455 §5.1: "The server MUST close the connection upon receiving a frame that is not
      // masked", and "A client MUST close a connection if it detects a masked frame".
      throw new ProtocolError(
        masked
          ? "Cannot decode frame: masked, and a server must not mask"
          : "Cannot decode frame: not masked, and a client must mask",
        masked ? "ERR_MASKED" : "ERR_NOT_MASKED",
      );
    }
    const length = second & 0x7f;
    // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
    if (length > MAX_CONTROL_PAYLOAD && isControl(this.#first & 0x0f)) {
      throw new ProtocolError(
        `Cannot decode frame: control frame, opcode 0x${
          (this.#first & 0x0f).toString(16)
        }, of more than ${MAX_CONTROL_PAYLOAD} bytes`,
        "ERR_CONTROL_TOO_LONG",
      );
    }
    this.#offset = 0;
    this.#lengthHigh = 0;
    if (length <= 125) {
      this.#length = length;
      this.#afterLength();
    } else {
      this.#length = 0;
      this.#missing = length === 126 ? 2 : 8;
      this.#stage = Stage.Length;
    }
  }

  #readLengthByte(byte: number): void {
    const missing = --this.#missing;
    if (missing >= 4) this.#lengthHigh = (this.#lengthHigh << 8) | byte;
    else this.#length = this.#length * 256 + byte;
    const long = (this.#lengthHigh | 0) !== 0;
    // RFC 6455 §5.2: "the most significant bit MUST be 0".
    if (missing === 7 && byte >= 0x80) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length with its most significant bit set",
        "ERR_LENGTH_SIGN",
      );
    }
    // The largest exact number, 2^53 - 1, is 0x1fffff in the upper half.
    if (missing >= 4 && this.#lengthHigh > 0x1fffff >> (8 * (missing - 4))) {
      throw new MessageTooBigError(
        `Cannot decode frame: a length of more than ${Number.MAX_SAFE_INTEGER} bytes`,
      );
    }
    // RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length".
    // After two bytes of a 64-bit length's lower half it is known whether 16 bits would have done;
    // the Length stage of a 16-bit length is at its end when `missing` is 0 and nothing was higher.
    if (missing === 2 && !long && this.#length === 0) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length for less than 65536 bytes",
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
    if (missing === 0 && !long && this.#length < 126) {
      throw new ProtocolError(
        `Cannot decode frame: a 16-bit length for ${this.#length} bytes`,
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
  }

  #afterLength(): void {
    this.#length += this.#lengthHigh * 0x1_0000_0000;
    this.#key = 0;
    this.#missing = this.#masked ? 4 : 0;
    this.#stage = Stage.MaskingKey;
  }

  #readPayload(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const offset = this.#offset;
    const stop = Math.min(bytes.length, start + this.#length - offset);
    const last = offset + (stop - start) === this.#length;
    // A header at the very end of a chunk is handed on without a byte of payload, so that a length
    // that breaks a limit is known before the peer sends what it announced.
    if (this.#key !== 0) mask(bytes, start, stop, rotateKey(this.#key, offset));
    this.#offset = offset + (stop - start);
    if (last) this.#stage = Stage.First;
    if (isControl(this.#first & 0x0f)) {
      this.#readControl(bytes.subarray(start, stop), last, sink);
    } else {
      sink.enqueue(new DecodedFrame(this.#first, this.#length, offset, bytes, start, stop));
    }
    return stop;
  }

  #readControl(part: Uint8Array, last: boolean, sink: FrameSink): void {
    this.#control = concat(this.#control, part);
    if (!last) return;
    const payload = this.#control;
    this.#control = NO_BYTES;
    // RFC 6455 §5.5.1 and §1.4: what follows a Close frame is discarded.
    if ((this.#first & 0x0f) === Opcode.Close) this.#ended = true;
    sink.enqueue(
      new DecodedFrame(this.#first, payload.length, 0, payload, 0, payload.length),
    );
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
