/** Counts the HTTP responses of one connection, and checks that they are whole. */

import { concat } from "./frames.ts";

const latin1 = new TextDecoder("latin1");

/** The first digit of the status, 2, and its place. */
const STATUS_AT = 9;
const SUCCESS = 0x32;

/** Counts responses that are all the same. One is in flight at a time. */
export class ResponseCounter {
  readonly #size: number;
  readonly #body: Uint8Array | undefined;
  /** The bytes of the head or of the chunk's first line, until it is complete. */
  #line: Uint8Array = new Uint8Array();
  #state: "head" | "body" | "chunk line" | "chunk" = "head";
  /** The bytes that remain of the body or of the chunk, with its CRLF. */
  #left = 0;
  #received = 0;
  /** Whether the chunk line that ends the body has been read. */
  #isLast = false;
  /** The size of a whole response that was received at once. */
  #whole = 0;
  /** The pieces of the first body, which is compared. */
  #pieces: Uint8Array[] | undefined = [];

  /**
   * @param size The size of the body.
   * @param body The body, if the first one is to be compared.
   */
  constructor(size: number, body: Uint8Array | undefined) {
    this.#size = size;
    this.#body = body;
    if (body === undefined) this.#pieces = undefined;
  }

  /** Whether a response has begun and is not complete. */
  get hasBegun(): boolean {
    return this.#state !== "head" || this.#line.length > 0;
  }

  /**
   * Counts the bytes of a chunk.
   *
   * @returns Whether they complete a response.
   * @throws {Error} If the response is not that which is expected.
   */
  push(chunk: Uint8Array): boolean {
    // Responses differ in their Date only.
    if (chunk.length === this.#whole && this.#state === "head" && chunk[STATUS_AT] === SUCCESS) {
      return true;
    }
    const isAtOnce = !this.hasBegun;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "head" || this.#state === "chunk line") {
        const end = this.#state === "head" ? "\r\n\r\n" : "\r\n";
        const before = this.#line.length;
        // A line that is far longer than those of a server is an error, found by its end.
        this.#line = concat([this.#line, chunk.subarray(at, at + 4096)]);
        const index = latin1.decode(this.#line).indexOf(end);
        if (index === -1) {
          if (this.#line.length > 4096) throw new Error("A response without a head");
          return false;
        }
        const line = latin1.decode(this.#line.subarray(0, index));
        at += index + end.length - before;
        this.#line = new Uint8Array();
        if (this.#state === "head") this.#readHead(line);
        else if (this.#readChunkLine(line)) return this.#complete(chunk, at, isAtOnce);
        continue;
      }
      const some = chunk.subarray(at, at + this.#left);
      at += some.length;
      this.#left -= some.length;
      this.#take(some);
      if (this.#left > 0) return false;
      if (this.#state === "body") return this.#complete(chunk, at, isAtOnce);
      this.#state = "chunk line";
    }
    return false;
  }

  #readHead(head: string): void {
    if (!/^HTTP\/1\.1 200 /.test(head)) throw new Error(`The server answered: ${head}`);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length === undefined && !/^transfer-encoding: *chunked/im.test(head)) {
      throw new Error(`A response without a length: ${head}`);
    }
    this.#state = length === undefined ? "chunk line" : "body";
    this.#left = Number(length ?? 0);
  }

  /** Returns whether the line, and the empty trailer, end the response. */
  #readChunkLine(line: string): boolean {
    if (line === "" && this.#isLast) return true;
    const size = parseInt(line, 16);
    if (!(size >= 0)) throw new Error(`A chunk begins with "${line}"`);
    this.#isLast = size === 0;
    if (size > 0) {
      this.#state = "chunk";
      this.#left = size + 2;
    }
    return false;
  }

  #take(bytes: Uint8Array): void {
    const rest = this.#state === "chunk" ? Math.max(0, this.#left) : 0;
    // The last two bytes of a chunk are its CRLF.
    const crlf = this.#state === "chunk" ? Math.min(bytes.length, Math.max(0, 2 - rest)) : 0;
    this.#received += bytes.length - crlf;
    this.#pieces?.push(bytes.slice(0, bytes.length - crlf));
  }

  #complete(chunk: Uint8Array, at: number, isAtOnce: boolean): boolean {
    if (at < chunk.length) throw new Error("Bytes follow the response");
    if (this.#received !== this.#size) {
      throw new Error(`A body of ${this.#received} bytes, expected ${this.#size}`);
    }
    if (this.#pieces !== undefined) {
      const body = concat(this.#pieces);
      if (body.some((byte, i) => byte !== this.#body![i])) throw new Error("A wrong body");
      this.#pieces = undefined;
    }
    this.#received = 0;
    this.#isLast = false;
    this.#state = "head";
    if (isAtOnce) this.#whole = chunk.length;
    return true;
  }
}
