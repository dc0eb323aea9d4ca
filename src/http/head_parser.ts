import { COLON, CR, FIELD_VALUE, hexByte, isWhitespace, LF, TOKEN } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import { headersOf } from "./header_list.ts";
import type { HeaderList } from "./header_list.ts";

/** The limits of a {@linkcode HeadParser}. */
export interface HeadParserOptions {
  /**
   * The most bytes a head may have, from its first byte to the end of its empty line. One that has
   * more is refused with 431 when its last allowed byte is read. Default: 16,384 (16 KiB).
   */
  maxHeadSize?: number;
  /** The most header field lines a head may have; one more is refused with 431. Default: 100. */
  maxHeaders?: number;
}

const START_LINE = 0;
const NAME = 1;
const VALUE_START = 2;
const VALUE = 3;
const VALUE_LF = 4;
const END_LF = 5;
const COMPLETE = 6;
const FAILED = 7;

const decoder: TextDecoder = new TextDecoder();

/**
 * Reads the head of an HTTP/1.1 message, from the start line to the empty line, out of chunks that
 * may be cut anywhere.
 *
 * Every byte is looked at once, in a plain loop over a table, and the first byte that proves the
 * head wrong ends it: a line feed without its carriage return, a folded line, whitespace before the
 * colon, a control character. Two servers that read one head differently are how requests are
 * smuggled, so nothing is repaired. A head that comes in one chunk is not copied; of one that comes
 * in pieces, at most `maxHeadSize` bytes are kept.
 *
 * A subclass brings the start line: see {@linkcode RequestHeadParser}.
 *
 * @typeParam Head What the whole head becomes.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-2.2
 */
export abstract class HeadParser<Head> {
  readonly #maxHeadSize: number;
  readonly #maxHeaders: number;
  /** Where each line begins, its colon, and its value's begin and end: four numbers a header. */
  readonly #marks: number[] = [];
  #state = START_LINE;
  #size = 0;
  /** The bytes of the earlier chunks, in the first `#size` bytes. */
  #kept: Uint8Array | null = null;
  #head: Head | null = null;
  #text = "";

  /**
   * Makes a parser for one head.
   *
   * @param options The limits. See {@linkcode HeadParserOptions}.
   * @throws {RangeError} When a limit is not a number above 0.
   */
  constructor(options: HeadParserOptions = {}) {
    this.#maxHeadSize = limit("maxHeadSize", options.maxHeadSize ?? 16_384);
    this.#maxHeaders = limit("maxHeaders", options.maxHeaders ?? 100);
  }

  /** The head, or `null` until {@linkcode HeadParser.push} has returned something but -1. */
  get head(): Head | null {
    return this.#head;
  }

  /**
   * The whole head as it came, one character for each byte; empty until there is one. To keep this and
   * parse it once more when it's asked for takes a third of the memory that the head does.
   */
  get text(): string {
    return this.#text;
  }

  /**
   * Reads the next bytes.
   *
   * @param chunk The bytes as they came; not kept and not written to, so the buffer may be reused.
   * @returns -1 when all of the chunk belongs to the head and more is needed; else how many of its
   * bytes belonged to the head, which is now in {@linkcode HeadParser.head}. What follows them is
   * not HTTP any more.
   * @throws {HandshakeError} At the first byte that proves the head wrong: status 400, 431 or 505.
   * @throws {DOMException} "InvalidStateError" after the head has ended or failed.
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
   * Reads bytes of the start line: `bytes[from]` up to `bytes[end - 1]`. Called again with the next
   * bytes as long as it returns -1.
   *
   * @param offset Where `bytes[0]` is in the head.
   * @returns The index just after the start line's LF, or -1 when it goes on.
   */
  protected abstract scanStartLine(
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): number;

  /** Makes the head of its text (one character for each byte) and its header fields. */
  protected abstract finish(text: string, headers: HeaderList): Head;

  /** The error for `bytes[index]`, which cannot stand in a `where`. */
  protected unexpected(bytes: Uint8Array, index: number, where: string): HandshakeError {
    const at = this.#size + index;
    return new HandshakeError(
      `Cannot parse head: unexpected byte ${
        hexByte(bytes[index])
      } at offset ${at}, in the ${where}`,
      { code: "ERR_HANDSHAKE_HEAD" },
    );
  }

  /** Scans `bytes` up to `end`, and returns the index after the last byte that it read. */
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
          // Checked at a line's first byte, which is wherever its begin is the only mark made.
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
    // The head's last byte completes it, so all of the size is used up and it goes on.
    if (offset + end === this.#maxHeadSize) throw this.#tooLarge();
    return end;
  }

  #keepOrFinish(chunk: Uint8Array, used: number): void {
    // A view is made only where it's needed: to make one is to allocate.
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

  /** Copies `bytes` behind the earlier ones, and returns all of them. */
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
    marks.pop(); // The empty line's.
    for (let i = 0; i < marks.length; i += 4) {
      // RFC 9112 §5.1: whitespace around a field line value "is excluded by parsers".
      while (marks[i + 3] > marks[i + 2] && isWhitespace(this.#text.charCodeAt(marks[i + 3] - 1))) {
        marks[i + 3]--;
      }
    }
  }

  #tooLarge(): HandshakeError {
    // RFC 6585 §5: 431 is for a head that is too large in all, or in one field.
    return new HandshakeError(
      `Cannot parse head: longer than ${this.#maxHeadSize} bytes, the limit`,
      { code: "ERR_HANDSHAKE_HEAD_TOO_LARGE", status: 431 },
    );
  }

  #tooManyHeaders(): HandshakeError {
    return new HandshakeError(
      `Cannot parse head: more than ${this.#maxHeaders} header lines, the limit`,
      { code: "ERR_HANDSHAKE_HEAD_TOO_LARGE", status: 431 },
    );
  }
}

function limit(name: string, value: number): number {
  if (value > 0) return value;
  throw new RangeError(`Cannot use limit ${name}: expected a number above 0, got ${value}`);
}

/** One character for each byte: marks are offsets of both. Not `TextDecoder("latin1")`: windows-1252. */
function decode(bytes: Uint8Array): string {
  let text = decoder.decode(bytes);
  // Nearly all heads are ASCII, which UTF-8 leaves as it is; anything else gets shorter, or U+FFFD.
  if (text.length === bytes.length && !text.includes("\ufffd")) return text;
  text = "";
  // In blocks, as an engine's arguments are limited.
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return text;
}
