import { checkLimit, checkNames } from "../protocol/options.ts";
import { COLON, CR, FIELD_VALUE, hexByte, isWhitespace, LF, TOKEN } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import { headersOf } from "./header_list.ts";
import type { HeaderList } from "./header_list.ts";

/** Limits of a {@linkcode HeadParser}. */
export interface HeadParserOptions {
  /**
   * The largest head in bytes, from its first byte to the end of its empty line. A larger head is
   * refused with 431 as soon as its last allowed byte has been read, or with 414 if the
   * request-target alone is too large.
   *
   * @default {16384} 16 KiB
   */
  maxHeadSize?: number;
  /**
   * The largest number of header field lines. One more is refused with 431.
   *
   * @default {100}
   */
  maxHeaders?: number;
}

/** The names of {@linkcode HeadParserOptions}. */
const NAMES: readonly string[] = ["maxHeadSize", "maxHeaders"];

const START_LINE = 0;
const NAME = 1;
const VALUE_START = 2;
const VALUE = 3;
const VALUE_LF = 4;
const END_LF = 5;
const COMPLETE = 6;
const FAILED = 7;

const decoder: TextDecoder = /* @__PURE__ */ new TextDecoder();

/**
 * Parses the head of an HTTP/1.1 message, from the start line to the empty line. The bytes may
 * arrive in chunks that are cut anywhere.
 *
 * Each byte is read once, with a table lookup. Parsing fails at the first byte that proves the head
 * malformed: a line feed without a carriage return, a folded line, whitespace before the colon, a
 * control character. Nothing is repaired, because request smuggling relies on two servers that read
 * one head differently. A head that arrives in one chunk is not copied. Of a head that arrives in
 * pieces, at most `maxHeadSize` bytes are kept.
 *
 * A subclass parses the start line: see {@linkcode RequestHeadParser}.
 *
 * @typeParam Head The type of the parsed head.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-2.2 RFC 9112 §2.2}
 */
export abstract class HeadParser<Head> {
  readonly #maxHeadSize: number;
  readonly #maxHeaders: number;
  /** Four offsets a header: start of the line, colon, start of the value, end of the value. */
  #marks: number[] = [];
  #state = START_LINE;
  #size = 0;
  /** A copy of the earlier chunks, in its first `#size` bytes. */
  #kept: Uint8Array | null = null;
  #head: Head | null = null;
  #text = "";

  /**
   * Creates a parser for one head.
   *
   * @param options The limits.
   * @throws {TypeError} If an option is unknown.
   * @throws {RangeError} If a limit is not a number above 0, or `maxHeaders` not an integer.
   */
  constructor(options: HeadParserOptions = {}) {
    checkNames("HeadParserOptions", options, this.optionNames);
    const { maxHeadSize = 16_384, maxHeaders = 100 } = options;
    checkLimit("limit maxHeadSize", maxHeadSize);
    checkLimit("limit maxHeaders", maxHeaders, true);
    this.#maxHeadSize = maxHeadSize;
    this.#maxHeaders = maxHeaders;
  }

  /**
   * Prepares for another head, as a new parser with the same options would.
   *
   * @internal
   */
  reset(): void {
    this.#marks = []; // The header list of the last head keeps the others.
    this.#state = START_LINE;
    this.#size = 0;
    this.#kept = null;
    this.#head = null;
    this.#text = "";
  }

  /** The names of the options; a subclass may have more. */
  protected get optionNames(): readonly string[] {
    return NAMES;
  }

  /** The parsed head, or `null` while {@linkcode HeadParser.push} has returned nothing but -1. */
  get head(): Head | null {
    return this.#head;
  }

  /**
   * The text of the whole head, one character for each byte; empty until the head is complete. Keeping
   * this text, and parsing it again on demand, takes a third of the memory of the parsed head.
   */
  get text(): string {
    return this.#text;
  }

  /** The name of the parsed section, for error messages. */
  protected get section(): string {
    return "head";
  }

  /** The status that refuses a start line which exceeds the limit. */
  protected get startLineStatus(): number {
    return 431;
  }

