/**
 * Numbers to make cases from. A million cases leave some microseconds for each, where fast-check's
 * arbitraries take a hundred: so cases are made by hand from here, and fast-check only makes a failing
 * one smaller.
 */
export class Random {
  #state: number;

  /** The same numbers for the same seed and the same case. */
  constructor(seed: number, index = 0) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77);
  }

  /** 0 to 2^32-1: mulberry32. */
  next(): number {
    const state = this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to `limit - 1`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** 0 to `limit - 1`, the small ones more often. */
  small(limit: number): number {
    return this.below(1 + this.below(limit));
  }

  /** Once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of them. */
  pick<T>(from: ArrayLike<T>): T {
    return from[this.below(from.length)]!;
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next() >>> 24;
    return bytes;
  }
}
