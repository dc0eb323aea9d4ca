import { CR, hasAt, hexByte, isDigit, isToken, LF, quote, trimWhitespace } from "./characters.ts";
import { ChunkLineParser } from "./chunk_line_parser.ts";
import { EMPTY } from "../protocol/bytes.ts";
import { HandshakeError } from "./errors.ts";
import { HeadParser } from "./head_parser.ts";
import type { HeaderList } from "./header_list.ts";
import type { RequestHead } from "./request_head_parser.ts";

/** Limits of a {@linkcode RequestBodyDecoder}. */
export interface RequestBodyOptions {
  /**
   * The largest body in bytes, decoded. A larger one is refused with 413: at once if its size is
   * announced, otherwise at the chunk that exceeds the limit.
   *
   * @default {16777216} 16 MiB
   */
  maxBodySize?: number;
  /**
   * The largest size in bytes of all chunk extensions of a body together, and of its trailer section.
   *
   * @default {16384} 16 KiB
   */
  maxHeadSize?: number;
  /**
   * The largest number of trailer field lines.
   *
   * @default {100}
   */
  maxHeaders?: number;
}

const CHUNKED = "chunked";

const LINE = 0;
const DATA = 1;
const DATA_CR = 2;
const DATA_LF = 3;
const TRAILERS = 4;
const DONE = 5;
const FAILED = 6;

/**
 * Returns how the body of a request is framed, according to its head.
 *
 * The check is strict: a request whose length two recipients could read differently is refused. The
 * connection must be closed after a refusal.
 *
 * @param head The head of the request.
 * @returns The length of the body in bytes, 0 if there is none, or `"chunked"`.
 * @throws {HandshakeError} If the framing is invalid or ambiguous: 400. If the transfer coding is not
 * supported: 501. If the length is over 2^53 - 1: 413.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-6.3 RFC 9112 §6.3}
 */
export function requestBodyLength(head: RequestHead): number | "chunked" {
  const { headers } = head;
  const codings = headers.get("transfer-encoding");
  if (codings !== null) {
    // RFC 9112 §6.3: "A server MAY reject a request that contains both Content-Length and
    // Transfer-Encoding". It "might indicate an attempt to perform request smuggling".
    if (headers.has("content-length")) {
      throw invalid("Transfer-Encoding and Content-Length, expected one of them");
    }
    // RFC 9112 §6.1: "A server or client that receives an HTTP/1.0 message containing a
    // Transfer-Encoding header field MUST treat the message as if the framing is faulty".
    if (head.minorVersion === 0) throw invalid("Transfer-Encoding with HTTP/1.0");
    checkCodings(codings);
    return "chunked";
  }
  const lengths = headers.getAll("content-length");
  if (lengths.length === 0) return 0;
  // RFC 9110 §8.6: a recipient of duplicates "MUST either reject the message as invalid or replace
  // the duplicated field values with a single valid Content-Length".
  if (lengths.length > 1) throw invalid(`${lengths.length} Content-Length lines, expected 1`);
  const [length] = lengths;
  // RFC 9110 §8.6: "Content-Length = 1*DIGIT". RFC 9112 §6.3: if it is invalid, "the server MUST
  // respond with a 400 (Bad Request) status code and then close the connection."
  if (length === "" || !isNumber(length)) {
    throw invalid(`Content-Length ${quote(length)}, expected digits`);
  }
  const number = Number(length);
  // RFC 9110 §8.6: "a recipient MUST anticipate potentially large decimal numerals and prevent parsing
  // errors due to integer conversion overflows or precision loss due to integer conversion".
  if (number > Number.MAX_SAFE_INTEGER) throw tooLarge(Number.MAX_SAFE_INTEGER);
  return number;
}

