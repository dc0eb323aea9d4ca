/** The number of bytes that are copied at a time: source and copy fit into a CPU's first cache. */
export const PIECE_SIZE: number = 8 * 1024;

/** The size of a buffer, in bytes: 256 KiB of payloads, and their headers. */
const BUFFER_SIZE = 260 * 1024;
/** The number of buffers: about 8 MiB in total, of which the pages count that have been written. */
const BUFFERS = 32;
/** The size of a page of WebAssembly, in bytes. */
const PAGE = 64 * 1024;
/** The page of the pieces, and those of all buffers. */
const PAGES = /* @__PURE__ */ Math.ceil(1 + BUFFERS * BUFFER_SIZE / PAGE);
/**
 * The pages until a buffer is lent for the first time, which Bun never does: 2 MiB, of which the first page
 * is used. Bun counts them four times when it decides when to collect garbage. With fewer, messages of 1 MiB
 * cost more CPU time; with more, a flood of them makes a process grow more. See `bench/README.md`.
 */
const FIRST_PAGES = 32;

/**
 * The memory of the SIMD kernel: a page for the pieces that are copied, and buffers for bytes that are
 * received. Bytes in these buffers are masked in place, without a copy.
 */
export class KernelMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({
    initial: FIRST_PAGES,
    maximum: PAGES,
  });
  #buffer: ArrayBuffer;
  #piece: Uint8Array<ArrayBuffer>;
  /** The buffers that are not lent. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** How many buffers have been lent at the same time: the views of the others do not exist yet. */
  #made = 0;

  constructor() {
    this.#buffer = this.memory.buffer as ArrayBuffer;
    this.#piece = new Uint8Array(this.#buffer, 0, PIECE_SIZE);
  }

  /** The start of the first page. The first {@linkcode KernelMemory.acquire} detaches it, for another view. */
  get piece(): Uint8Array<ArrayBuffer> {
    return this.#piece;
  }

  /** Returns whether the bytes lie in this memory. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#buffer;
  }

  /** Lends a buffer of 260 KiB, with arbitrary content; `undefined` if all are lent, or there is no memory. */
  acquire(): Uint8Array<ArrayBuffer> | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#made === BUFFERS) return free;
    if (this.#made === 0 && !this.#grow()) return undefined;
    return new Uint8Array(this.#buffer, PAGE + this.#made++ * BUFFER_SIZE, BUFFER_SIZE);
  }

  /** Takes a buffer back. */
  release(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
  }

  /**
   * Adds all pages at once: to add more later would detach the buffers that are lent. Returns
   * whether the platform has the memory.
   */
  #grow(): boolean {
    try {
      this.memory.grow(PAGES - FIRST_PAGES);
    } catch {
      return false;
    }
    this.#buffer = this.memory.buffer as ArrayBuffer;
    this.#piece = new Uint8Array(this.#buffer, 0, PIECE_SIZE);
    return true;
  }
}
