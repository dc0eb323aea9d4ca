import { CR, LF, SEMICOLON } from "./characters.ts";
import type { ResponseHead } from "./response_head_parser.ts";

/** The number of bytes of a body that are kept. */
const MAX_BODY = 4096;

const SIZE = 0;
const EXTENSION = 1;
const DATA = 2;
const DATA_END = 3;

/**
 * Collects the first bytes of a response's body, which may explain why there is no WebSocket.
 *
 * The chunked coding is decoded, content codings are not. A malformed body ends at the first byte that
 * proves it malformed: the status has reported the failure already.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-6.3 RFC 9112 §6.3}
 */
export class ResponseBody {
  readonly #kept = new Uint8Array(MAX_BODY);
  #length = 0;
  /** The number of bytes left of the body, or of its current chunk. */
  #rest: number;
  readonly #isChunked: boolean;
  #part = SIZE;
  #hasSize = false;
  #isDone: boolean;

  /**
   * Creates a collector for one body.
   *
   * @param head The head of the response, which defines how its body ends.
   */
  constructor(head: ResponseHead) {
    const { status, headers } = head;
    const coding = headers.get("transfer-encoding");
    const length = headers.get("content-length");
    this.#isChunked = coding !== null && /(^|,)[ \t]*chunked$/i.test(coding);
    const hasLength = coding === null && length !== null && /^\d+$/.test(length);
    this.#rest = hasLength ? Number(length) : this.#isChunked ? 0 : Infinity;
    // RFC 9112 §6.3: a response with such a status "is always terminated by the first empty line".
    const isEmpty = (status < 200 || status === 204 || status === 304) ||
      (hasLength && this.#rest === 0);
    this.#isDone = isEmpty;
  }

  /** Whether the body is complete, or as much of it as is kept. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The bytes of the body received so far, at most 4,096. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#kept.slice(0, this.#length);
  }

  /** The bytes decoded as UTF-8. Invalid sequences become replacement characters. */
  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** Adds the next bytes, which are copied. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#isDone) {
      if (!this.#isChunked || this.#part === DATA) {
        at += this.#keep(chunk.subarray(at));
      } else {
        this.#readFraming(chunk[at]);
        at++;
      }
    }
  }

  #keep(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#rest, MAX_BODY - this.#length);
    this.#kept.set(bytes.subarray(0, count), this.#length);
    this.#length += count;
    this.#rest -= count;
    if (this.#length === MAX_BODY || (this.#rest === 0 && !this.#isChunked)) this.#isDone = true;
    if (this.#rest === 0) this.#part = DATA_END;
    return count;
  }

  /** RFC 9112 §7.1: `chunk-size [ chunk-ext ] CRLF chunk-data CRLF`, up to a chunk of size 0. */
  #readFraming(byte: number): void {
    if (byte === LF && this.#part !== DATA_END) {
      if (this.#rest === 0) this.#isDone = true;
      this.#part = DATA;
    } else if (byte === LF) {
      this.#part = SIZE;
      this.#hasSize = false;
    } else if (byte === CR || this.#part === EXTENSION) {
      return;
    } else if (byte === SEMICOLON && this.#hasSize) {
      this.#part = EXTENSION;
    } else {
      const digit = this.#part === SIZE ? parseInt(String.fromCharCode(byte), 16) : NaN;
      if (Number.isNaN(digit)) this.#isDone = true;
      this.#rest = this.#rest * 16 + digit;
      this.#hasSize = true;
    }
  }
}
