/** Supplies the read buffers of connections that receive much. */
export interface LargeBuffers {
  /** Lends a buffer; `undefined` if all are lent. */
  acquire(): Uint8Array<ArrayBuffer> | undefined;
  /** Takes a buffer back. */
  release(buffer: Uint8Array<ArrayBuffer>): void;
}

let source: LargeBuffers | undefined;

/**
 * Sets the supplier of large read buffers, for all transports that lend their chunks. Without one, their
 * buffers stay below that size.
 */
export function setLargeBuffers(buffers: LargeBuffers): void {
  source = buffers;
}

/** Lends a large read buffer; `undefined` if there is none. */
export function acquireLargeBuffer(): Uint8Array<ArrayBuffer> | undefined {
  return source?.acquire();
}

/** Returns a large read buffer to its supplier. */
export function releaseLargeBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  source?.release(buffer);
}
