import { concat, copyOf, EMPTY } from "./bytes.ts";
import { DecodedFrame } from "./decoded_frame.ts";
import { WebSocketError } from "./errors.ts";
import { checkRole, checkRsv } from "./frame.ts";
import type { Frame, Role } from "./frame.ts";
import { FrameHeaderReader } from "./frame_header_reader.ts";
import { deliverFrame } from "./frame_sink.ts";
import type { FrameSink } from "./frame_sink.ts";
import { mask, rotateKey, unmaskTo } from "./mask.ts";
import { PAYLOAD_MODES } from "./message.ts";
import type { PayloadMode } from "./message.ts";
import { checkNames, checkOneOf } from "./options.ts";
import { isControl, Opcode } from "./opcode.ts";

/** Options of {@linkcode FrameDecoder}. */
export interface FrameDecoderOptions {
  /** The end that decodes: a server requires masked frames, and a client rejects them. */
  role: Role;
  /**
   * The reserved bits that extensions use: values of {@linkcode Rsv}, combined with `|`.
   *
   * @default {0}
   */
  rsv?: number;
  /**
   * The ownership of the chunks:
   *
   * - `"kept"`: the caller keeps them. The decoder copies each chunk.
   * - `"given"`: the decoder owns them. It unmasks them in place, and payloads are views of them. It may
   *   free a chunk of 64 KiB or more whose payloads have all been copied: its buffer is then detached.
   * - `"lent"`: the decoder owns them until the call returns. The payload of a whole binary frame is a
   *   view of a copy. Any other payload is valid only until the call returns.
   *
   * @default {"kept"}
   */
  chunks?: "kept" | "given" | "lent";
  /**
   * What the payload of a whole binary frame is. `"owned"` copies it, and `"borrowed"` does not copy it out
   * of a lent chunk. The parts of a larger frame, and text, are not concerned.
   *
   * @default {"shared"}
   */
  payload?: PayloadMode;
}

const NAMES = ["role", "rsv", "chunks", "payload"];
const CHUNKS = ["kept", "given", "lent"];

/** The longest payload, in bytes, whose length fits in the second byte of the header. */
const MAX_SHORT = 125;
/** The size of a chunk, in bytes, from which on its memory is freed at once if it has been copied. */
const FREED_FROM = 64 * 1024;
/** The payload size, in bytes, from which on a shared message is copied alone, not with its chunk. */
const MAX_TOGETHER = 16 * 1024;

