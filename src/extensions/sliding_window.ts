import { EMPTY } from "../protocol/bytes.ts";

/** The capacity that is allocated at first, in bytes. */
const FIRST_CAPACITY = 1024;

/**
 * The last bytes of a stream, up to the size of an LZ77 window.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 RFC 7692 §7.2.2}
 */
export class SlidingWindow {
  readonly #size: number;
  /** Grows up to `size`; after that it is a ring buffer. */
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  /** The position of the next byte. */
  #next = 0;

  /** Creates an empty window, without allocating memory. */
  constructor(size: number) {
    this.#size = size;
  }

  /** The number of bytes in the window. */
  get length(): number {
    return this.#length;
  }

  /** The allocated memory, in bytes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Appends the next bytes of the stream. */
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

  /** Copies the bytes, oldest first, to `target` at `offset`. */
  copyTo(target: Uint8Array, offset: number): void {
    const start = this.#length === this.#size ? this.#next : 0;
    target.set(this.#bytes.subarray(start, this.#length), offset);
    if (start > 0) target.set(this.#bytes.subarray(0, start), offset + this.#length - start);
  }

  /** Removes all bytes and frees the memory. */
  clear(): void {
    this.#bytes = EMPTY;
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
