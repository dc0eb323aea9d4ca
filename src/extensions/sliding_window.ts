const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);
/** What is set aside at first, in bytes. */
const FIRST_CAPACITY = 1024;

/**
 * The last bytes of a stream, as many as an LZ77 window of `size` bytes reaches back.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 RFC 7692 §7.2.2}
 */
export class SlidingWindow {
  readonly #size: number;
  /** Grows up to `size`; then it is a ring. */
  #bytes: Uint8Array = NO_BYTES;
  #length = 0;
  /** Where the next byte goes. */
  #next = 0;

  /** Makes an empty one, without any memory yet. */
  constructor(size: number) {
    this.#size = size;
  }

  /** How many bytes it has. */
  get length(): number {
    return this.#length;
  }

  /** How much memory it has set aside, in bytes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Takes the next bytes of the stream. */
  append(bytes: Uint8Array): void {
    const added = bytes.length > this.#size ? bytes.subarray(bytes.length - this.#size) : bytes;
    this.#reserve(Math.min(this.#size, this.#length + added.length));
    const { length: capacity } = this.#bytes;
    const room = capacity - this.#next;
    if (added.length <= room) {
      this.#bytes.set(added, this.#next);
    } else {
      this.#bytes.set(added.subarray(0, room), this.#next);
      this.#bytes.set(added.subarray(room), 0);
    }
    this.#next += added.length;
    // Not `%`: a window that still grows has its next byte at its end.
    if (this.#next > capacity || this.#next === this.#size) this.#next -= capacity;
    this.#length = Math.min(this.#size, this.#length + added.length);
  }

  /** Writes its bytes, oldest first, to `target` at `offset`. */
  copyTo(target: Uint8Array, offset: number): void {
    const start = this.#length === this.#size ? this.#next : 0;
    target.set(this.#bytes.subarray(start, this.#length), offset);
    if (start > 0) target.set(this.#bytes.subarray(0, start), offset + this.#length - start);
  }

  /** Forgets everything, and frees its memory. */
  clear(): void {
    this.#bytes = NO_BYTES;
    this.#length = 0;
    this.#next = 0;
  }

  #reserve(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const capacity = Math.max(needed, FIRST_CAPACITY, this.#bytes.length * 2);
    const larger = new Uint8Array(Math.min(this.#size, capacity));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
