import { show } from "../protocol/options.ts";
import { CR, isDigit, LF, SP, TARGET, TOKEN } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import { HeadParser } from "./head_parser.ts";
import type { HeadParserOptions } from "./head_parser.ts";
import type { HeaderList } from "./header_list.ts";

/** The head of an HTTP/1.1 request, as {@linkcode RequestHeadParser} parses it. */
export interface RequestHead {
  /** The method as received: methods are case-sensitive. */
  readonly method: string;
  /** The request-target as received, usually a path with a query. Never empty. */
  readonly target: string;
  /** The minor version of HTTP/1.x: 1 or more, or 0 if the parser accepts HTTP/1.0. */
  readonly minorVersion: number;
  /** The header fields. */
  readonly headers: HeaderList;
}

/** Options of a {@linkcode RequestHeadParser}. */
export interface RequestHeadParserOptions extends HeadParserOptions {
  /**
   * Whether to accept HTTP/1.0, which has no WebSockets. If not, it is refused with 505.
   *
   * @default {false}
   */
  allowHttp10?: boolean;
}

/** The text between the target and the minor version. */
const VERSION = " HTTP/1.";

const NAMES: readonly string[] = ["maxHeadSize", "maxHeaders", "allowHttp10"];

const BEGIN = 0;
const EMPTY_LINE_LF = 1;
const METHOD = 2;
const TARGET_START = 3;
const TARGET_REST = 4;
const VERSION_NAME = 5;
const MINOR = 6;
const LINE_CR = 7;
const LINE_LF = 8;

/**
 * Parses the head of an HTTP/1.1 request. The bytes may arrive in chunks that are cut anywhere.
 *
 * The parser is strict and fails at the first byte that proves the head malformed. A TLS ClientHello,
 * or other binary data, is therefore refused at its first byte. See {@linkcode HeadParser}.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3 RFC 9112 §3}
 *
 * @example
 * ```ts
 * import { RequestHeadParser } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new RequestHeadParser({ maxHeaders: 50 });
 * const encoder = new TextEncoder();
 * assertEquals(parser.push(encoder.encode("GET /chat HTTP/1.1\r\nHost: exa")), -1);
 * assertEquals(parser.push(encoder.encode("mple.com\r\n\r\nrest")), 12);
 * assertEquals(parser.head?.target, "/chat");
 * assertEquals(parser.head?.headers.get("host"), "example.com");
 * ```
 */
export class RequestHeadParser extends HeadParser<RequestHead> {
  readonly #minVersion: number;
  #part = BEGIN;
  /** How many characters of `VERSION` have matched. */
  #matched = 0;
  #start = 0;
  #methodEnd = 0;
  #targetEnd = 0;
  #minorVersion = 0;

  /**
   * Creates a parser for one head.
   *
   * @param options The limits, and whether to accept HTTP/1.0.
   * @throws {TypeError} If an option is unknown, or `allowHttp10` is no boolean.
   * @throws {RangeError} If a limit is not a number above 0.
   */
  constructor(options: RequestHeadParserOptions = {}) {
    super(options);
    const { allowHttp10 = false } = options;
    if (typeof allowHttp10 !== "boolean") {
      throw new TypeError(
        `Cannot use option allowHttp10: expected a boolean, got ${show(allowHttp10)}`,
      );
    }
    this.#minVersion = allowHttp10 ? 0 : 1;
  }

  /**
   * Prepares for another head. See {@linkcode HeadParser}.
   *
   * @internal
   */
  override reset(): void {
    super.reset();
    this.#part = BEGIN;
    this.#matched =
      this.#start =
      this.#methodEnd =
      this.#targetEnd =
      this.#minorVersion =
        0;
  }

  /** The names of the options. */
  protected override get optionNames(): readonly string[] {
    return NAMES;
  }

  /** The status for a method or a target that exceeds the limit. See {@linkcode HeadParser}. */
  protected override get startLineStatus(): number {
    // RFC 9112 §3: "A server that receives a method longer than any that it implements SHOULD respond
    // with a 501 (Not Implemented) status code. A server that receives a request-target longer than any
    // URI it wishes to parse MUST respond with a 414 (URI Too Long) status code".
    return this.#part < TARGET_START ? 501 : 414;
  }

