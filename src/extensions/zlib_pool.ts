import type { ZlibStream } from "./zlib_stream.ts";

/** How many streams without a context are kept: to make one costs a few microseconds. */
const BLANK = 4;

/** A stream, and whose messages its window has in it: an owner's, or nobody's. */
export interface PooledStream {
  /** The stream. */
  readonly zlib: ZlibStream;
  /** Whose messages it has seen. */
  owner: object | undefined;
}

/**
 * The streams of one kind, for all connections together.
 *
 * zlib wants some 40 KiB to inflate, and 160 to 260 KiB to deflate, so that 10,000 quiet connections
 * would hold gigabytes. But all that a stream knows between two messages is the last bytes of
 * those before. A connection keeps these itself; where its stream has gone to another, it fills a
 * new one with them. So this is a cache, with room for the connections that are busiest.
 */
export class StreamPool {
  readonly #capacity: number;
  readonly #make: () => ZlibStream;
  /** Streams with a context, the one that has waited longest first. */
  readonly #idle = new Set<PooledStream>();
  /** Streams with none. */
  readonly #blank: PooledStream[] = [];

  /**
   * @param capacity How many unused streams with a context it keeps.
   * @param make Makes a stream.
   */
  constructor(capacity: number, make: () => ZlibStream) {
    this.#capacity = capacity;
    this.#make = make;
  }

  /**
   * Lends a stream.
   *
   * @param owner Who asks.
   * @param last The stream that it had before: it gets that again, with its context, where it's there.
   * @returns a stream of the owner's own context, or of none: then its `owner` is undefined.
   */
  take(owner: object, last: PooledStream | undefined): PooledStream {
    if (last !== undefined && last.owner === owner && this.#idle.delete(last)) return last;
    const blank = this.#blank.pop();
    if (blank !== undefined) return blank;
    if (this.#idle.size < this.#capacity) return { zlib: this.#make(), owner: undefined };
    const [oldest] = this.#idle as Iterable<PooledStream> as [PooledStream];
    this.#idle.delete(oldest);
    oldest.zlib.reset();
    oldest.owner = undefined;
    return oldest;
  }

  /** Takes a stream back; it keeps its context, if it has an owner, until another needs it. */
  give(stream: PooledStream): void {
    if (stream.owner !== undefined && this.#idle.size < this.#capacity) {
      this.#idle.add(stream);
    } else if (this.#blank.length < BLANK) {
      stream.owner = undefined;
      stream.zlib.reset();
      this.#blank.push(stream);
    } else {
      stream.zlib.close();
    }
  }

  /** The owner is gone: its context may be forgotten. */
  forget(stream: PooledStream, owner: object): void {
    if (stream.owner !== owner || !this.#idle.delete(stream)) return;
    stream.owner = undefined;
    this.give(stream);
  }
}

/** One owner's part in a pool: the stream that it has now, and the one that it had. */
export class StreamLease {
  readonly #pool: StreamPool;
  readonly #prime: (zlib: ZlibStream) => void;
  #current: PooledStream | undefined;
  #last: PooledStream | undefined;

  /**
   * @param pool Where the streams come from.
   * @param prime Fills a stream that has no context with the owner's.
   */
  constructor(pool: StreamPool, prime: (zlib: ZlibStream) => void) {
    this.#pool = pool;
    this.#prime = prime;
  }

  /** The stream, with the owner's context in it; it stays until `end()`. */
  get zlib(): ZlibStream {
    if (this.#current !== undefined) return this.#current.zlib;
    const stream = this.#pool.take(this, this.#last);
    this.#current = stream;
    if (stream.owner === undefined) this.#prime(stream.zlib);
    stream.owner = this;
    return stream.zlib;
  }

  /** Whether a stream is out of the pool, for a message that has not ended. */
  get isOut(): boolean {
    return this.#current !== undefined;
  }

  /** The message has ended; the stream may keep the owner's context, or not. */
  end(keepsContext: boolean): void {
    const stream = this.#current;
    if (stream === undefined) return;
    this.#current = undefined;
    if (keepsContext) this.#last = stream;
    else stream.owner = undefined;
    this.#pool.give(stream);
  }

  /** The stream has failed: nobody gets it again. */
  fail(): void {
    this.#current?.zlib.close();
    this.#current = undefined;
    this.close();
  }

  /** The owner is gone. */
  close(): void {
    this.end(false);
    if (this.#last !== undefined) this.#pool.forget(this.#last, this);
    this.#last = undefined;
  }
}
