/** The interface of all properties: an input of bytes, and an outcome or a failure. */

/** A property that holds for any bytes. */
export interface Target {
  /** Its name, for `--only`. */
  readonly name: string;
  /**
   * Returns the case with this index. Its bytes contain everything, the data on the wire as well as the
   * role and the split, so that a case can be shrunk, kept, and repeated.
   */
  generate(seed: number, index: number): Uint8Array;
  /**
   * Runs a case.
   *
   * @returns The outcome in a few words, for the table of outcomes.
   * @throws {unknown} If the property does not hold.
   */
  check(input: Uint8Array): string;
}

/** Fails unless the condition holds. The message is created only then. */
export function ensure(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(message());
}

/**
 * Splits a stream by a byte of the input: 0 nowhere, 1 everywhere, 2, 6, 10 ... once, in its first bytes,
 * otherwise with that byte as a seed.
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

/** Returns whether the bytes are equal. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