/**
 * Decodes bytes into frames: a synchronous `Transformer`, for a `TransformStream` or for direct use
 * without the cost of a stream.
 *
 * The state between two chunks is a few numbers. Each byte is read once, and none is kept, except
 * those of an unfinished control frame. Each rule is checked at the first byte that can violate it.
 * After a Close frame, and after an error, further bytes are ignored.
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
  readonly #chunks: "kept" | "given" | "lent";
  readonly #payload: PayloadMode;
  readonly #rsv: number;
  /** Created for the first frame that is not a whole short message. */
  #header: FrameHeaderReader | undefined;
  /** The number of payload bytes of the current frame that have been passed on. */
  #offset = 0;
  /** The payload so far of a control frame that arrives in several chunks. */
  #control: Uint8Array = EMPTY;
  #ended = false;
  #paused = false;
  /** Whether the caller owns the current bytes again when the call returns. */
  #isLent = false;
  /** Whether views of the current bytes have been passed on, or kept. */
  #isViewed = false;
  /** The bytes that wait for {@linkcode FrameDecoder.resume}. */
  #rest: Uint8Array = EMPTY;

  /**
   * Creates a decoder for one direction of one connection.
   *
   * @throws {TypeError} If the role, or the name or the value of an option, is unknown.
   * @throws {RangeError} If `rsv` is not a combination of the values of {@linkcode Rsv}.
   */
  constructor(options: FrameDecoderOptions) {
    checkNames("FrameDecoder", options, NAMES);
    checkRole(options.role);
    checkOneOf("FrameDecoder", "chunks", options.chunks, CHUNKS);
    checkOneOf("FrameDecoder", "payload", options.payload, PAYLOAD_MODES);
    checkRsv(options.rsv);
    this.#masked = options.role === "server";
    this.#chunks = options.chunks ?? "kept";
    this.#payload = options.payload ?? "shared";
    this.#rsv = options.rsv ?? 0;
  }

  /** Whether the decoder is paused, until {@linkcode FrameDecoder.resume}. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** Whether bytes wait for {@linkcode FrameDecoder.resume}. */
  get hasRest(): boolean {
    return this.#rest.length > 0;
  }

  /** The memory for an unfinished control frame and for pending input, in bytes. */
  get heldBytes(): number {
    // The rest is a view, which keeps its whole buffer in memory.
    return this.#control.length + (this.#rest.length > 0 ? this.#rest.buffer.byteLength : 0);
  }

  /** Drops the pending input. Further bytes are ignored, as after an error. */
  discard(): void {
    this.#ended = true;
    this.#paused = false;
    this.#rest = this.#control = EMPTY;
  }

  /**
   * Stops before the next frame; called by the sink within `enqueue()`. The rest of the chunk, and
   * further chunks, are kept as pending input until `resume()`.
   */
  pause(): void {
    this.#paused = true;
  }

  /** Continues after a {@linkcode FrameDecoder.pause} with the pending input. */
  resume(sink: FrameSink): void {
    this.#paused = false;
    const rest = this.#takeRest();
    if (rest.length > 0) this.#decode(rest, false, sink);
  }

  /**
   * Decodes the next bytes, and passes the frames and parts of frames in them to `sink`.
   *
   * @throws {ProtocolError} If the bytes violate a rule of RFC 6455 §5.
   * @throws {MessageTooBigError} If a frame announces more than 2^53 - 1 bytes.
   * @throws {TypeError} If the sink has transferred the buffer of a payload that contains later frames.
   */
  transform(chunk: Uint8Array, sink: FrameSink): void {
    if (this.#ended) return;
    const isLent = this.#chunks === "lent" && !this.#paused;
    const bytes = isLent || this.#chunks === "given" ? chunk : new Uint8Array(chunk);
    if (!this.#paused) {
      this.#decode(bytes, isLent, sink);
    } else if (bytes.length > 0) {
      const rest = this.#takeRest();
      this.#rest = rest.length === 0 ? bytes : concat(rest, bytes);
    }
  }

  /** Returns the pending input and clears it. It is detached if its length has become 0. */
  #takeRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = EMPTY;
    if (rest.length > 0 || rest === EMPTY) return rest;
    this.#ended = true;
    throw transferred();
  }

  /**
   * Ends the input.
   *
   * @throws {WebSocketError} If it ends inside a frame or a message: close code 1006.
   */
  flush(): void {
    const { isAtStart = true, inMessage = false } = this.#header ?? {};
    if (this.#ended || (isAtStart && !inMessage)) return;
    this.#ended = true;
    throw new WebSocketError(
      `Cannot decode frame: the bytes end inside a ${isAtStart ? "message" : "frame"}`,
      { code: "ERR_TRUNCATED", closeCode: 1006 },
    );
  }

  #decode(chunk: Uint8Array, isLent: boolean, sink: FrameSink): void {
    let bytes = chunk;
    let { length } = bytes;
    let position = 0;
    this.#isLent = isLent;
    this.#isViewed = sink.copiesParts !== true;
    try {
      while (position < length && !this.#ended) {
        if (bytes.length < length) throw transferred();
        if (this.#isLent && (this.#paused || this.#startsShortBinary(bytes, position))) {
          bytes = copyFrom(bytes, position);
          position = 0;
          length = bytes.length;
          this.#isLent = false;
        }
        if (this.#paused) {
          this.#rest = bytes.subarray(position);
          return;
        }
        position = this.#decodeFrame(bytes, position, sink);
      }
      if (length >= FREED_FROM && !this.#isViewed && this.#chunks === "given") free(bytes);
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  /**
   * Returns whether a short shared binary frame starts here and ends within the chunk. If so, the rest of a
   * lent chunk is copied: once for all its frames, because allocating costs more than decoding. A longer
   * frame is copied alone. Text and the parts of a larger frame need no copy: text becomes a string, and the
   * assembler collects the parts.
   */
  #startsShortBinary(bytes: Uint8Array, position: number): boolean {
    if (this.#payload !== "shared" || this.#header?.isAtStart === false) return false;
    if ((bytes[position] & 0x0f) !== Opcode.Binary) return false;
    const left = bytes.length - position;
    const length = bytes[position + 1] & 0x7f;
    // An estimate that ignores the header: copying an incomplete frame does no harm.
    if (length < 126) return left >= length;
    const extended = (bytes[position + 2] << 8) | bytes[position + 3];
    return length === 126 && extended < MAX_TOGETHER && left >= extended;
  }

  /**
   * Decodes up to the end of the current frame or of the bytes.
   *
   * @returns The position after the last byte that was decoded.
   */
  #decodeFrame(bytes: Uint8Array, start: number, sink: FrameSink): number {
    let position = start;
    const isNew = this.#header?.isComplete !== true;
    if (isNew) {
      position = this.#decodeShort(bytes, start, sink);
      if (position > start) return position;
      const role = this.#masked ? "server" : "client";
      const header = this.#header ??= new FrameHeaderReader(role, this.#rsv);
      position = header.read(bytes, start);
      if (!header.isComplete) return position;
      this.#offset = 0;
    }
    return this.#readPayload(this.#header!, isNew, bytes, position, sink);
  }

  /**
   * Decodes a frame that is a whole short message, as most are, in a third of the time. Any other frame is
   * left to the header reader, which checks the rules.
   *
   * @returns The end of the frame; `start` if it is any other frame.
   */
  #decodeShort(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const header = this.#header;
    const first = bytes[start];
    if (first !== 0x81 && first !== 0x82) return start;
    if (header !== undefined && (header.inMessage || !header.isAtStart)) return start;
    // The length if the mask bit is right; otherwise, or if this byte is missing, not a short length.
    const length = this.#masked ? bytes[start + 1] ^ 0x80 : bytes[start + 1];
    const from = start + (this.#masked ? 6 : 2);
    const to = from + length;
    if (!(length <= MAX_SHORT && to <= bytes.length)) return start;
    if (this.#masked) {
      const key = bytes[from - 4] | (bytes[from - 3] << 8) | (bytes[from - 2] << 16) |
        (bytes[from - 1] << 24);
      mask(bytes, from, to, key);
    }
    this.#isViewed = true;
    if (first === 0x82 && this.#payload === "owned") {
      deliverFrame(first, copyOf(bytes, from, to), 0, length, sink);
    } else {
      deliverFrame(first, bytes, from, to, sink);
    }
    return to;
  }

  #readPayload(
    header: FrameHeaderReader,
    isNew: boolean,
    bytes: Uint8Array,
    start: number,
    sink: FrameSink,
  ): number {
    const { first, length, key } = header;
    const offset = this.#offset;
    const stop = Math.min(bytes.length, start + length - offset);
    const last = offset + (stop - start) === length;
    // A header at the end of a chunk is passed on with an empty payload, so that a length over a limit
    // is known before the peer sends the payload.
    const rotated = rotateKey(key, offset);
    const isWhole = last && offset === 0;
    const opcode = first & 0x0f;
    // The part of a message is unmasked by its consumer, which may copy it in the same step.
    const isLazy = !isWhole && !isControl(opcode);
    if (!isLazy) this.#isViewed = true;
    const isCopied = isWhole && opcode === Opcode.Binary &&
      (this.#payload === "owned" || (this.#isLent && this.#payload === "shared"));
    let payload = bytes;
    let from = start;
    if (isCopied) {
      payload = new Uint8Array(length);
      from = 0;
      unmaskTo(bytes, start, stop, rotated, payload, 0);
    } else if (rotated !== 0 && !isLazy) {
      mask(bytes, start, stop, rotated);
    }
    this.#offset = offset + (stop - start);
    if (last) header.reset();
    if (isControl(opcode)) {
      this.#readControl(first, bytes, start, stop, last, sink);
      return stop;
    }
    const to = from + (stop - start);
    // A frame whose header was passed on with an empty part is not delivered as a whole one.
    if (isWhole && isNew) deliverFrame(first, payload, from, to, sink);
    else {
      const key = isLazy ? rotated : 0;
      sink.enqueue(new DecodedFrame(first, length, offset, payload, from, to, key));
    }
    return stop;
  }

  #readControl(
    first: number,
    bytes: Uint8Array,
    start: number,
    stop: number,
    last: boolean,
    sink: FrameSink,
  ): void {
    if (!last) {
      this.#control = concat(this.#control, bytes.subarray(start, stop));
      return;
    }
    // RFC 6455 §5.5.1 and §1.4: data after a Close frame is discarded.
    if ((first & 0x0f) === Opcode.Close) this.#ended = true;
    if (this.#control.length === 0) {
      sink.enqueue(new DecodedFrame(first, stop - start, 0, bytes, start, stop));
      return;
    }
    const payload = concat(this.#control, bytes.subarray(start, stop));
    this.#control = EMPTY;
    sink.enqueue(new DecodedFrame(first, payload.length, 0, payload, 0, payload.length));
  }
}

/** Returns the error for a payload whose buffer, which also holds later frames, was transferred. */
function transferred(): TypeError {
  return new TypeError(
    "Cannot decode frame: the buffer of a message has been transferred, and with it what came in " +
      "the same chunk: expected the buffer of a copy, message.slice()",
  );
}

/**
 * Frees the memory of bytes that have been copied, so that the next chunk gets it while it is in the
 * processor's cache. Left to the garbage collector, each chunk would take new memory.
 */
function free(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (bytes.length === buffer.byteLength) buffer.transfer(0);
}

/** Returns a copy. `slice()` and `set()` take longer: on Deno they fill the copy with zeros first. */
function copyFrom(bytes: Uint8Array, start: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start));
}
