import {
  BACKSLASH,
  CR,
  DQUOTE,
  EQUALS,
  FIELD_VALUE,
  hasAt,
  hexByte,
  isDigit,
  isToken,
  isWhitespace,
  LF,
  quote,
  SEMICOLON,
  TOKEN,
  trimWhitespace,
} from "./characters.ts";
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

/** The largest number of digits of a chunk size, leading zeros included. */
const MAX_SIZE_DIGITS = 16;

const SIZE_START = 0;
const SIZE = 1;
const SEPARATOR = 2;
const NAME_START = 3;
const NAME = 4;
const NAME_END = 5;
const VALUE_START = 6;
const VALUE = 7;
const QUOTED = 8;
const ESCAPED = 9;
const QUOTED_END = 10;
const SIZE_LF = 11;
const DATA = 12;
const DATA_CR = 13;
const DATA_LF = 14;
const TRAILERS = 15;
const DONE = 16;
const FAILED = 17;

/** Names for error messages of the states that read one byte at a time. */
const PLACES: readonly string[] = [
  "chunk size",
  "chunk size",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "chunk extension",
  "end of a chunk size line",
  "",
  "end of a chunk",
  "end of a chunk",
];

/**
 * Returns how the body of a request is framed, according to its head.
 *
 * The check is strict: a request whose length two recipients could read differently is refused. The
 * connection must be closed after a refusal.
 *
 * @param head The head of the request.
 * @returns The length of the body in bytes, 0 if there is none, or `"chunked"`.
 * @throws {HandshakeError} If the framing is invalid or ambiguous: 400. If the transfer coding is not
 * supported: 501.
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
  return Number(length);
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
  readonly #isChunked: boolean;
  #state: number;
  /** The number of bytes left, of the body or of its current chunk. */
  #rest: number;
  /** The number of decoded bytes, the current chunk included. */
  #size = 0;
  #digits = 0;
  #extensionsSize = 0;
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
    this.#isChunked = length === "chunked";
    this.#rest = length === "chunked" ? 0 : length;
    this.#state = length === "chunked" ? SIZE_START : length === 0 ? DONE : DATA;
    if (this.#rest > this.#maxBodySize) throw this.#tooLarge();
    this.#size = this.#rest;
  }

  /** Whether the body is complete. */
  get isDone(): boolean {
    return this.#state === DONE;
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
    if (this.#isChunked) return this.#pushChunked(chunk);
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

  /** Reads a byte outside of data and trailers: `chunk-size [ chunk-ext ] CRLF`, and the last CRLF. */
  #readFraming(byte: number): void {
    switch (this.#state) {
      case SIZE_START:
      case SIZE:
        if (this.#readDigit(byte)) return;
        if (this.#state === SIZE_START) throw this.#unexpected(byte);
        return this.#readSeparator(byte);
      case SIZE_LF:
        // RFC 9112 §2.2 lets a recipient accept a bare LF, but in a head only.
        if (byte !== LF) throw this.#unexpected(byte);
        this.#beginChunk();
        return;
      case DATA_CR:
        if (byte !== CR) throw this.#unexpected(byte);
        this.#state = DATA_LF;
        return;
      case DATA_LF:
        if (byte !== LF) throw this.#unexpected(byte);
        this.#state = SIZE_START;
        return;
      default:
        this.#readExtension(byte);
    }
  }

  /** Reads a hexadecimal digit. Returns whether the byte is one. */
  #readDigit(byte: number): boolean {
    const lower = byte | 0x20;
    const digit = isDigit(byte) ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit === -1) return false;
    // RFC 9112 §7.1: "recipients MUST anticipate potentially large hexadecimal numerals and prevent
    // parsing errors due to integer conversion overflows or precision loss".
    if (++this.#digits > MAX_SIZE_DIGITS) throw this.#unexpected(byte);
    this.#rest = this.#rest * 16 + digit;
    if (this.#size + this.#rest > Math.min(this.#maxBodySize, Number.MAX_SAFE_INTEGER)) {
      throw this.#tooLarge();
    }
    this.#state = SIZE;
    return true;
  }

  /** Reads the byte after a chunk size, or after an extension's name or value. */
  #readSeparator(byte: number): void {
    if (byte === CR) {
      this.#state = SIZE_LF;
      return;
    }
    this.#countExtension();
    if (byte === SEMICOLON) this.#state = NAME_START;
    else if (isWhitespace(byte)) this.#state = SEPARATOR;
    else throw this.#unexpected(byte);
  }

  /**
   * Reads a byte of `chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`.
   *
   * RFC 9112 §7.1.1: "A recipient MUST ignore unrecognized chunk extensions. A server ought to limit
   * the total length of chunk extensions received in a request to an amount reasonable for the
   * services provided".
   */
  #readExtension(byte: number): void {
    switch (this.#state) {
      case NAME:
        if (TOKEN[byte] === 1) break;
        if (byte === EQUALS) this.#state = VALUE_START;
        else if (isWhitespace(byte)) this.#state = NAME_END;
        else return this.#readSeparator(byte);
        break;
      case VALUE:
        if (TOKEN[byte] === 1) break;
        return this.#readSeparator(byte);
      case QUOTED_END:
        return this.#readSeparator(byte);
      case SEPARATOR:
        if (byte === SEMICOLON) this.#state = NAME_START;
        else if (!isWhitespace(byte)) throw this.#unexpected(byte);
        break;
      case NAME_START:
        if (TOKEN[byte] === 1) this.#state = NAME;
        else if (!isWhitespace(byte)) throw this.#unexpected(byte);
        break;
      case NAME_END:
        if (byte === EQUALS) this.#state = VALUE_START;
        else if (byte === SEMICOLON) this.#state = NAME_START;
        else if (!isWhitespace(byte)) throw this.#unexpected(byte);
        break;
      case VALUE_START:
        if (TOKEN[byte] === 1) this.#state = VALUE;
        else if (byte === DQUOTE) this.#state = QUOTED;
        else if (!isWhitespace(byte)) throw this.#unexpected(byte);
        break;
      case QUOTED:
        if (byte === DQUOTE) this.#state = QUOTED_END;
        else if (byte === BACKSLASH) this.#state = ESCAPED;
        else if (FIELD_VALUE[byte] !== 1) throw this.#unexpected(byte);
        break;
      default:
        if (FIELD_VALUE[byte] !== 1) throw this.#unexpected(byte);
        this.#state = QUOTED;
    }
    this.#countExtension();
  }

  #countExtension(): void {
    if (++this.#extensionsSize <= this.#maxHeadSize) return;
    throw new HandshakeError(
      `Cannot read body: chunk extensions of more than ${this.#maxHeadSize} bytes, the limit`,
      { code: "ERR_HTTP_BODY_TOO_LARGE", status: 413 },
    );
  }

  #beginChunk(): void {
    this.#digits = 0;
    this.#size += this.#rest;
    this.#state = this.#rest === 0 ? TRAILERS : DATA;
    if (this.#rest > 0) return;
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

  #unexpected(byte: number): HandshakeError {
    return new HandshakeError(
      `Cannot read body: unexpected byte ${hexByte(byte)} in the ${PLACES[this.#state]}`,
      { code: "ERR_HTTP_BODY" },
    );
  }

  #tooLarge(): HandshakeError {
    return new HandshakeError(
      `Cannot read body: more than ${this.#maxBodySize} bytes, the limit`,
      { code: "ERR_HTTP_BODY_TOO_LARGE", status: 413 },
    );
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
