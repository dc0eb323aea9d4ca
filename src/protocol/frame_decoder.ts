import { concat, copyOf, EMPTY } from "./bytes.ts";
import { FrameParser, transferred } from "./frame_parser.ts";
import { deliverFrame, isDecoded } from "./frame_sink.ts";
import type { FrameSink } from "./frame_sink.ts";
import { mask, maskBytes, WORDS_FROM } from "./mask.ts";
import { BINARY } from "./opcode.ts";

/** The longest payload, in bytes, whose length fits in the second byte of the header. */
const MAX_SHORT = 125;
/** The size of a chunk, in bytes, from which on its memory is freed at once if it has been copied. */
const FREED_FROM = 64 * 1024;
/** The payload size, in bytes, from which on a shared message is copied alone, not with its chunk. */
const MAX_TOGETHER = 16 * 1024;
/** The most bytes of a lent chunk that are copied into a buffer that several chunks share. */
const MAX_GATHERED = 128;
/** The size of that buffer, in bytes: on Deno, to allocate one for each message costs more than all else. */
const GATHERED = 512;

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
export class FrameDecoder extends FrameParser {
  #paused = false;
  /** Whether the caller owns the current bytes again when the call returns. */
  #isLent = false;
  /** The bytes that wait for {@linkcode FrameDecoder.resume}. */
  #rest: Uint8Array = EMPTY;
  /** The copies of the last short chunks that were lent, and the position of the next one. */
  #gathered: Uint8Array = EMPTY;
  #gatheredTo = 0;

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
    return this.control.length + (this.#rest.length > 0 ? this.#rest.buffer.byteLength : 0);
  }

  /** Drops the pending input. Further bytes are ignored, as after an error. */
  discard(): void {
    this.ended = true;
    this.#paused = false;
    this.#rest = this.control = EMPTY;
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
  override transform(chunk: Uint8Array, sink: FrameSink): void {
    if (this.ended) return;
    const isLent = this.chunks === "lent" && !this.#paused;
    const bytes = isLent || this.chunks === "given" ? chunk : new Uint8Array(chunk);
    if (!this.#paused) {
      this.#decode(bytes, isLent, sink);
    } else if (bytes.length > 0) {
      const rest = this.#takeRest();
      this.#rest = rest.length === 0 ? bytes : concat(rest, bytes);
    }
  }

  /** Decodes up to the end of the current frame or of the bytes, and returns the position after that. */
  protected override decodeFrame(bytes: Uint8Array, start: number, sink: FrameSink): number {
    let position = this.#decodeShort(bytes, start, sink);
    if (position > start) return position;
    position = this.#decodeMedium(bytes, start, sink);
    return position > start ? position : super.decodeFrame(bytes, start, sink);
  }

  /** Whether the payload of a whole binary frame is copied. */
  protected override get isCopied(): boolean {
    return super.isCopied || (this.#isLent && this.payload === "shared");
  }

  /**
   * Decodes a frame that is a whole short message, as most are, in a third of the time. Any other frame is
   * left to the header reader, which checks the rules.
   *
   * @returns The end of the frame; `start` if it is any other frame.
   */
  #decodeShort(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const first = bytes[start];
    if (first !== 0x81 && first !== 0x82) return start;
    if (!this.isBetweenMessages) return start;
    // The length if the mask bit is right; otherwise, or if this byte is missing, not a short length.
    const length = this.masked ? bytes[start + 1] ^ 0x80 : bytes[start + 1];
    const from = start + (this.masked ? 6 : 2);
    const to = from + length;
    if (!(length <= MAX_SHORT && to <= bytes.length)) return start;
    if (this.masked) {
      const key = keyBefore(bytes, from);
      if (length < WORDS_FROM) maskBytes(bytes, from, to, key);
      else mask(bytes, from, to, key);
    }
    // For text, too: with one more condition here, a short message takes 6 % more time on Bun.
    this.isViewed = true;
    // V8 inlines what most messages take, as far as it is short.
    if (this.payload === "owned") deliverShort(first, bytes, from, to, sink);
    else if (sink.enqueueWhole !== undefined) sink.enqueueWhole(first, bytes, from, to);
    else deliverFrame(first, bytes, from, to, sink);
    return to;
  }

  /**
   * Decodes a frame with a 16-bit length that is a whole message, and is not copied. Separate from
   * `#decodeShort()`, which an engine inlines because it is short.
   *
   * @returns The end of the frame; `start` if it is any other frame.
   */
  #decodeMedium(bytes: Uint8Array, start: number, sink: FrameSink): number {
    const first = bytes[start];
    if (first !== 0x81 && first !== 0x82) return start;
    if (!this.isBetweenMessages) return start;
    if (bytes[start + 1] !== (this.masked ? 0xfe : 0x7e)) return start;
    const length = (bytes[start + 2] << 8) | bytes[start + 3];
    const from = start + (this.masked ? 8 : 4);
    const to = from + length;
    // RFC 6455 §5.2: a short length must not be written in 16 bits.
    if (length <= MAX_SHORT || to > bytes.length) return start;
    if (first === 0x82 && this.isCopied) return start;
    if (this.masked) mask(bytes, from, to, keyBefore(bytes, from));
    if (!isDecoded(first, sink)) this.isViewed = true;
    deliverFrame(first, bytes, from, to, sink);
    return to;
  }