  /** Parses the request line. See {@linkcode HeadParser}. */
  protected override scanStartLine(
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): number {
    let i = from;
    while (i < end) {
      switch (this.#part) {
        case BEGIN:
          // RFC 9112 §2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to
          // the request-line". This parser ignores exactly one.
          if (bytes[i] === CR) {
            this.#part = EMPTY_LINE_LF;
            this.#start = 2;
            i++;
          } else {
            this.#part = METHOD;
          }
          break;
        case EMPTY_LINE_LF:
          if (bytes[i] !== LF) throw this.unexpected(bytes, i, "line's end");
          this.#part = METHOD;
          i++;
          break;
        case METHOD:
          while (i < end && TOKEN[bytes[i]] === 1) i++;
          if (i === end) break;
          if (bytes[i] !== SP || offset + i === this.#start) {
            throw this.unexpected(bytes, i, "method");
          }
          this.#methodEnd = offset + i;
          this.#part = TARGET_START;
          i++;
          break;
        case TARGET_START:
          if (TARGET[bytes[i]] !== 1) throw this.unexpected(bytes, i, "request-target");
          this.#part = TARGET_REST;
          break;
        case TARGET_REST:
          // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and
          // MUST NOT be used". A request-target of HTTP has none, either.
          while (i < end && TARGET[bytes[i]] === 1) i++;
          if (i === end) break;
          if (bytes[i] !== SP) throw this.unexpected(bytes, i, "request-target");
          this.#targetEnd = offset + i;
          this.#part = VERSION_NAME;
          break;
        case VERSION_NAME:
          this.#matchVersion(bytes, i);
          i++;
          break;
        case MINOR:
          this.#readMinor(bytes, i);
          i++;
          break;
        case LINE_CR:
          if (bytes[i] !== CR) throw this.unexpected(bytes, i, "HTTP version");
          this.#part = LINE_LF;
          i++;
          break;
        case LINE_LF:
          if (bytes[i] !== LF) throw this.unexpected(bytes, i, "line's end");
          return i + 1;
      }
    }
    return -1;
  }

  /** Returns the head with the parts of the request line. See {@linkcode HeadParser}. */
  protected override finish(text: string, headers: HeaderList): RequestHead {
    return {
      method: text.slice(this.#start, this.#methodEnd),
      target: text.slice(this.#methodEnd + 1, this.#targetEnd),
      minorVersion: this.#minorVersion,
      headers,
    };
  }

  #matchVersion(bytes: Uint8Array, index: number): void {
    if (bytes[index] !== VERSION.charCodeAt(this.#matched)) {
      if (this.#matched === 6 && isDigit(bytes[index])) {
        throw unsupportedVersion(`HTTP/${bytes[index] - 0x30}`);
      }
      throw this.unexpected(bytes, index, "HTTP version");
    }
    if (++this.#matched === VERSION.length) this.#part = MINOR;
  }

  #readMinor(bytes: Uint8Array, index: number): void {
    const minor = bytes[index] - 0x30;
    if (!isDigit(bytes[index])) throw this.unexpected(bytes, index, "HTTP version");
    // RFC 6455 §4.1: "the HTTP version MUST be at least 1.1."
    if (minor < this.#minVersion) throw unsupportedVersion("HTTP/1.0");
    this.#minorVersion = minor;
    this.#part = LINE_CR;
  }
}

/** Parses a head again from its {@linkcode RequestHeadParser.text}. */
export function parseRequestHead(text: string): RequestHead {
  const parser = new RequestHeadParser({
    maxHeadSize: Infinity,
    maxHeaders: Infinity,
    allowHttp10: true,
  });
  parser.push(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  return parser.head!;
}

function unsupportedVersion(found: string): HandshakeError {
  return new HandshakeError(`Cannot parse head: version ${found}, expected HTTP/1.1`, {
    code: "ERR_HANDSHAKE_HTTP_VERSION",
    status: 505,
  });
}
