import type { Inflater, InflaterOptions, InflaterTarget } from "./deflate_codec.ts";
import {
  checkRestarts,
  inflatesTooFar,
  invalidDeflate,
  storedBlockHeader,
  TAIL,
  truncatedDeflate,
} from "./deflate_format.ts";
import { SlidingWindow } from "./sliding_window.ts";
import { StreamLease, StreamPool } from "./zlib_pool.ts";
import { Z_BLOCK, Z_DATA_ERROR, Z_SYNC_FLUSH, ZlibError, ZlibStream } from "./zlib_stream.ts";

/** The most that zlib puts out at once, in bytes: a block of the bound on a message's size. */
const OUTPUT_SIZE = 64 * 1024;
/** How many streams are kept for all connections together: {@linkcode STREAM_SIZE} each. */
const KEPT = 64;
/** What zlib has for a stream, in bytes: its state, and a window of 32 KiB. */
const STREAM_SIZE = 40 * 1024;

/** The tail, and a byte more that no block may want: not 0, see `#checkEnd()`. */
const TAIL_AND_MORE = /* @__PURE__ */ new Uint8Array([...TAIL, 0x55]);

const pool = /* @__PURE__ */ new StreamPool(KEPT, () => ZlibStream.inflate());
let output: Uint8Array | undefined;
let primer: Uint8Array | undefined;
let primed: Uint8Array | undefined;

/**
 * Decompresses with streams that keep their window, of the pool that all connections share.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 RFC 7692 §7.2.2}
 */
export class ContextInflater implements Inflater {
  readonly #takesContextOver: boolean;
  readonly #maxMessageSize: number;
  /** What messages to come may refer to. */
  readonly #window: SlidingWindow;
  readonly #lease: StreamLease;
  /** How many bytes the message has become so far. */
  #size = 0;
  /** How many bytes of it have come, and how many final blocks were in them. */
  #consumed = 0;
  #restarts = 0;
  /** What a pause has left. */
  #rest: { input: Uint8Array; endsMessage: boolean } | undefined;
  #isClosed = false;

  constructor(options: InflaterOptions) {
    this.#takesContextOver = options.takesContextOver;
    this.#maxMessageSize = options.maxMessageSize;
    this.#window = new SlidingWindow(1 << options.windowBits);
    // RFC 7692 §7.2.2: the receiver "MUST decompress each new message using the LZ77 sliding window
    // used to process the last compressed message", unless the peer takes no context over.
    this.#lease = new StreamLease(pool, (zlib) => this.#prime(zlib));
  }

  get heldBytes(): number {
    return this.#window.capacity + (this.#rest?.input.length ?? 0) +
      (this.#lease.isOut ? STREAM_SIZE : 0);
  }

  push(input: Uint8Array, endsMessage: boolean, target: InflaterTarget): void {
    try {
      this.#inflate(input, endsMessage, target);
    } catch (error) {
      this.#lease.fail();
      this.close();
      const isTheirs = error instanceof ZlibError && error.errno === Z_DATA_ERROR;
      throw isTheirs ? invalidDeflate(error) : error;
    }
  }

  resume(target: InflaterTarget): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    this.push(rest.input, rest.endsMessage, target);
  }

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
      // One byte more than allowed is enough to know.
      const room = Math.min(buffer.length, this.#maxMessageSize - this.#size + 1);
      zlib.write(Z_SYNC_FLUSH, input, start, buffer, room);
      const { availableIn, availableOut } = zlib;
      this.#consumed += input.length - availableIn - start;
      start = input.length - availableIn;
      this.#size += room - availableOut;
      if (this.#size > this.#maxMessageSize) throw inflatesTooFar(this.#maxMessageSize);
      const isLast = availableIn === 0 && availableOut > 0;
      const bytes = taken(buffer, room - availableOut, target.copies === true);
      if (this.#takesContextOver || !(isLast && endsMessage)) this.#window.append(bytes);
      // zlib stops with both left over behind a final block alone.
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
   * message." They must be the end of a block. Whether they are, zlib doesn't tell; but with Z_BLOCK
   * it stops where a block ends, and that must be right before the byte which follows. (After a
   * payload that lacks even the block's first bits, the tail starts a block of 0xff00 bytes, whose
   * length that byte makes invalid.)
   */
  #checkEnd(zlib: ZlibStream): void {
    zlib.write(Z_BLOCK, TAIL_AND_MORE, 0, outputBuffer(), OUTPUT_SIZE);
    if (zlib.availableIn !== 1 || zlib.availableOut !== OUTPUT_SIZE) throw truncatedDeflate();
  }

  /**
   * RFC 7692 §7.2.1: "Both DEFLATE blocks with the "BFINAL" bit set to 0 and DEFLATE blocks with the
   * "BFINAL" bit set to 1 may be used." To zlib, the latter is the end of all; so it starts anew, with
   * the same window.
   */
  #restart(zlib: ZlibStream): void {
    checkRestarts(++this.#restarts, this.#consumed);
    zlib.reset();
    this.#prime(zlib);
  }

  /** Fills a stream's window: as a block without compression, whose output is known. */
  #prime(zlib: ZlibStream): void {
    const { length } = this.#window;
    if (length === 0) return;
    const header = storedBlockHeader(length);
    const size = header.length + length;
    if (primer === undefined || primer.length < size) primer = new Uint8Array(size);
    primer.set(header);
    this.#window.copyTo(primer, header.length);
    // Not to the output: what it holds may not have been taken yet.
    primed ??= new Uint8Array(OUTPUT_SIZE);
    zlib.write(Z_SYNC_FLUSH, primer.subarray(0, size), 0, primed, OUTPUT_SIZE);
  }
}

/** The buffer's first bytes, for somebody who keeps them, or who copies them himself. */
function taken(buffer: Uint8Array, length: number, isCopied: boolean): Uint8Array {
  if (isCopied) return buffer.subarray(0, length);
  if (length < OUTPUT_SIZE / 2) return buffer.slice(0, length);
  output = undefined;
  return buffer.subarray(0, length);
}

function outputBuffer(): Uint8Array {
  return output ??= new Uint8Array(OUTPUT_SIZE);
}