  /** Returns the pending input and clears it. It is detached if its length has become 0. */
  #takeRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = EMPTY;
    if (rest.length > 0 || rest === EMPTY) return rest;
    this.ended = true;
    throw transferred();
  }

  #decode(chunk: Uint8Array, isLent: boolean, sink: FrameSink): void {
    let bytes = chunk;
    let { length } = bytes;
    let position = 0;
    this.#isLent = isLent;
    this.isViewed = sink.copiesParts !== true;
    try {
      while (position < length && !this.ended) {
        if (bytes.length < length) throw transferred();
        if (this.#isLent && (this.#paused || this.#startsShortBinary(bytes, position))) {
          bytes = this.#copyFrom(bytes, position);
          position = 0;
          length = bytes.length;
          this.#isLent = false;
        }
        if (this.#paused) {
          this.#rest = bytes.subarray(position);
          return;
        }
        position = this.decodeFrame(bytes, position, sink);
      }
      if (length >= FREED_FROM && !this.isViewed && this.chunks === "given") free(bytes);
    } catch (error) {
      this.ended = true;
      throw error;
    }
  }

  /** Returns a copy of the rest of a lent chunk. */
  #copyFrom(bytes: Uint8Array, start: number): Uint8Array {
    const size = bytes.length - start;
    // `slice()` and `set()` take longer: on Deno they fill the copy with zeros first.
    if (size > MAX_GATHERED) return new Uint8Array(bytes.subarray(start));
    // The application may have transferred the buffer, whose length is 0 then.
    if (this.#gatheredTo + size > this.#gathered.length) {
      this.#gathered = new Uint8Array(GATHERED);
      this.#gatheredTo = 0;
    }
    const gathered = this.#gathered;
    const at = this.#gatheredTo;
    for (let i = 0; i < size; i++) gathered[at + i] = bytes[start + i];
    this.#gatheredTo = at + size;
    return gathered.subarray(at, at + size);
  }

  /**
   * Returns whether a short shared binary frame starts here and ends within the chunk. If so, the rest of a
   * lent chunk is copied: once for all its frames, because allocating costs more than decoding. A longer
   * frame is copied alone. Text and the parts of a larger frame need no copy: text becomes a string, and the
   * assembler collects the parts.
   */
  #startsShortBinary(bytes: Uint8Array, position: number): boolean {
    if (this.payload !== "shared" || !this.isAtStart) return false;
    if ((bytes[position] & 0x0f) !== BINARY) return false;
    const left = bytes.length - position;
    const length = bytes[position + 1] & 0x7f;
    // An estimate that ignores the header: copying an incomplete frame does no harm.
    if (length < 126) return left >= length;
    const extended = (bytes[position + 2] << 8) | bytes[position + 3];
    return length === 126 && extended < MAX_TOGETHER && left >= extended;
  }
}

/** Returns the masking key in the last 4 bytes of a header. */
function keyBefore(bytes: Uint8Array, end: number): number {
  return bytes[end - 4] | (bytes[end - 3] << 8) | (bytes[end - 2] << 16) | (bytes[end - 1] << 24);
}

/** Delivers a short message, whose payload is copied if it is binary. */
function deliverShort(
  first: 0x81 | 0x82,
  bytes: Uint8Array,
  from: number,
  to: number,
  sink: FrameSink,
): void {
  if (first === 0x81) deliverFrame(first, bytes, from, to, sink);
  else deliverFrame(first, copyOf(bytes, from, to), 0, to - from, sink);
}

/**
 * Frees the memory of bytes that have been copied, so that the next chunk gets it while it is in the
 * processor's cache. Left to the garbage collector, each chunk would take new memory.
 */
function free(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer;
  if (bytes.length === buffer.byteLength) buffer.transfer(0);
}
