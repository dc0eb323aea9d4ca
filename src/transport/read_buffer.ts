/** The smallest size, in bytes: it's what an idle connection holds. */
const MIN_SIZE = 1024;
/** The largest size, in bytes, that any connection may have. */
const MAX_SIZE = 64 * 1024;
/** The size, in bytes, of a connection's that gets more than that: a fifth less time for large messages. */
const LARGE_SIZE = 4 * MAX_SIZE;
/** How many connections may have that at a time: peers could make all of them ask for it. */
const MAX_LARGE = 32;
/** After how many reads in a row that leave most of the buffer empty it's replaced by a smaller one. */
const SMALL_READS = 16;

let largeCount = 0;

/** What a connection is read into, again and again: as large as what comes at a time. */
export class ReadBuffer {
  /** The buffer, for the next read. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(MIN_SIZE);
  #smallReads = 0;

  /** Fits the size to the read that has just been: so many bytes came. */
  fit(count: number): void {
    const { length } = this.bytes;
    this.#smallReads = count * 8 < length ? this.#smallReads + 1 : 0;
    const max = largeCount < MAX_LARGE ? LARGE_SIZE : MAX_SIZE;
    if (count === length && length < max) this.#resize(length * 4);
    else if (this.#smallReads === SMALL_READS && length > MIN_SIZE) this.#resize(length / 4);
  }

  /** Makes it as small as it can be: what comes next may be nothing, for hours. */
  reset(): void {
    if (this.bytes.length > MIN_SIZE) this.#resize(MIN_SIZE);
    this.#smallReads = 0;
  }

  /** There is no next read. */
  free(): void {
    this.#resize(0);
  }

  #resize(size: number): void {
    if (this.bytes.length === LARGE_SIZE) largeCount--;
    if (size === LARGE_SIZE) largeCount++;
    this.bytes = new Uint8Array(size);
    this.#smallReads = 0;
  }
}
