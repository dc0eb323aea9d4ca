/** What every property has in common: an input of bytes, and an outcome or a failure. */

/** One property, of any bytes at all. */
export interface Target {
  /** Its name, for `--only`. */
  readonly name: string;
  /**
   * Makes the case of this number: bytes that hold all of it, how it is cut and which role takes it
   * as well as what is on the wire, so that they can be shrunk, kept, and run again.
   */
  generate(seed: number, index: number): Uint8Array;
  /**
   * Runs a case.
   *
   * @returns how it ended, in a few words, for the table of outcomes.
   * @throws {unknown} where the property does not hold.
   */
  check(input: Uint8Array): string;
}

/** Fails unless it holds; the message is made only then. */
export function ensure(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(message());
}

/**
 * Where a stream is cut, by a byte of the input: 0 nowhere, 1 everywhere, 2, 6, 10 ... once, in its first
 * bytes, else by that seed.
 */
export function* pieces(bytes: Uint8Array, how: number): Generator<Uint8Array<ArrayBuffer>> {
  if (how === 0) return yield bytes.slice();
  if ((how & 3) === 2) {
    const first = (how >> 2) + 1;
    yield bytes.slice(0, first);
    return yield bytes.slice(first);
  }
  let state = how;
  for (let start = 0; start < bytes.length;) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const size = how === 1 ? 1 : 1 + (state >>> 16) % (how & 1 ? 7 : 61);
    yield bytes.slice(start, start + size);
    start += size;
  }
}

/** Whether the bytes are the same. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
