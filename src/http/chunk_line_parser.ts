import {
  BACKSLASH,
  CR,
  DQUOTE,
  EQUALS,
  FIELD_VALUE,
  hexByte,
  isDigit,
  isWhitespace,
  LF,
  SEMICOLON,
  TOKEN,
} from "./characters.ts";
import { HandshakeError } from "./errors.ts";

/** The largest number of digits of a chunk size, leading zeros included. */
const MAX_DIGITS = 16;

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
const LINE_LF = 11;

/**
 * Parses the lines in front of the chunks of a body: `chunk-size [ chunk-ext ] CRLF`. Extensions are
 * validated, bounded and dropped.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-7.1 RFC 9112 §7.1}
 */
export class ChunkLineParser {
  /** The size of the chunk in bytes, as far as its digits have been read. */
  size = 0;
  readonly #maxExtensionsSize: number;
  #state = SIZE_START;
  #digits = 0;
  #extensionsSize = 0;

  /**
   * Creates a parser for all lines of one body.
   *
   * @param maxExtensionsSize The largest size in bytes of all extensions together.
   */
  constructor(maxExtensionsSize: number) {
    this.#maxExtensionsSize = maxExtensionsSize;
  }

  /**
   * Parses a byte. After the last byte of a line, the next one begins another line.
   *
   * @returns Whether the byte is the last one of its line.
   * @throws {HandshakeError} If the line is malformed: 400. If the extensions exceed the limit: 413.
   */
  push(byte: number): boolean {
    switch (this.#state) {
      case SIZE_START:
        this.size = 0;
        this.#digits = 0;
        if (!this.#readDigit(byte)) throw this.#unexpected(byte);
        return false;
      case SIZE:
        if (!this.#readDigit(byte)) this.#readSeparator(byte);
        return false;
      case LINE_LF:
        // RFC 9112 §2.2 lets a recipient accept a bare LF, but in a head only.
        if (byte !== LF) throw this.#unexpected(byte);
        this.#state = SIZE_START;
        return true;
      default:
        this.#readExtension(byte);
        return false;
    }
  }

  /** Reads a hexadecimal digit. Returns whether the byte is one. */
  #readDigit(byte: number): boolean {
    const lower = byte | 0x20;
    const digit = isDigit(byte) ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit === -1) return false;
    // RFC 9112 §7.1: "recipients MUST anticipate potentially large hexadecimal numerals and prevent
    // parsing errors due to integer conversion overflows or precision loss".
    if (++this.#digits > MAX_DIGITS) throw this.#unexpected(byte);
    this.size = this.size * 16 + digit;
    this.#state = SIZE;
    return true;
  }

  /** Reads the byte after a chunk size, or after an extension's name or value. */
  #readSeparator(byte: number): void {
    if (byte === CR) {
      this.#state = LINE_LF;
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
    if (++this.#extensionsSize <= this.#maxExtensionsSize) return;
    throw new HandshakeError(
      `Cannot read body: chunk extensions of more than ${this.#maxExtensionsSize} bytes, the limit`,
      { code: "ERR_HTTP_BODY_TOO_LARGE", status: 413 },
    );
  }

  #unexpected(byte: number): HandshakeError {
    const place = this.#state <= SIZE
      ? "chunk size"
      : this.#state === LINE_LF
      ? "end of a chunk size line"
      : "chunk extension";
    return new HandshakeError(
      `Cannot read body: unexpected byte ${hexByte(byte)} in the ${place}`,
      {
        code: "ERR_HTTP_BODY",
      },
    );
  }
}
