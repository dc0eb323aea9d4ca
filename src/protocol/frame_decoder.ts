import { DecodedFrame } from "./decoded_frame.ts";
import { WebSocketError } from "./errors.ts";
import type { Frame, Role } from "./frame.ts";
import { FrameHeaderReader } from "./frame_header_reader.ts";
import { enqueueWhole } from "./frame_sink.ts";
import type { FrameSink } from "./frame_sink.ts";
import { mask, rotateKey } from "./mask.ts";
import { isControl, Opcode } from "./opcode.ts";

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
   * Whose the chunks are: `"kept"` by the caller, so that the decoder makes a copy of each; `"given"` to
   * the decoder, which unmasks them in place, and whose payloads are views of them; or `"lent"`, given
   * until the call returns: then the payload of a whole binary frame is a view of a copy, and any
   * other must be used before the call returns.
   *
   * @default {"kept"}
   */
  chunks?: "kept" | "given" | "lent";
}

/** The longest payload, in bytes, whose length stands in the header's second byte. */
const MAX_SHORT = 125;

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
  readonly #chunks: "kept" | "given" | "lent";
  readonly #rsv: number;
  /** Made with the first frame that is not a short message, whole. */
  #header: FrameHeaderReader | undefined;
  /** How many payload bytes of the current frame have been handed on. */
  #offset = 0;
  /** The payload so far of a control frame that is cut by the end of a chunk. */
  #control: Uint8Array = NO_BYTES;
  #ended = false;
  #paused = false;
  /** Whether the bytes at hand are the caller's again when the call returns. */
  #isLent = false;
  /** What a pause left of a chunk. */
  #rest: Uint8Array = NO_BYTES;

  /** Makes a decoder for one direction of one connection. */
  constructor(options: FrameDecoderOptions) {
    this.#masked = options.role === "server";
    this.#chunks = options.chunks ?? "kept";
    this.#rsv = options.rsv ?? 0;
  }

  /** Whether bytes wait for {@linkcode FrameDecoder.resume}. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** How many bytes of memory it holds: of an unfinished control frame, and what a pause has left. */
  get heldBytes(): number {
    // The rest is a view: what it is cut from can't be freed either.
    return this.#control.length + (this.#rest.length > 0 ? this.#rest.buffer.byteLength : 0);
  }

  /** Ends it, as an error does: what it holds is dropped, and further bytes are ignored. */
  discard(): void {
    this.#ended = true;
    this.#paused = false;
    this.#rest = this.#control = NO_BYTES;
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
    const rest = this.#takeRest();
    if (rest.length > 0) this.#decode(rest, false, sink);
  }

  /**
   * Takes the next bytes, and hands the frames and parts of frames that they hold to `sink`.
   *
   * @throws {ProtocolError} where the bytes break a rule of RFC 6455 §5.
   * @throws {MessageTooBigError} where a frame claims more bytes than a number can count.
   * @throws {TypeError} where the sink has transferred a payload's buffer that others are views of.
   */
  transform(chunk: Uint8Array, sink: FrameSink): void {
    if (this.#ended) return;
    const isLent = this.#chunks === "lent" && !this.#paused;
    const bytes = isLent || this.#chunks === "given" ? chunk : new Uint8Array(chunk);
    if (!this.#paused) this.#decode(bytes, isLent, sink);
    else if (bytes.length > 0) this.#rest = concat(this.#takeRest(), bytes);
  }

  /** What a pause has left, which is never empty unless there was none. */
  #takeRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = NO_BYTES;
    if (rest.length > 0 || rest === NO_BYTES) return rest;
    this.#ended = true;
    throw transferred();
  }

  /**
   * The bytes have ended.
   *
   * @throws {WebSocketError} with close code 1006 where they end inside a frame or a message.
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
    try {
      while (position < length && !this.#ended) {
        if (bytes.length < length) throw transferred();
        if (this.#isLent && (this.#paused || this.#startsWholeBinary(bytes, position))) {
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
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  /**
   * Whether a binary frame starts here, and ends within the chunk. From there on, what is left of a lent
   * chunk is copied: once for all its frames, since to allocate costs more than to decode. Text
   * becomes a string, and the parts of a larger frame are gathered elsewhere: neither needs a copy.
   */
  #startsWholeBinary(bytes: Uint8Array, position: number): boolean {
    if (this.#header?.isAtStart === false || (bytes[position] & 0x0f) !== Opcode.Binary) {
      return false;
    }
    const left = bytes.length - position;
    const length = bytes[position + 1] & 0x7f;
    // Roughly: to copy what is not whole does no harm.
    if (length < 126) return left >= length;
    if (length === 126) return left >= ((bytes[position + 2] << 8) | bytes[position + 3]);
    const view = new DataView(bytes.buffer, bytes.byteOffset + position, left);
    return left >= 10 && left >= view.getUint32(6);
  }

  /** Decodes up to the end of the current frame, or of the bytes; gives back where it stopped. */
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
   * Most frames are messages of their own, short and whole: those are decoded here, in a third of
   * the time. Whatever is in any way else is left to the header reader, which knows the rules.
   *
   * @returns where the frame ends; `start` where it's not such a frame.
   */
  #decodeShort(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const header = this.#header;
    const first = bytes[start];
    if (first !== 0x81 && first !== 0x82) return start;
    if (header !== undefined && (header.inMessage || !header.isAtStart)) return start;
    // With the mask bit as it should be, this is the length; else, or without this byte, it's more.
    const length = this.#masked ? bytes[start + 1] ^ 0x80 : bytes[start + 1];
    const from = start + (this.#masked ? 6 : 2);
    const to = from + length;
    if (!(length <= MAX_SHORT && to <= bytes.length)) return start;
    if (this.#masked) {
      const key = bytes[from - 4] | (bytes[from - 3] << 8) | (bytes[from - 2] << 16) |
        (bytes[from - 1] << 24);
      mask(bytes, from, to, key);
    }
    enqueueWhole(first, bytes, from, to, sink);
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
    // A header at the very end of a chunk is handed on without a byte of payload, so that a length
    // that breaks a limit is known before the peer sends what it announced.
    if (key !== 0) mask(bytes, start, stop, rotateKey(key, offset));
    this.#offset = offset + (stop - start);
    if (last) header.reset();
    const opcode = first & 0x0f;
    if (isControl(opcode)) {
      this.#readControl(first, bytes, start, stop, last, sink);
      return stop;
    }
    const isWhole = last && offset === 0;
    const isCopied = isWhole && this.#isLent && opcode === Opcode.Binary;
    const payload = isCopied ? new Uint8Array(bytes.subarray(start, stop)) : bytes;
    const from = isCopied ? 0 : start;
    const to = from + (stop - start);
    // What has been announced, by a part without a byte, is not whole any more.
    if (isWhole && isNew) enqueueWhole(first, payload, from, to, sink);
    else sink.enqueue(new DecodedFrame(first, length, offset, payload, from, to));
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
      this.#control = concat(this.#control, bytes.slice(start, stop));
      return;
    }
    // RFC 6455 §5.5.1 and §1.4: what follows a Close frame is discarded.
    if ((first & 0x0f) === Opcode.Close) this.#ended = true;
    if (this.#control.length === 0) {
      sink.enqueue(new DecodedFrame(first, stop - start, 0, bytes, start, stop));
      return;
    }
    const payload = concat(this.#control, bytes.subarray(start, stop));
    this.#control = NO_BYTES;
    sink.enqueue(new DecodedFrame(first, payload.length, 0, payload, 0, payload.length));
  }
}

/** Somebody has given away what is not his alone; the bytes are lost, and with them what comes next. */
function transferred(): TypeError {
  return new TypeError(
    "Cannot decode frame: the buffer of a message has been transferred, and with it what came in " +
      "the same chunk: expected the buffer of a copy, message.slice()",
  );
}

/** Takes less time than `slice()` or `set()`, which on Deno fill the copy with zeros first. */
function copyFrom(bytes: Uint8Array, start: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start));
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
