let lastBytes: Uint8Array = new Uint8Array(0);
let lastBuffer: ArrayBufferLike = lastBytes.buffer;

/**
 * A view of a range of bytes: `subarray()`, in half the time where one after the other is cut from the
 * same bytes. On Deno, to ask for their buffer takes as long as to make the view. The last of them is
 * kept, one chunk in all.
 */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastBuffer = bytes.buffer;
  }
  return new Uint8Array(lastBuffer, bytes.byteOffset + start, end - start);
}
