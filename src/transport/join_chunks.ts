/** The members of the `Bun` namespace that are used here, declared for the checkers of other runtimes. */
interface BunNamespace {
  concatArrayBuffers?(chunks: readonly Uint8Array[]): ArrayBuffer;
}

const concatArrayBuffers = (globalThis as { Bun?: BunNamespace }).Bun?.concatArrayBuffers;

/**
 * Returns the bytes of all chunks in a buffer of their own.
 *
 * @param size The number of bytes.
 */
export function joinChunks(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  // A new array is filled with zeros first, which takes half of the time for large ones.
  if (concatArrayBuffers !== undefined) return new Uint8Array(concatArrayBuffers(chunks));
  const joined = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
