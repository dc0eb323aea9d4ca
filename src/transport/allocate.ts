const { allocUnsafe } =
  (globalThis as { Bun?: { allocUnsafe?(length: number): Uint8Array<ArrayBuffer> } }).Bun ?? {};

/**
 * Returns a new array with a buffer of its own and arbitrary content, for bytes that are all overwritten. To
 * fill 1 MiB with zeros takes as long as to copy it. Deno fills every array.
 */
export const allocate: (length: number) => Uint8Array<ArrayBuffer> = allocUnsafe ??
  ((length) => new Uint8Array(length));
