import { EMPTY } from "../protocol/bytes.ts";
import type { FrameInit } from "../protocol/frame.ts";
import { withoutTail } from "./deflate_format.ts";
import type { SharedFrameInit, SharedTransform } from "./extension.ts";
import { SlidingWindow } from "./sliding_window.ts";
import { ZlibLease, ZlibPool } from "./zlib_pool.ts";
import { Z_SYNC_FLUSH, ZlibStream } from "./zlib_stream.ts";

/** The size of the shared output buffer. A larger output gets a buffer of its own. */
const OUTPUT_SIZE = 64 * 1024;
/**
 * The number of streams of one kind that are kept for all connections: 160 to 260 KiB each. Refilling a
 * stream takes 3 us at level 1. Using one of hundreds, none of which is in a CPU cache, takes longer.
 */
const KEPT = 32;
/** The most memory that zlib uses for a stream, in bytes. */
const STREAM_SIZE = 260 * 1024;
/**
 * The number of sent bytes that a connection keeps, to refill a stream with if it has lost its own.
 * Keeping more would take longer without making messages of a few hundred bytes shorter.
 */
const HISTORY = 2048;

const history = /* @__PURE__ */ new Uint8Array(HISTORY);
const pools = /* @__PURE__ */ new Map<string, ZlibPool>();
let output: Uint8Array | undefined;

/** Options of {@linkcode Deflater}. */
export interface DeflaterOptions {
  /** The base-2 logarithm of the LZ77 window, 9 to 15. */
  windowBits: number;
  /** Whether a message may refer to earlier ones. */
  takesContextOver: boolean;
  /** The compression level, 0 to 9. */
  level: number;
  /** How much memory zlib uses for it, 1 to 9. */
  memLevel: number;
}

/**
 * Compresses the messages that one connection sends, with streams from a pool that all connections
 * share. Uses no native memory before the first message.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 RFC 7692 §7.2.1}
 */
export class Deflater {
  readonly #takesContextOver: boolean;
  readonly #window: SlidingWindow;
  readonly #lease: ZlibLease;
  /** The end of a message of a {@linkcode SharedDeflater} that has been sent since the last own one. */
  #shared: Uint8Array | undefined;

  constructor(options: DeflaterOptions) {
    const { windowBits, takesContextOver } = options;
    this.#takesContextOver = takesContextOver;
    this.#window = new SlidingWindow(Math.min(HISTORY, 1 << windowBits));
    this.#lease = new ZlibLease(poolOf(options), (zlib) => this.#prime(zlib));
  }

  /** The memory of this connection, in bytes, without the shared pool. */
  get heldBytes(): number {
    return this.#window.capacity + (this.#lease.isOut ? STREAM_SIZE : 0) +
      (this.#shared?.length ?? 0);
  }

  /**
   * Compresses the next bytes of a message.
   *
   * @param input The bytes.
   * @param endsMessage Whether they are the last of the message.
   * @returns The payload to send. It is valid until the next call of any deflater.
   */
  deflate(input: Uint8Array, endsMessage: boolean): Uint8Array {
    if (this.#shared !== undefined) this.#startAfter(this.#shared);
    let flushed: Uint8Array;
    try {
      flushed = flush(this.#lease.zlib, input);
    } catch (error) {
      this.#lease.fail();
      throw error;
    }
    // Without context takeover the fragments of one message still share a stream. It cannot be taken
    // away between them, so it never has to be refilled.
    if (this.#takesContextOver) this.#window.append(input);
    if (!endsMessage) return flushed;
    this.#lease.end(this.#takesContextOver);
    return withoutTail(flushed);
  }

  /**
   * Records that a message of a {@linkcode SharedDeflater} is sent between its own.
   *
   * RFC 7692 §7.2.2: the peer decompresses it "using the LZ77 sliding window used to process the last
   * compressed message", so its window then ends with this one. References are counted back from there, so
   * the next own message starts with a window of this message alone.
   *
   * @param end The end of the message before compression.
   */
  skip(end: Uint8Array): void {
    if (this.#takesContextOver) this.#shared = end;
  }

  /** Frees its memory. */
  close(): void {
    this.#shared = undefined;
    this.#lease.close();
    this.#window.clear();
  }

  /** Starts with a window in which there is nothing but the end of another message. */
  #startAfter(end: Uint8Array): void {
    this.#shared = undefined;
    this.#lease.close();
    this.#window.clear();
    this.#window.append(end);
  }

  /** Fills a stream's window with what the peer has received last, so that messages may refer to it. */
  #prime(zlib: ZlibStream): void {
    const { length } = this.#window;
    if (length === 0) return;
    this.#window.copyTo(history, 0);
    flush(zlib, history.subarray(0, length));
  }
}

/**
 * Compresses messages that many connections send: each alone, without a reference to an earlier one.
 *
 * RFC 7692 §7.2.1: without "server_no_context_takeover", "the server MAY take over the LZ77 sliding window
 * used to build the last compressed message". It need not, so the result is valid in any context.
 */
class SharedDeflater implements SharedTransform {
  readonly #deflater: Deflater;

  constructor(options: DeflaterOptions) {
    this.#deflater = new Deflater({ ...options, takesContextOver: false });
  }

  transform({ opcode, payload = EMPTY }: FrameInit): SharedFrameInit {
    return {
      frame: { opcode, rsv1: true, payload: this.#deflater.deflate(payload, true) },
      context: payload.slice(-HISTORY),
    };
  }
}

const sharedDeflaters = /* @__PURE__ */ new Map<string, SharedDeflater>();

/** Returns the deflater of the messages that many connections with these options send. */
export function sharedDeflater(options: DeflaterOptions): SharedTransform {
  const kind = kindOf(options);
  let deflater = sharedDeflaters.get(kind);
  if (deflater === undefined) sharedDeflaters.set(kind, deflater = new SharedDeflater(options));
  return deflater;
}

function kindOf({ windowBits, level, memLevel }: DeflaterOptions): string {
  return `${windowBits},${level},${memLevel}`;
}

function poolOf(options: DeflaterOptions): ZlibPool {
  const { windowBits, level, memLevel } = options;
  const kind = kindOf(options);
  let pool = pools.get(kind);
  if (pool === undefined) {
    pool = new ZlibPool(KEPT, () => ZlibStream.deflate({ windowBits, level, memLevel }));
    pools.set(kind, pool);
  }
  return pool;
}

/** Returns the whole output for the input, up to a byte boundary. */
function flush(zlib: ZlibStream, input: Uint8Array): Uint8Array {
  let buffer = output ??= new Uint8Array(OUTPUT_SIZE);
  zlib.write(Z_SYNC_FLUSH, input, 0, buffer, buffer.length);
  // zlib has flushed everything when it leaves some of the room.
  while (zlib.availableOut === 0) {
    const { length } = buffer;
    const { availableIn } = zlib;
    const larger = new Uint8Array(length + availableIn + OUTPUT_SIZE);
    const room = larger.subarray(length);
    zlib.write(Z_SYNC_FLUSH, input, input.length - availableIn, room, room.length);
    larger.set(buffer);
    buffer = larger;
  }
  return buffer.subarray(0, buffer.length - zlib.availableOut);
}
