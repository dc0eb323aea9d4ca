import type { Deflater, DeflaterOptions } from "./deflate_codec.ts";
import { withoutTail } from "./deflate_format.ts";
import { SlidingWindow } from "./sliding_window.ts";
import { StreamLease, StreamPool } from "./zlib_pool.ts";
import { Z_SYNC_FLUSH, ZlibStream } from "./zlib_stream.ts";

/** Where output is written; what is more than that gets a buffer of its own. */
const OUTPUT_SIZE = 64 * 1024;
/**
 * How many streams of one kind are kept for all connections together: 160 to 260 KiB each. To fill one
 * anew takes some 3 us at level 1; to find one of hundreds in no cache of the processor's takes longer.
 */
const KEPT = 32;
/** What zlib has for a stream at the most, in bytes. */
const STREAM_SIZE = 260 * 1024;
/**
 * How much of what it has sent a connection keeps, to fill a stream with where it has lost its own.
 * More of it would take longer, and give no shorter messages of some hundred bytes.
 */
const HISTORY = 2048;

const history = /* @__PURE__ */ new Uint8Array(HISTORY);
const pools = /* @__PURE__ */ new Map<string, StreamPool>();
let output: Uint8Array | undefined;

/**
 * Compresses with streams that keep their window, of the pool that all connections share.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 RFC 7692 §7.2.1}
 */
export class ContextDeflater implements Deflater {
  readonly #takesContextOver: boolean;
  readonly #window: SlidingWindow;
  readonly #lease: StreamLease;

  constructor(options: DeflaterOptions) {
    const { windowBits, takesContextOver } = options;
    this.#takesContextOver = takesContextOver;
    this.#window = new SlidingWindow(Math.min(HISTORY, 1 << windowBits));
    this.#lease = new StreamLease(poolOf(options), (zlib) => this.#prime(zlib));
  }

  get heldBytes(): number {
    return this.#window.capacity + (this.#lease.isOut ? STREAM_SIZE : 0);
  }

  deflate(input: Uint8Array, endsMessage: boolean): Uint8Array {
    let flushed: Uint8Array;
    try {
      flushed = flush(this.#lease.zlib, input);
    } catch (error) {
      this.#lease.fail();
      throw error;
    }
    // Without context takeover, too, the fragments of one message share a stream, but it can't be
    // taken away in between.
    if (this.#takesContextOver) this.#window.append(input);
    if (!endsMessage) return flushed;
    this.#lease.end(this.#takesContextOver);
    return withoutTail(flushed);
  }

  close(): void {
    this.#lease.close();
    this.#window.clear();
  }

  /** Compresses what the receiver has already, so that messages may refer to it. */
  #prime(zlib: ZlibStream): void {
    const { length } = this.#window;
    if (length === 0) return;
    this.#window.copyTo(history, 0);
    flush(zlib, history.subarray(0, length));
  }
}

function poolOf({ windowBits, level, memLevel }: DeflaterOptions): StreamPool {
  const kind = `${windowBits},${level},${memLevel}`;
  let pool = pools.get(kind);
  if (pool === undefined) {
    pool = new StreamPool(KEPT, () => ZlibStream.deflate({ windowBits, level, memLevel }));
    pools.set(kind, pool);
  }
  return pool;
}

/** All that the input gives, up to a byte boundary. */
function flush(zlib: ZlibStream, input: Uint8Array): Uint8Array {
  let buffer = output ??= new Uint8Array(OUTPUT_SIZE);
  zlib.write(Z_SYNC_FLUSH, input, 0, buffer, buffer.length);
  // zlib has flushed everything once it leaves some room.
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
