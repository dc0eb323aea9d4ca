import {
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
} from "../protocol/errors.ts";

/**
 * What every compressed message ends with, and what is not sent: the lengths of an empty block
 * without compression.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 RFC 7692 §7.2.1}
 */
export const TAIL: readonly number[] = [0x00, 0x00, 0xff, 0xff];

/** The payload of nothing: the header bits of an empty block without compression, and padding. */
const EMPTY_BLOCK = /* @__PURE__ */ new Uint8Array([0x00]);

/** The bytes of one or more blocks, flushed, as the end of a message is to be sent. */
export function withoutTail(flushed: Uint8Array): Uint8Array {
  // zlib flushes nothing where nothing has come since the last flush. RFC 7692 §7.2.3.6: then "an
  // empty uncompressed DEFLATE block" is what is left to send.
  if (flushed.length === 0) return EMPTY_BLOCK;
  // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
  return flushed.subarray(0, flushed.length - TAIL.length);
}

/** The header of a block without compression, of so many bytes, which follow it. */
export function storedBlockHeader(length: number, isFinal = false): number[] {
  const inverse = ~length & 0xffff;
  return [isFinal ? 1 : 0, length & 0xff, length >>> 8, inverse & 0xff, inverse >>> 8];
}

/** The error for what zlib can't read. */
export function invalidDeflate(cause: Error): InvalidPayloadError {
  return new InvalidPayloadError(
    `Cannot inflate message: ${cause.message}`,
    "ERR_INVALID_DEFLATE",
  );
}

/** The error for a message that ends within a block. */
export function truncatedDeflate(): InvalidPayloadError {
  return new InvalidPayloadError(
    "Cannot inflate message: it ends within a block",
    "ERR_TRUNCATED_DEFLATE",
  );
}

/** The error for a message that gets too large. */
export function inflatesTooFar(maxMessageSize: number): MessageTooBigError {
  return new MessageTooBigError(
    `Cannot inflate message: more than ${maxMessageSize} bytes, the most that are allowed`,
  );
}

/** How many final blocks a message may have, besides one for every so many bytes of its input. */
const FREE_RESTARTS = 64;
const BYTES_PER_RESTART = 64;

/**
 * Bounds the final blocks of a message: to go on after one costs more than the two bytes that it
 * takes to ask for it.
 *
 * @throws {PolicyViolationError} where there are too many for so many bytes.
 */
export function checkRestarts(restarts: number, consumed: number): void {
  if (restarts <= FREE_RESTARTS + consumed / BYTES_PER_RESTART) return;
  throw new PolicyViolationError(
    `Cannot inflate message: ${restarts} final blocks in it, for few bytes`,
    "ERR_TOO_MANY_FINAL_BLOCKS",
  );
}
