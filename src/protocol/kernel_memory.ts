/** The number of bytes that are copied at a time: source and copy fit into a CPU's first cache. */
export const PIECE_SIZE: number = 8 * 1024;

/** The size of a buffer, in bytes: 256 KiB of payloads, and their headers. */
const BUFFER_SIZE = 260 * 1024;
/** The number of buffers: about 8 MiB in total, of which the pages count that have been written. */
const BUFFERS = 32;
/** The size of a page of WebAssembly, in bytes. */
const PAGE = 64 * 1024;
const PAGES = /* @__PURE__ */ Math.ceil(1 + BUFFERS * BUFFER_SIZE / PAGE);

/**
 * The memory of the SIMD kernel: a page for the pieces that are copied, and buffers for bytes that are
 * received. Bytes in these buffers are masked in place, without a copy.
 */
export class KernelMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  /** The first page. */
  readonly piece: Uint8Array<ArrayBuffer>;
  readonly #buffer: ArrayBuffer = this.memory.buffer as ArrayBuffer;
  /** The buffers that are not lent. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** How many buffers have been lent at the same time: the views of the others do not exist yet. */
  #made = 0;

  constructor() {
    this.piece = new Uint8Array(this.#buffer, 0, PIECE_SIZE);
  }

  /** Returns whether the bytes lie in this memory. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#buffer;
  }

  /** Lends a buffer of 260 KiB, with arbitrary content; `undefined` if all are lent. */
  acquire(): Uint8Array<ArrayBuffer> | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#made === BUFFERS) return free;
    return new Uint8Array(this.#buffer, PAGE + this.#made++ * BUFFER_SIZE, BUFFER_SIZE);
  }

  /** Takes a buffer back. */
  release(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
  }
}
