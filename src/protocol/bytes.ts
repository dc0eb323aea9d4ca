/** No bytes. Internal use only: a caller that got it could transfer its buffer, which all share. */
export const EMPTY: Uint8Array<ArrayBuffer> = /* @__PURE__ */ new Uint8Array(0);

/** Returns a new array with the bytes of both. */
export function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Returns a copy of a short range of bytes: for these, a loop is faster than `slice()`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const length = end - start;
  const own = new Uint8Array(length);
  for (let i = 0; i < length; i++) own[i] = bytes[start + i];
  return own;
}

let lastBytes: Uint8Array = EMPTY;
let lastBuffer: ArrayBufferLike = EMPTY.buffer;

/**
 * Returns a view of a range of bytes: `subarray()`, in half the time for several views of the same
 * bytes. On Deno, reading `buffer` takes as long as creating the view, so the buffer of the latest
 * `bytes` is cached. The cache keeps that one chunk in memory.
 */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastBuffer = bytes.buffer;
  }
  return new Uint8Array(lastBuffer, bytes.byteOffset + start, end - start);
}
