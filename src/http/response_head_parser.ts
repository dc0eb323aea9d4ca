import { CR, FIELD_VALUE, isDigit, LF, SP } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import { HeadParser } from "./head_parser.ts";
import type { HeaderList } from "./header_list.ts";

/** The head of an HTTP/1.1 response, as {@linkcode ResponseHeadParser} parses it. */
export interface ResponseHead {
  /** The status: 100 to 999. */
  readonly status: number;
  /** The reason phrase as received; often empty. */
  readonly reason: string;
  /** The minor version of HTTP/1.x. */
  readonly minorVersion: number;
  /** The header fields. */
  readonly headers: HeaderList;
}

/** The text before the minor version. */
const VERSION = "HTTP/1.";

const VERSION_NAME = 0;
const MINOR = 1;
const STATUS_START = 2;
const STATUS = 3;
const REASON_START = 4;
const REASON = 5;
const LINE_LF = 6;

/**
 * Parses the head of an HTTP/1.1 response. The bytes may arrive in chunks that are cut anywhere.
 *
 * A malformed head is reported with a {@linkcode HandshakeError} of status 0, because its own status
 * cannot be relied on. See {@linkcode HeadParser}.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-4 RFC 9112 §4}
 *
 * @example
 * ```ts
 * import { ResponseHeadParser } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new ResponseHeadParser();
 * const bytes = new TextEncoder().encode("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
 * assertEquals(parser.push(bytes), bytes.length - 2);
 * assertEquals(parser.head?.status, 403);
 * assertEquals(parser.head?.headers.get("content-length"), "2");
 * ```
 */
export class ResponseHeadParser extends HeadParser<ResponseHead> {
  #part = VERSION_NAME;
  #minorVersion = 0;
  #status = 0;
  #reasonStart = 0;
  #reasonEnd = 0;

  /**
   * Parses the next bytes. See {@linkcode HeadParser}.
   *
   * @throws {HandshakeError} If the head is malformed or too large: status 0.
   */
  override push(chunk: Uint8Array): number {
    try {
      return super.push(chunk);
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      throw new HandshakeError(error.message, { code: error.code, status: 0 });
    }
  }

  /** Parses the status line. See {@linkcode HeadParser}. */
  protected override scanStartLine(
    bytes: Uint8Array,
    from: number,
    end: number,
    offset: number,
  ): number {
    for (let i = from; i < end; i++) {
      const byte = bytes[i];
      switch (this.#part) {
        case VERSION_NAME:
          if (byte !== VERSION.charCodeAt(offset + i)) this.#fail(bytes, i, "HTTP version");
          if (offset + i === VERSION.length - 1) this.#part = MINOR;
          break;
        case MINOR:
          if (!isDigit(byte)) this.#fail(bytes, i, "HTTP version");
          this.#minorVersion = byte - 0x30;
          this.#part = STATUS_START;
          break;
        case STATUS_START:
          if (byte !== SP) this.#fail(bytes, i, "HTTP version");
          this.#part = STATUS;
          break;
        case STATUS:
          // RFC 9112 §4: a status code has three digits. RFC 9110 §15: it is at least 100.
          if (!isDigit(byte) || (this.#status === 0 && byte === 0x30)) {
            this.#fail(bytes, i, "status");
          }
          this.#status = this.#status * 10 + byte - 0x30;
          if (this.#status >= 100) this.#part = REASON_START;
          break;
        case REASON_START:
          this.#reasonStart = this.#reasonEnd = offset + i + 1;
          // RFC 9112 §4 requires a SP even if the reason is empty. Some servers leave it out.
          if (byte === CR) this.#part = LINE_LF;
          else if (byte === SP) this.#part = REASON;
          else this.#fail(bytes, i, "status");
          break;
        case REASON:
          if (byte === CR) {
            this.#reasonEnd = offset + i;
            this.#part = LINE_LF;
          } else if (FIELD_VALUE[byte] !== 1) {
            this.#fail(bytes, i, "reason phrase");
          }
          break;
        default:
          if (byte !== LF) this.#fail(bytes, i, "line's end");
          return i + 1;
      }
    }
    return -1;
  }

  /** Returns the head with the parts of the status line. See {@linkcode HeadParser}. */
  protected override finish(text: string, headers: HeaderList): ResponseHead {
    return {
      status: this.#status,
      reason: text.slice(this.#reasonStart, this.#reasonEnd),
      minorVersion: this.#minorVersion,
      headers,
    };
  }

  #fail(bytes: Uint8Array, index: number, where: string): never {
    throw this.unexpected(bytes, index, where);
  }
}
