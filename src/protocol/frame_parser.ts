import { concat, EMPTY } from "./bytes.ts";
import { DecodedFrame } from "./decoded_frame.ts";
import { WebSocketError } from "./errors.ts";
import { checkRsv, ROLES } from "./frame.ts";
import type { Frame, Role } from "./frame.ts";
import { FrameHeaderReader } from "./frame_header_reader.ts";
import { deliverFrame, isDecoded } from "./frame_sink.ts";
import type { FrameSink } from "./frame_sink.ts";
import { mask, rotateKey, unmaskTo } from "./mask.ts";
import { PAYLOAD_MODES } from "./message.ts";
import type { PayloadMode } from "./message.ts";
import { checkNames, checkOneOf } from "./options.ts";
import { BINARY, CLOSE, isControl } from "./opcode.ts";

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

/**
 * Decodes bytes into frames, as a stream does: {@linkcode FrameDecoder} without its pauses
 * and its faster paths. It copies a lent chunk, as one that is kept.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameParser implements Transformer<Uint8Array, Frame> {
  /** Whether further bytes are ignored: after a Close frame, and after an error. */
  protected ended = false;
  /** The ownership of the chunks. */
  protected readonly chunks: "kept" | "given" | "lent";
  /** What the payload of a whole binary frame is. */
  protected readonly payload: PayloadMode;
  /** Whether views of the current bytes have been passed on, or kept. */
  protected isViewed = false;
  /** Whether the frames must be masked. */
  protected readonly masked: boolean;
  readonly #rsv: number;
  /** Created for the first frame that is not a whole short message. */
  #header: FrameHeaderReader | undefined;
  /** The number of payload bytes of the current frame that have been passed on. */
  #offset = 0;
  /** The payload so far of a control frame that arrives in several chunks. */
  protected control: Uint8Array = EMPTY;

  /**
   * Creates a parser for one direction of one connection.
   *
   * @throws {TypeError} If the role, or the name or the value of an option, is unknown.
   * @throws {RangeError} If `rsv` is not a combination of the values of {@linkcode Rsv}.
   */
  constructor(options: FrameDecoderOptions) {
    checkNames("FrameDecoder", options, NAMES);
    const { role, rsv = 0, chunks = "kept", payload = "shared" } = options;
    checkOneOf("FrameDecoder", "role", role, ROLES);
    checkOneOf("FrameDecoder", "chunks", chunks, CHUNKS);
    checkOneOf("FrameDecoder", "payload", payload, PAYLOAD_MODES);
    checkRsv(rsv);
    this.masked = role === "server";
    this.chunks = chunks;
    this.payload = payload;
    this.#rsv = rsv;
  }

  /**
   * Decodes the next bytes, and passes the frames and parts of frames in them to `sink`.
   *
   * @throws {ProtocolError} If the bytes violate a rule of RFC 6455 §5.
   * @throws {MessageTooBigError} If a frame announces more than 2^53 - 1 bytes.
   * @throws {TypeError} If the sink has transferred the buffer of a payload that contains later frames.
   */
  transform(chunk: Uint8Array, sink: FrameSink): void {
    const bytes = this.chunks === "given" ? chunk : new Uint8Array(chunk);
    const { length } = bytes;
    try {
      for (let position = 0; position < length && !this.ended;) {
        if (bytes.length < length) throw transferred();
        position = this.decodeFrame(bytes, position, sink);
      }
    } catch (error) {
      this.ended = true;
      throw error;
    }
  }

  /**
   * Ends the input.
   *
   * @throws {WebSocketError} If it ends inside a frame or a message: close code 1006.
   */
  flush(): void {
    const { isAtStart = true, inMessage = false } = this.#header ?? {};
    if (this.ended || (isAtStart && !inMessage)) return;
    this.ended = true;
    throw new WebSocketError(
      `Cannot decode frame: the bytes end inside a ${isAtStart ? "message" : "frame"}`,
      { code: "ERR_TRUNCATED", closeCode: 1006 },
    );
  }

  /** Whether the next byte is the first of a frame. */
  protected get isAtStart(): boolean {
    return this.#header?.isAtStart !== false;
  }

  /** Whether the next byte is the first of a message, or of a control frame outside messages. */
  protected get isBetweenMessages(): boolean {
    const header = this.#header;
    return header === undefined || (header.isAtStart && !header.inMessage);
  }

  /**
   * Decodes up to the end of the current frame or of the bytes.
   *
   * @returns The position after the last byte that was decoded.
   */
  protected decodeFrame(bytes: Uint8Array, start: number, sink: FrameSink): number {
    let position = start;
    const isNew = this.#header?.isComplete !== true;
    if (isNew) {
      const header = this.#header ??= new FrameHeaderReader(this.masked, this.#rsv);
      position = header.read(bytes, start);
      if (!header.isComplete) return position;
      this.#offset = 0;
    }
    return this.#readPayload(this.#header!, isNew, bytes, position, sink);
  }

  /** Whether the payload of a whole binary frame is copied. */
  protected get isCopied(): boolean {
    return this.payload === "owned";
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
    const isDelivered = isWhole && isNew;
    if (!isLazy && !(isDelivered && isDecoded(first, sink))) this.isViewed = true;
    const isCopied = isWhole && opcode === BINARY && this.isCopied;
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
    if (isDelivered) deliverFrame(first, payload, from, to, sink);
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
    const part = bytes.subarray(start, stop);
    if (!last) {
      this.control = concat(this.control, part);
      return;
    }
    // RFC 6455 §5.5.1 and §1.4: data after a Close frame is discarded.
    if ((first & 0x0f) === CLOSE) this.ended = true;
    const payload = this.control.length === 0 ? part : concat(this.control, part);
    this.control = EMPTY;
    sink.enqueue(new DecodedFrame(first, payload.length, 0, payload, 0, payload.length));
  }
}

/** Returns the error for a payload whose buffer, which also holds later frames, was transferred. */
export function transferred(): TypeError {
  return new TypeError(
    "Cannot decode frame: the buffer of a message has been transferred: " +
      "expected that of message.slice()",
  );
}
