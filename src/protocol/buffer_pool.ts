/** Space for the headers, in addition to a payload whose size is a power of two. */
const HEADERS = 1024;
/** The sizes of pooled buffers, in bytes. A larger buffer is allocated exactly and not pooled. */
const SIZES = [4 * 1024, 64 * 1024 + HEADERS, 256 * 1024 + HEADERS, 1024 * 1024 + HEADERS] as const;
/** The largest number of pooled buffers of each size: about 7 MiB in total. */
const KEPT = [256, 28, 8, 2] as const;

const free: Uint8Array<ArrayBuffer>[][] = [[], [], [], []];

/**
 * Borrows a buffer of at least `size` bytes, with arbitrary content.
 *
 * A connection holds a buffer only while it has something to send, so an idle connection holds none.
 * Allocating a buffer costs more than encoding a message.
 */
export function acquireBuffer(size: number): Uint8Array<ArrayBuffer> {
  for (let i = 0; i < SIZES.length; i++) {
    if (size <= SIZES[i]) return free[i].pop() ?? new Uint8Array(SIZES[i]);
  }
  return new Uint8Array(size);
}

/**
 * Borrows a buffer of at least `size` bytes, but not of much more than twice as many: if the pool has no
 * such size, the buffer is allocated exactly and not pooled.
 */
export function acquireSimilarBuffer(size: number): Uint8Array<ArrayBuffer> {
  const fitting = SIZES.find((each) => size <= each);
  return fitting === undefined || fitting > 2 * size + HEADERS
    ? new Uint8Array(size)
    : acquireBuffer(size);
}

/**
 * Returns a borrowed buffer to the pool. The borrower must not use it any more.
 *
 * @returns Whether the pool keeps it.
 */
export function releaseBuffer(buffer: Uint8Array<ArrayBuffer>): boolean {
  const i = (SIZES as readonly number[]).indexOf(buffer.length);
  if (i < 0 || free[i].length >= KEPT[i]) return false;
  free[i].push(buffer);
  return true;
}
