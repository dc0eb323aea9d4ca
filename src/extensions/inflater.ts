import {
  checkRestarts,
  inflatesTooFar,
  invalidDeflate,
  storedBlockHeader,
  TAIL,
  truncatedDeflate,
} from "./deflate_format.ts";
import { SlidingWindow } from "./sliding_window.ts";
import { ZlibLease, ZlibPool } from "./zlib_pool.ts";
import { Z_BLOCK, Z_DATA_ERROR, Z_SYNC_FLUSH, ZlibError, ZlibStream } from "./zlib_stream.ts";

/** The largest output of one call of zlib, in bytes: the message size is checked after each. */
const OUTPUT_SIZE = 64 * 1024;
/** The number of streams that are kept for all connections: {@linkcode STREAM_SIZE} each. */
const KEPT = 64;
/** The memory that zlib uses for a stream, in bytes: its state, and a window of 32 KiB. */
const STREAM_SIZE = 40 * 1024;

/** The tail, and one byte that must not belong to a block: not 0, see `#checkEnd()`. */
const TAIL_AND_MORE = /* @__PURE__ */ new Uint8Array([...TAIL, 0x55]);

const pool = /* @__PURE__ */ new ZlibPool(KEPT, () => ZlibStream.inflate());
let output: Uint8Array | undefined;
let primer: Uint8Array | undefined;
let primed: Uint8Array | undefined;

/** Options of {@linkcode Inflater}. */
export interface InflaterOptions {
  /** The base-2 logarithm of the LZ77 window, 8 to 15. */
  windowBits: number;
  /** Whether a message may refer to earlier ones. */
  takesContextOver: boolean;
  /** The largest accepted message, in bytes, after decompression. */
  maxMessageSize: number;
}

/** Receives the output of an {@linkcode Inflater}. */
export interface InflaterTarget {
  /**
   * Takes the next output. It owns the bytes, unless `copies` or `copiesParts` is true.
   *
   * @param bytes The bytes; may be empty.
   * @param isLast Whether this is the last output for the current input.
   */
  inflated(bytes: Uint8Array, isLast: boolean): void;
  /** Whether the bytes may be overwritten when `inflated()` returns. Otherwise the target keeps them. */
  readonly copies?: boolean;
  /** As `copies`, except for output that is a whole message. */
  readonly copiesParts?: boolean;
  /** Whether the inflater must stop and keep the rest of the input for `resume()`. */
  readonly isPaused: boolean;
}

/**
 * Decompresses the messages that one connection receives, with streams from a pool that all connections
 * share. Uses no native memory before the first message.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 RFC 7692 §7.2.2}
 */
export class Inflater {
  readonly #takesContextOver: boolean;
  readonly #maxMessageSize: number;
  /** The last bytes of earlier output, to which later messages may refer. */
  readonly #window: SlidingWindow;
  readonly #lease: ZlibLease;
  /** The size of the current message so far, in bytes of output. */
  #size = 0;
  /** The size of the current message so far, in bytes of input, and the final blocks in it. */
  #consumed = 0;
  #restarts = 0;
  /** The input that waits for `resume()`. */
  #rest: { input: Uint8Array; endsMessage: boolean } | undefined;
  #isClosed = false;

  constructor(options: InflaterOptions) {
    this.#takesContextOver = options.takesContextOver;
    this.#maxMessageSize = options.maxMessageSize;
    this.#window = new SlidingWindow(1 << options.windowBits);
    // RFC 7692 §7.2.2: the receiver "MUST decompress each new message using the LZ77 sliding window
    // used to process the last compressed message", unless the peer takes no context over.
    this.#lease = new ZlibLease(pool, (zlib) => this.#prime(zlib));
  }

  /** The memory of this connection, in bytes, without the shared pool. */
  get heldBytes(): number {
    return this.#window.capacity + (this.#rest?.input.length ?? 0) +
      (this.#lease.isOut ? STREAM_SIZE : 0);
  }

  /**
   * Decompresses the next bytes of a message.
   *
   * @param input The bytes.
   * @param endsMessage Whether they are the last of the message.
   * @param target Receives the output.
   * @throws {InvalidPayloadError} If the data are invalid, or end too early.
   * @throws {MessageTooBigError} If the message exceeds `maxMessageSize`.
   * @throws {PolicyViolationError} If the message has too many final blocks.
   */
  push(input: Uint8Array, endsMessage: boolean, target: InflaterTarget): void {
    try {
      this.#inflate(input, endsMessage, target);
    } catch (error) {
      this.#lease.fail();
      this.close();
      const isDataError = error instanceof ZlibError && error.errno === Z_DATA_ERROR;
      throw isDataError ? invalidDeflate(error) : error;
    }
  }

  /**
   * Continues after a pause.
   *
   * @throws {WebSocketError} As `push()` does.
   */
  resume(target: InflaterTarget): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    this.push(rest.input, rest.endsMessage, target);
  }

