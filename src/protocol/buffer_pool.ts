/** Room for the headers, next to a payload whose size is a power of two. */
const HEADERS = 1024;
/** The sizes that are kept, in bytes; a larger buffer is made to measure and left to the collector. */
const SIZES = [4 * 1024, 64 * 1024 + HEADERS, 256 * 1024 + HEADERS, 1024 * 1024 + HEADERS] as const;
/** How many of each size are kept: some 7 MiB of them in all. */
const KEPT = [256, 28, 8, 2] as const;

const free: Uint8Array<ArrayBuffer>[][] = [[], [], [], []];

/**
 * Lends a buffer of at least `size` bytes, with whatever its last borrower left in it.
 *
 * A connection holds one only while it has something to send, which is why 5,000 idle ones hold
 * none; and to allocate one costs more than to encode a message.
 */
export function acquireBuffer(size: number): Uint8Array<ArrayBuffer> {
  for (let i = 0; i < SIZES.length; i++) {
    if (size <= SIZES[i]) return free[i].pop() ?? new Uint8Array(SIZES[i]);
  }
  return new Uint8Array(size);
}

/** Takes a lent buffer back; the borrower must not touch it any more. */
export function releaseBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const i = (SIZES as readonly number[]).indexOf(buffer.length);
  if (i >= 0 && free[i].length < KEPT[i]) free[i].push(buffer);
}
