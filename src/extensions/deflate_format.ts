import {
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
} from "../protocol/errors.ts";

/**
 * The last 4 bytes of every compressed message, which are not sent: the lengths of an empty stored
 * block.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 RFC 7692 §7.2.1}
 */
export const TAIL: readonly number[] = [0x00, 0x00, 0xff, 0xff];

/** The payload of an empty message: the header bits of an empty stored block, and padding. */
const EMPTY_BLOCK = /* @__PURE__ */ new Uint8Array([0x00]);

/** Returns the flushed blocks of the end of a message as they are to be sent. */
export function withoutTail(flushed: Uint8Array): Uint8Array {
  // zlib flushes nothing if there was no input since the last flush. RFC 7692 §7.2.3.6: then "an
  // empty uncompressed DEFLATE block" is sent.
  if (flushed.length === 0) return EMPTY_BLOCK;
  // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
  return flushed.subarray(0, flushed.length - TAIL.length);
}

/** Returns the header of a stored block of `length` bytes. */
export function storedBlockHeader(length: number): number[] {
  const inverse = ~length & 0xffff;
  return [0, length & 0xff, length >>> 8, inverse & 0xff, inverse >>> 8];
}

/** Returns the error for data that zlib rejects. */
export function invalidDeflate(cause: Error): InvalidPayloadError {
  return new InvalidPayloadError(
    `Cannot inflate message: ${cause.message}`,
    "ERR_INVALID_DEFLATE",
  );
}

/** Returns the error for a message that ends within a block. */
export function truncatedDeflate(): InvalidPayloadError {
  return new InvalidPayloadError(
    "Cannot inflate message: it ends within a block",
    "ERR_TRUNCATED_DEFLATE",
  );
}

/** Returns the error for a message that exceeds `maxMessageSize`. */
export function inflatesTooFar(maxMessageSize: number): MessageTooBigError {
  return new MessageTooBigError(
    `Cannot inflate message: more than ${maxMessageSize} bytes, the most that are allowed`,
  );
}

/** The number of final blocks that any message may have. */
const FREE_RESTARTS = 64;
/** The number of bytes of input for each further final block. */
const BYTES_PER_RESTART = 64;

/**
 * Limits the final blocks of a message: restarting after one costs much more than the 2 bytes of the
 * smallest final block.
 *
 * @throws {PolicyViolationError} If there are too many for `consumed` bytes of input.
 */
export function checkRestarts(restarts: number, consumed: number): void {
  if (restarts <= FREE_RESTARTS + consumed / BYTES_PER_RESTART) return;
  throw new PolicyViolationError(
    `Cannot inflate message: ${restarts} final blocks in it, for few bytes`,
    "ERR_TOO_MANY_FINAL_BLOCKS",
  );
}