/** Accepts `chunked` alone, in any case. */
function checkCodings(codings: string): void {
  if (isChunked(codings)) return;
  const names = codings.split(",").map(trimWhitespace);
  // RFC 9112 §6.1: "A sender MUST NOT apply the chunked transfer coding more than once to a message
  // body". §6.3: if "the chunked transfer coding is not the final encoding, the message body length
  // cannot be determined reliably; the server MUST respond with the 400 (Bad Request) status code".
  const isFramed = names.findIndex(isChunked) === names.length - 1;
  if (!isFramed || !names.every(isToken)) {
    throw invalid(`Transfer-Encoding ${quote(codings)}, expected "chunked"`);
  }
  // RFC 9112 §6.1: "A server that receives a request message with a transfer coding it does not
  // understand SHOULD respond with 501 (Not Implemented)."
  throw new HandshakeError(
    `Cannot read request: Transfer-Encoding ${quote(codings)}, expected "chunked"`,
    { code: "ERR_HTTP_TRANSFER_CODING", status: 501 },
  );
}

function isChunked(coding: string): boolean {
  return coding.length === CHUNKED.length && hasAt(coding, 0, CHUNKED);
}

function isNumber(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isDigit(text.charCodeAt(i))) return false;
  return true;
}

/**
 * Decodes the body of a request, of a known length or in chunks. The bytes may arrive in pieces that
 * are cut anywhere.
 *
 * The decoder fails at the first byte that proves the chunked coding malformed: a size that is not
 * hexadecimal, a line feed without a carriage return, an extension or a trailer outside of the
 * grammar. Extensions and trailers are validated, bounded and dropped.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-7.1 RFC 9112 §7.1}
 */
export class RequestBodyDecoder {
  readonly #maxBodySize: number;
  readonly #maxHeadSize: number;
  readonly #maxHeaders: number | undefined;
  /** Parses the lines of a chunked body. */
  readonly #line: ChunkLineParser | undefined;
  #state: number;
  /** The number of bytes left, of the body or of its current chunk. */
  #rest: number;
  /** The size in bytes of all chunks so far, the current one included. */
  #size = 0;
  #trailers: TrailerParser | undefined;
  #data: Uint8Array = EMPTY;

