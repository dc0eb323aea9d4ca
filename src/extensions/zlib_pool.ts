import type { ZlibStream } from "./zlib_stream.ts";

/** The number of streams without a context that are kept. Creating one takes a few microseconds. */
const BLANK = 4;

/** A stream, and the owner whose context is in its window. */
export interface PooledZlib {
  /** The stream. */
  readonly zlib: ZlibStream;
  /** The owner of its context; `undefined` if it has none. */
  owner: object | undefined;
}

/**
 * A pool of zlib streams with the same parameters, shared by all connections.
 *
 * A stream uses about 40 KiB to inflate, and 160 to 260 KiB to deflate: 10,000 idle connections would
 * use gigabytes. But the state of a stream between two messages is only the last bytes of earlier
 * messages. Each connection keeps those bytes itself. If its stream has been lent to another one, it
 * refills the next stream with them. So the pool is a cache for the busiest connections.
 */
export class ZlibPool {
  readonly #capacity: number;
  readonly #make: () => ZlibStream;
  /** Unused streams with a context, the least recently used first. */
  readonly #idle = new Set<PooledZlib>();
  /** Unused streams without a context. */
  readonly #blank: PooledZlib[] = [];

  /**
   * @param capacity The number of unused streams with a context that are kept.
   * @param make Creates a stream.
   */
  constructor(capacity: number, make: () => ZlibStream) {
    this.#capacity = capacity;
    this.#make = make;
  }

  /**
   * Lends a stream.
   *
   * @param owner The borrower.
   * @param last The stream that it had before. It gets the same, with its context, if it still is its own.
   * @returns A stream with the owner's context, or one without a context, whose `owner` is undefined.
   */
  take(owner: object, last: PooledZlib | undefined): PooledZlib {
    if (last !== undefined && last.owner === owner && this.#idle.delete(last)) return last;
    const blank = this.#blank.pop();
    if (blank !== undefined) return blank;
    if (this.#idle.size < this.#capacity) return { zlib: this.#make(), owner: undefined };
    const [oldest] = this.#idle as Iterable<PooledZlib> as [PooledZlib];
    this.#idle.delete(oldest);
    oldest.zlib.reset();
    oldest.owner = undefined;
    return oldest;
  }

  /** Takes a stream back. The context of its owner, if any, is kept until another owner needs the stream. */
  give(stream: PooledZlib): void {
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

  /** Drops the context of an owner that needs it no longer. */
  forget(stream: PooledZlib, owner: object): void {
    if (stream.owner !== owner || !this.#idle.delete(stream)) return;
    stream.owner = undefined;
    this.give(stream);
  }
}

/** The use of a pool by one owner: the stream that it has borrowed, and the one that it had before. */
export class ZlibLease {
  readonly #pool: ZlibPool;
  readonly #prime: (zlib: ZlibStream) => void;
  #current: PooledZlib | undefined;
  #last: PooledZlib | undefined;

  /**
   * @param pool The pool.
   * @param prime Fills a stream without a context with that of the owner.
   */
  constructor(pool: ZlibPool, prime: (zlib: ZlibStream) => void) {
    this.#pool = pool;
    this.#prime = prime;
  }

  /** The stream, with the owner's context. It is borrowed until `end()`. */
  get zlib(): ZlibStream {
    if (this.#current !== undefined) return this.#current.zlib;
    const stream = this.#pool.take(this, this.#last);
    this.#current = stream;
    if (stream.owner === undefined) this.#prime(stream.zlib);
    stream.owner = this;
    return stream.zlib;
  }

  /** Whether a stream is borrowed, for an unfinished message. */
  get isOut(): boolean {
    return this.#current !== undefined;
  }

  /** Returns the stream to the pool, with or without the owner's context. */
  end(keepsContext: boolean): void {
    const stream = this.#current;
    if (stream === undefined) return;
    this.#current = undefined;
    if (keepsContext) this.#last = stream;
    else stream.owner = undefined;
    this.#pool.give(stream);
  }

  /** Closes a stream that has failed, and does not return it to the pool. */
  fail(): void {
    this.#current?.zlib.close();
    this.#current = undefined;
    this.close();
  }

  /** Returns the stream and drops the owner's context. */
  close(): void {
    this.end(false);
    if (this.#last !== undefined) this.#pool.forget(this.#last, this);
    this.#last = undefined;
  }
}