  /** Frees its memory. Nothing is decompressed any more. */
  close(): void {
    this.#isClosed = true;
    this.#rest = undefined;
    this.#window.clear();
    this.#lease.close();
  }

  #inflate(input: Uint8Array, endsMessage: boolean, target: InflaterTarget): void {
    const { zlib } = this.#lease;
    for (let start = 0;;) {
      const buffer = outputBuffer();
      // One byte over the limit is enough to detect that the message is too big.
      const room = Math.min(buffer.length, this.#maxMessageSize - this.#size + 1);
      zlib.write(Z_SYNC_FLUSH, input, start, buffer, room);
      const { availableIn, availableOut } = zlib;
      this.#consumed += input.length - availableIn - start;
      start = input.length - availableIn;
      this.#size += room - availableOut;
      if (this.#size > this.#maxMessageSize) throw inflatesTooFar(this.#maxMessageSize);
      const isLast = availableIn === 0 && availableOut > 0;
      const length = room - availableOut;
      const isPart = !(isLast && endsMessage && this.#size === length);
      const isCopied = target.copies === true || (isPart && target.copiesParts === true);
      const bytes = taken(buffer, length, isCopied);
      if (this.#takesContextOver || !(isLast && endsMessage)) this.#window.append(bytes);
      // zlib stops with input and room left only after a final block.
      if (availableIn > 0 && availableOut > 0) this.#restart(zlib);
      if (isLast && endsMessage) this.#end(zlib);
      if (isLast || bytes.length > 0) target.inflated(bytes, isLast);
      if (isLast || this.#isClosed) return;
      if (target.isPaused) {
        this.#rest = { input: input.slice(start), endsMessage };
        return;
      }
    }
  }

  #end(zlib: ZlibStream): void {
    this.#checkEnd(zlib);
    this.#lease.end(this.#takesContextOver);
    if (!this.#takesContextOver) this.#window.clear();
    this.#size = this.#consumed = this.#restarts = 0;
  }

  /**
   * RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the
   * message." They must be the end of a block. zlib does not report whether they are. But with Z_BLOCK it
   * stops at the end of a block, which must be right before the byte that follows. (If the payload lacks
   * even the first bits of the block, the tail starts a block of 0xff00 bytes, and that byte makes its
   * length invalid. So a message without a payload is refused: RFC 7692 §7.2.3.6 makes an empty one of "an
   * empty uncompressed DEFLATE block", the "single octet 0x00".)
   */
  #checkEnd(zlib: ZlibStream): void {
    zlib.write(Z_BLOCK, TAIL_AND_MORE, 0, outputBuffer(), OUTPUT_SIZE);
    if (zlib.availableIn !== 1 || zlib.availableOut !== OUTPUT_SIZE) throw truncatedDeflate();
  }

  /**
   * RFC 7692 §7.2.1: "Both DEFLATE blocks with the "BFINAL" bit set to 0 and DEFLATE blocks with the
   * "BFINAL" bit set to 1 may be used." zlib ends the stream after the latter, so the stream is reset and
   * its window is refilled.
   */
  #restart(zlib: ZlibStream): void {
    checkRestarts(++this.#restarts, this.#consumed);
    zlib.reset();
    this.#prime(zlib);
  }

  /** Fills a stream's window, by a stored block, whose output is not needed. */
  #prime(zlib: ZlibStream): void {
    const { length } = this.#window;
    if (length === 0) return;
    const header = storedBlockHeader(length);
    const size = header.length + length;
    if (primer === undefined || primer.length < size) primer = new Uint8Array(size);
    primer.set(header);
    this.#window.copyTo(primer, header.length);
    // Not into `output`, which may hold bytes that the target has not taken yet.
    primed ??= new Uint8Array(OUTPUT_SIZE);
    zlib.write(Z_SYNC_FLUSH, primer.subarray(0, size), 0, primed, OUTPUT_SIZE);
  }
}

/** Returns the first bytes of the output buffer; as bytes that the target owns, unless it copies them. */
function taken(buffer: Uint8Array, length: number, isCopied: boolean): Uint8Array {
  if (isCopied) return buffer.subarray(0, length);
  if (length < OUTPUT_SIZE / 2) return buffer.slice(0, length);
  output = undefined;
  return buffer.subarray(0, length);
}

function outputBuffer(): Uint8Array {
  return output ??= new Uint8Array(OUTPUT_SIZE);
}
