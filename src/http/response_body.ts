import { CR, LF, SEMICOLON } from "./characters.ts";
import type { ResponseHead } from "./response_head_parser.ts";

/** How many bytes of a body are kept. */
const MAX_BODY = 4096;

const SIZE = 0;
const EXTENSION = 1;
const DATA = 2;
const DATA_END = 3;

/**
 * The first bytes of an answer's body, for whoever looks into why there is no WebSocket.
 *
 * Chunks are taken apart; content codings are left as they are. What breaks the grammar ends it, as
 * there is nothing to be told that the status doesn't say.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
export class ResponseBody {
  readonly #kept = new Uint8Array(MAX_BODY);
  #length = 0;
  /** How many bytes are left, of the body or of a chunk of it. */
  #rest: number;
  readonly #isChunked: boolean;
  #part = SIZE;
  #hasSize = false;
  #isDone: boolean;

  /**
   * Makes a reader for one body.
   *
   * @param head The head of the answer, which says how its body ends.
   */
  constructor(head: ResponseHead) {
    const { status, headers } = head;
    const coding = headers.get("transfer-encoding");
    const length = headers.get("content-length");
    this.#isChunked = coding !== null && /(^|,)[ \t]*chunked$/i.test(coding);
    const hasLength = coding === null && length !== null && /^\d+$/.test(length);
    this.#rest = hasLength ? Number(length) : this.#isChunked ? 0 : Infinity;
    // RFC 9112 §6.3: an answer with such a status "is always terminated by the first empty line".
    const isEmpty = (status < 200 || status === 204 || status === 304) ||
      (hasLength && this.#rest === 0);
    this.#isDone = isEmpty;
  }

  /** Whether all of the body has come, or as much as is kept. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What has come of the body: at most 4,096 bytes. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#kept.slice(0, this.#length);
  }

  /** The same as text: UTF-8, with replacement characters where it's something else. */
  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** Takes the next bytes; they are copied. */
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
