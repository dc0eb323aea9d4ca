/**
 * Random numbers for cases. With a million cases there are a few microseconds for each, and fast-check's
 * arbitraries take 100. So cases are generated with this class, and fast-check only shrinks a failing one.
 */
export class Random {
  #state: number;

  /** Returns the same numbers for the same seed and case. */
  constructor(seed: number, index = 0) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77);
  }

  /** Returns 0 to 2^32-1, by mulberry32. */
  next(): number {
    const state = this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** Returns 0 to `limit - 1`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** Returns 0 to `limit - 1`, small numbers more often. */
  small(limit: number): number {
    return this.below(1 + this.below(limit));
  }

  /** Returns true once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** Returns one of the items. */
  pick<T>(from: ArrayLike<T>): T {
    return from[this.below(from.length)]!;
  }

  /** Returns `size` bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next() >>> 24;
    return bytes;
  }
}
