import type { BufferPool } from "./fast_paths.ts";

/** Space for the headers, in addition to a payload whose size is a power of two. */
const HEADERS = 1024;
/** The sizes of pooled buffers, in bytes. A larger buffer is allocated exactly and not pooled. */
const SIZES = [4 * 1024, 64 * 1024 + HEADERS, 256 * 1024 + HEADERS, 1024 * 1024 + HEADERS] as const;
/** The largest number of pooled buffers of each size: about 7 MiB in total. */
const KEPT = [256, 28, 8, 2] as const;

const free: Uint8Array<ArrayBuffer>[][] = [[], [], [], []];

/** The buffers of all codecs in this process, by size. */
export const sizedBufferPool: BufferPool = {
  acquire(size, max = Infinity) {
    for (let i = 0; i < SIZES.length; i++) {
      if (size > SIZES[i]) continue;
      if (SIZES[i] > max) break;
      return free[i].pop() ?? new Uint8Array(SIZES[i]);
    }
    return new Uint8Array(size);
  },

  release(buffer) {
    const i = (SIZES as readonly number[]).indexOf(buffer.length);
    if (i < 0 || free[i].length >= KEPT[i]) return false;
    free[i].push(buffer);
    return true;
  },
};