  /**
   * Parses the next bytes.
   *
   * @param chunk The received bytes. They are neither kept nor changed, so the buffer may be reused.
   * @returns -1 if the whole chunk belongs to the head and more is needed. Otherwise the number of
   * bytes that belong to the head, which is now in {@linkcode HeadParser.head}; the bytes after them
   * are the body, or frames.
   * @throws {HandshakeError} If the head is malformed or too large: status 400, 414, 431, 501 or 505.
   * @throws {DOMException} "InvalidStateError" if the head is complete or has failed.
   */
  push(chunk: Uint8Array): number {
    if (this.#state >= COMPLETE) {
      throw new DOMException("Cannot push: the head has ended", "InvalidStateError");
    }
    const end = Math.min(chunk.length, this.#maxHeadSize - this.#size);
    let used: number;
    try {
      used = this.#scan(chunk, end);
    } catch (error) {
      this.#state = FAILED;
      this.#kept = null;
      throw error;
    }
    this.#keepOrFinish(chunk, used);
    return this.#state === COMPLETE ? used : -1;
  }

  /**
   * Parses bytes of the start line: `bytes[from]` to `bytes[end - 1]`. Called again with the next
   * bytes as long as it returns -1.
   *
   * @param offset The offset of `bytes[0]` in the head.
   * @returns The index after the LF of the start line, or -1 if more bytes are needed.
   */
  protected abstract scanStartLine(
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): number;

  /** Returns the head, given its text (one character for each byte) and its header fields. */
  protected abstract finish(text: string, headers: HeaderList): Head;

  /** Returns the error for `bytes[index]`, which is not allowed in a `where`. */
  protected unexpected(bytes: Uint8Array, index: number, where: string): HandshakeError {
    const at = this.#size + index;
    return new HandshakeError(
      `Cannot parse ${this.section}: unexpected byte ${
        hexByte(bytes[index])
      } at offset ${at}, in the ${where}`,
      { code: "ERR_HANDSHAKE_HEAD" },
    );
  }

  /** Scans `bytes` up to `end`. Returns the index after the last byte that belongs to the head. */
  #scan(bytes: Uint8Array, end: number): number {
    const marks = this.#marks;
    const offset = this.#size;
    let i = 0;
    let state = this.#state;
    while (i < end) {
      switch (state) {
        case START_LINE:
          i = this.scanStartLine(bytes, i, end, offset);
          if (i === -1) {
            i = end;
          } else {
            state = NAME;
            marks.push(offset + i);
          }
          break;
        case NAME: {
          while (i < end && TOKEN[bytes[i]] === 1) i++;
          // The number of lines is checked at the first byte of a line's name.
          const empty = offset + i === marks[marks.length - 1];
          if (!empty && marks.length > this.#maxHeaders * 4) throw this.#tooManyHeaders();
          if (i === end) break;
          const byte = bytes[i];
          if (byte === COLON && !empty) {
            // RFC 9112 §5.1: "No whitespace is allowed between the field name and colon."
            marks.push(offset + i);
            state = VALUE_START;
          } else if (byte === CR && empty) {
            state = END_LF;
          } else {
            // RFC 9112 §5.2: "A server that receives an obs-fold ... MUST either reject the message
            // by sending a 400": a line that begins with whitespace ends here.
            throw this.unexpected(bytes, i, "header name");
          }
          i++;
          break;
        }
        case VALUE_START:
          while (i < end && isWhitespace(bytes[i])) i++;
          if (i === end) break;
          marks.push(offset + i);
          state = VALUE;
          break;
        case VALUE:
          while (i < end && FIELD_VALUE[bytes[i]] === 1) i++;
          if (i === end) break;
          // RFC 9110 §5.5: CR, LF and NUL "are invalid and dangerous"; a CR ends the line.
          if (bytes[i] !== CR) throw this.unexpected(bytes, i, "header value");
          marks.push(offset + i);
          state = VALUE_LF;
          i++;
          break;
        default:
          // RFC 9112 §2.2: "A recipient of such a bare CR MUST consider that element to be
          // invalid".
          if (bytes[i] !== LF) throw this.unexpected(bytes, i, "line's end");
          i++;
          if (state === END_LF) {
            this.#state = COMPLETE;
            return i;
          }
          marks.push(offset + i);
          state = NAME;
      }
    }
    this.#state = state;
    // The last byte of a head completes it: this head has its full size and is not complete.
    if (offset + end === this.#maxHeadSize) throw this.#tooLarge();
    return end;
  }

  #keepOrFinish(chunk: Uint8Array, used: number): void {
    // A view is created only when needed, since it is an allocation.
    let bytes = used === chunk.length ? chunk : chunk.subarray(0, used);
    const before = this.#size;
    this.#size += used;
    if (before > 0 || this.#state !== COMPLETE) bytes = this.#keep(bytes, before);
    if (this.#state !== COMPLETE) return;
    this.#kept = null;
    this.#text = decode(bytes);
    this.#finishMarks();
    this.#head = this.finish(this.#text, headersOf(this.#text, this.#marks));
  }

  /** Appends `bytes` to the copy of the earlier chunks. Returns all bytes of the head so far. */
  #keep(bytes: Uint8Array, before: number): Uint8Array {
    let kept = this.#kept;
    if (kept === null || kept.length < this.#size) {
      const capacity = Math.min(this.#maxHeadSize, Math.max(this.#size * 2, 512));
      const grown = new Uint8Array(capacity);
      if (kept !== null) grown.set(kept.subarray(0, before));
      this.#kept = kept = grown;
    }
    kept.set(bytes, before);
    return kept.subarray(0, this.#size);
  }

  #finishMarks(): void {
    const marks = this.#marks;
    marks.pop(); // The start of the empty line.
    for (let i = 0; i < marks.length; i += 4) {
      // RFC 9112 §5.1: whitespace around a field line value "is excluded by parsers".
      while (marks[i + 3] > marks[i + 2] && isWhitespace(this.#text.charCodeAt(marks[i + 3] - 1))) {
        marks[i + 3]--;
      }
    }
  }

  #tooLarge(): HandshakeError {
    // RFC 6585 §5: 431 is for a head that is too large as a whole, or in one field.
    const status = this.#state === START_LINE ? this.startLineStatus : 431;
    return new HandshakeError(
      `Cannot parse ${this.section}: longer than ${this.#maxHeadSize} bytes, the limit`,
      { code: "ERR_HANDSHAKE_HEAD_TOO_LARGE", status },
    );
  }

  #tooManyHeaders(): HandshakeError {
    return new HandshakeError(
      `Cannot parse ${this.section}: more than ${this.#maxHeaders} header lines, the limit`,
      { code: "ERR_HANDSHAKE_HEAD_TOO_LARGE", status: 431 },
    );
  }
}

/**
 * Decodes one character from each byte, so that marks are offsets of both. `TextDecoder("latin1")`
 * would decode windows-1252.
 */
function decode(bytes: Uint8Array): string {
  let text = decoder.decode(bytes);
  // Nearly all heads are ASCII, which UTF-8 decodes as it is. Other bytes make the text shorter, or
  // become U+FFFD.
  if (text.length === bytes.length && !text.includes("\ufffd")) return text;
  text = "";
  // In blocks, because engines limit the number of arguments of a call.
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return text;
}