  /**
   * Creates a decoder for one body.
   *
   * @param length The framing, from {@linkcode requestBodyLength}.
   * @param options The limits.
   * @throws {HandshakeError} If the announced length is over `maxBodySize`: 413.
   */
  constructor(length: number | "chunked", options: RequestBodyOptions = {}) {
    this.#maxBodySize = options.maxBodySize ?? 16_777_216;
    this.#maxHeadSize = options.maxHeadSize ?? 16_384;
    this.#maxHeaders = options.maxHeaders;
    this.#line = length === "chunked" ? new ChunkLineParser(this.#maxHeadSize) : undefined;
    this.#rest = length === "chunked" ? 0 : length;
    this.#state = length === "chunked" ? LINE : length === 0 ? DONE : DATA;
    if (this.#rest > this.#maxBodySize) throw tooLarge(this.#maxBodySize);
  }

  /** Whether the body is complete. */
  get isDone(): boolean {
    return this.#state === DONE;
  }

  /** The number of bytes that the body still lacks; `undefined` if it is in chunks. */
  get missing(): number | undefined {
    return this.#line === undefined ? this.#rest : undefined;
  }

  /**
   * The bytes of the body that the last {@linkcode RequestBodyDecoder.push} has decoded: a view of its
   * argument, or of a buffer of its own. Empty after a push that has failed.
   */
  get data(): Uint8Array {
    return this.#data;
  }

  /**
   * Decodes the next bytes, into {@linkcode RequestBodyDecoder.data}.
   *
   * @param chunk The received bytes. They are not changed.
   * @returns -1 if the whole chunk belongs to the body and more is needed. Otherwise the number of
   * bytes that belong to the body, which is complete. The bytes after them are the next request.
   * @throws {HandshakeError} If the chunked coding is malformed: 400. If the body or its chunk
   * extensions exceed a limit: 413. If its trailers exceed a limit: 431.
   * @throws {DOMException} "InvalidStateError" if the body is complete or has failed.
   */
  push(chunk: Uint8Array): number {
    this.#data = EMPTY;
    if (this.#state >= DONE) {
      throw new DOMException("Cannot push: the body has ended", "InvalidStateError");
    }
    if (this.#line !== undefined) return this.#pushChunked(chunk);
    const used = Math.min(this.#rest, chunk.length);
    this.#data = used === chunk.length ? chunk : chunk.subarray(0, used);
    this.#rest -= used;
    if (this.#rest > 0) return -1;
    this.#state = DONE;
    return used;
  }

  #pushChunked(chunk: Uint8Array): number {
    let data: Uint8Array | undefined;
    /** The number of bytes in `data`, if it is a buffer that joins several pieces. */
    let joined = -1;
    let i = 0;
    try {
      while (i < chunk.length && this.#state !== DONE) {
        if (this.#state === DATA) {
          const end = Math.min(i + this.#rest, chunk.length);
          if (data === undefined) {
            data = chunk.subarray(i, end);
          } else {
            if (joined === -1) {
              const buffer = new Uint8Array(data.length + chunk.length - i);
              buffer.set(data);
              joined = data.length;
              data = buffer;
            }
            data.set(chunk.subarray(i, end), joined);
            joined += end - i;
          }
          this.#rest -= end - i;
          if (this.#rest === 0) this.#state = DATA_CR;
          i = end;
        } else if (this.#state === TRAILERS) {
          i = this.#readTrailers(chunk, i);
        } else {
          this.#readFraming(chunk[i]);
          i++;
        }
      }
    } catch (error) {
      this.#state = FAILED;
      throw error;
    }
    if (data !== undefined) this.#data = joined === -1 ? data : data.subarray(0, joined);
    return this.#state === DONE ? i : -1;
  }

  /** Reads a byte outside of data and trailers. */
  #readFraming(byte: number): void {
    if (this.#state === LINE) {
      const line = this.#line!;
      const isComplete = line.push(byte);
      if (this.#size + line.size > Math.min(this.#maxBodySize, Number.MAX_SAFE_INTEGER)) {
        throw tooLarge(this.#maxBodySize);
      }
      if (isComplete) this.#beginChunk(line.size);
      return;
    }
    // RFC 9112 §7.1: "chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF".
    const isCr = this.#state === DATA_CR;
    if (byte !== (isCr ? CR : LF)) {
      throw new HandshakeError(
        `Cannot read body: unexpected byte ${hexByte(byte)} in the end of a chunk`,
        { code: "ERR_HTTP_BODY" },
      );
    }
    this.#state = isCr ? DATA_LF : LINE;
  }

  #beginChunk(size: number): void {
    this.#rest = size;
    this.#size += size;
    this.#state = size === 0 ? TRAILERS : DATA;
    if (size > 0) return;
    const maxHeadSize = this.#maxHeadSize;
    this.#trailers = new TrailerParser(
      this.#maxHeaders === undefined
        ? { maxHeadSize }
        : { maxHeadSize, maxHeaders: this.#maxHeaders },
    );
  }

  /**
   * Reads the trailer section from `chunk[from]` on. Returns the index after its last byte.
   *
   * RFC 9110 §6.5.1: trailer fields must not be merged into the header section unless their definition
   * permits it. They are dropped.
   */
  #readTrailers(chunk: Uint8Array, from: number): number {
    const used = this.#trailers!.push(from === 0 ? chunk : chunk.subarray(from));
    if (used === -1) return chunk.length;
    this.#trailers = undefined;
    this.#state = DONE;
    return from + used;
  }
}

/** Parses a trailer section, which has the grammar of a head without its start line. */
class TrailerParser extends HeadParser<HeaderList> {
  protected override get section(): string {
    return "trailers";
  }

  protected override scanStartLine(_bytes: Uint8Array, from: number): number {
    return from;
  }

  protected override finish(_text: string, headers: HeaderList): HeaderList {
    return headers;
  }
}

function invalid(found: string): HandshakeError {
  return new HandshakeError(`Cannot read request: ${found}`, { code: "ERR_HTTP_FRAMING" });
}

function tooLarge(limit: number): HandshakeError {
  return new HandshakeError(`Cannot read body: more than ${limit} bytes, the limit`, {
    code: "ERR_HTTP_BODY_TOO_LARGE",
    status: 413,
  });
}
