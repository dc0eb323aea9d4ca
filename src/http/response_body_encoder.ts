import { EMPTY } from "../protocol/bytes.ts";
import type { ResponseFraming } from "./response_framing.ts";

/** A piece of this size in bytes, or a larger one, is not copied to be next to its chunk size. */
const MIN_UNCOPIED = 16_384;

const LAST_CHUNK: Uint8Array<ArrayBuffer> = /* @__PURE__ */ Uint8Array.from(
  [0x30, 0x0d, 0x0a, 0x0d, 0x0a],
);
const CRLF: Uint8Array<ArrayBuffer> = /* @__PURE__ */ Uint8Array.from([0x0d, 0x0a]);

/**
 * Encodes the body of a response piece by piece, as its framing requires.
 *
 * It never encodes more bytes than the Content-Length announces, and reports a body that is shorter.
 * In both cases the connection must be closed, because the client could not find the next response.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-7.1 RFC 9112 §7.1}
 */
export class ResponseBodyEncoder {
  readonly #isChunked: boolean;
  readonly #length: number | undefined;
  #size = 0;

  /**
   * Creates an encoder for one body.
   *
   * @param framing The framing of the response, which sends a body.
   */
  constructor(framing: ResponseFraming) {
    this.#isChunked = framing.isChunked;
    this.#length = framing.contentLength;
  }

  /**
   * Encodes the next piece of the body.
   *
   * @param piece The bytes, which may be empty.
   * @returns The bytes to write, in order. They may share the memory of `piece`.
   * @throws {RangeError} If the body exceeds the announced length. Nothing of `piece` may be written.
   */
  encode(piece: Uint8Array): readonly Uint8Array[] {
    this.#size += piece.length;
    if (this.#length !== undefined && this.#size > this.#length) {
      throw new RangeError(
        `Cannot send body: more than ${this.#length} bytes, the announced Content-Length`,
      );
    }
    // RFC 9112 §7.1: a chunk of no bytes would be the last one.
    if (piece.length === 0) return [];
    if (!this.#isChunked) return [piece];
    return piece.length < MIN_UNCOPIED
      ? [encodeChunk(piece)]
      : [sizeLine(piece.length, 0), piece, CRLF];
  }

  /**
   * Ends the body.
   *
   * @returns The last bytes to write, which may be empty.
   * @throws {RangeError} If the body is shorter than the announced length.
   */
  finish(): Uint8Array {
    if (this.#length !== undefined && this.#size < this.#length) {
      throw new RangeError(
        `Cannot send body: it ends after ${this.#size} of ${this.#length} bytes, the announced ` +
          `Content-Length`,
      );
    }
    return this.#isChunked ? LAST_CHUNK : EMPTY;
  }
}

/** RFC 9112 §7.1: `chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF`. */
function encodeChunk(piece: Uint8Array): Uint8Array {
  const chunk = sizeLine(piece.length, piece.length + CRLF.length);
  chunk.set(piece, chunk.length - piece.length - CRLF.length);
  chunk.set(CRLF, chunk.length - CRLF.length);
  return chunk;
}

/** Encodes the line of a chunk's size, at the start of an array with `room` further bytes. */
function sizeLine(size: number, room: number): Uint8Array<ArrayBuffer> {
  const digits = size.toString(16);
  const line = new Uint8Array(digits.length + CRLF.length + room);
  for (let i = 0; i < digits.length; i++) line[i] = digits.charCodeAt(i);
  line.set(CRLF, digits.length);
  return line;
}
