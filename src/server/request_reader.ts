import { concat, EMPTY } from "../protocol/bytes.ts";
import type { Limits } from "../connection/limits.ts";
import { RequestHeadParser } from "../http/request_head_parser.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { ProxiedClient } from "../proxy/trusted_proxies.ts";

/** The parser of the last head, which is used again: to make one takes as long as to parse a short head. */
let spare: RequestHeadParser | undefined;
let spareLimits: Readonly<Limits> | undefined;
let spareAllowsHttp10 = false;

/** Reads the heads of a connection's requests, and keeps received data that is not processed yet. */
export class RequestReader {
  readonly #limits: Readonly<Limits>;
  readonly #allowHttp10: boolean;
  #proxiedClient: ProxiedClient | undefined;
  #parser: RequestHeadParser | undefined;
  /** The number of bytes of an incomplete head in the parser. */
  #headBytes = 0;
  #input: Uint8Array = EMPTY;

  /**
   * Prepares to read.
   *
   * @param allowHttp10 Whether requests of HTTP/1.0 are accepted.
   * @param proxiedClient Reads a PROXY header in front of the first request.
   */
  constructor(
    limits: Readonly<Limits>,
    allowHttp10: boolean,
    proxiedClient: ProxiedClient | undefined,
  ) {
    this.#limits = limits;
    this.#allowHttp10 = allowHttp10;
    this.#proxiedClient = proxiedClient;
  }

  /** Whether a part of a head has been received. */
  get hasBegun(): boolean {
    return this.#parser !== undefined;
  }

  /** The number of received bytes that have not been processed. */
  get inputSize(): number {
    return this.#input.length;
  }

  /** The memory usage of received data that has not been processed, in bytes. */
  get memoryUsage(): number {
    return this.#headBytes + this.#input.length;
  }

  /** The text of the head that was read last, until `finishHead()`. */
  get headText(): string {
    return this.#parser!.text;
  }

  /**
   * Reads data of a head. The data after it is kept.
   *
   * @param chunk The data.
   * @param isOwn Whether this object may keep the chunk.
   * @returns The head, if it is complete.
   * @throws {HandshakeError} If the head is malformed or too large.
   */
  read(chunk: Uint8Array, isOwn: boolean): RequestHead | undefined {
    let rest = chunk;
    if (this.#proxiedClient !== undefined) {
      const afterHeader = this.#proxiedClient.preface(chunk);
      if (afterHeader === undefined) return undefined;
      rest = afterHeader;
    }
    if (rest.length === 0) return undefined;
    this.#parser ??= this.#makeParser();
    const used = this.#parser.push(rest);
    if (used === -1) {
      this.#headBytes += rest.length;
      return undefined;
    }
    this.#headBytes = 0;
    this.#proxiedClient = undefined;
    this.keep(rest.subarray(used), isOwn);
    return this.#parser.head!;
  }

  #makeParser(): RequestHeadParser {
    if (spareLimits === this.#limits && spareAllowsHttp10 === this.#allowHttp10) {
      const parser = spare;
      spare = undefined;
      if (parser !== undefined) return parser;
    }
    const { maxHeadSize, maxHeaders } = this.#limits;
    return new RequestHeadParser({ maxHeadSize, maxHeaders, allowHttp10: this.#allowHttp10 });
  }

  /** Keeps data until it is taken. */
  keep(data: Uint8Array, isOwn: boolean): void {
    if (data.length === 0) return;
    // A small rest of a chunk must not keep the whole chunk in memory.
    const isCompact = isOwn && data.length * 2 >= data.buffer.byteLength;
    this.#input = this.#input.length === 0 && isCompact ? data : concat(this.#input, data);
  }

  /** Returns the kept data and passes its ownership to the caller. */
  take(): Uint8Array {
    const input = this.#input;
    this.#input = EMPTY;
    return input;
  }

  /** Frees the head. */
  finishHead(): void {
    const parser = this.#parser;
    this.#parser = undefined;
    this.#headBytes = 0;
    if (parser === undefined) return;
    parser.reset();
    spare = parser;
    spareLimits = this.#limits;
    spareAllowsHttp10 = this.#allowHttp10;
  }
}
