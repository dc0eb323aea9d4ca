import { WebSocketError } from "../protocol/errors.ts";
import { checkNames, show } from "../protocol/options.ts";

/** Options of a {@linkcode HandshakeError}. */
export interface HandshakeErrorOptions {
  /** A stable name for the rule that was broken, such as `"ERR_HANDSHAKE_METHOD"`. */
  code: string;
  /**
   * The HTTP status that a server responds with, or that a client received.
   *
   * @default {400}
   */
  status?: number;
  /**
   * Header fields of the response, such as `["Allow", "GET"]`.
   *
   * @default {[]}
   */
  headers?: readonly (readonly [name: string, value: string])[];
  /**
   * The value of Retry-After: an integer number of seconds. Without it the field is not sent.
   *
   * @default {undefined}
   */
  retryAfter?: number;
  /**
   * The bytes of the response's body that a client received.
   *
   * @default {new Uint8Array(0)}
   */
  body?: Uint8Array<ArrayBuffer>;
  /** The error that caused this one. */
  cause?: unknown;
}

const NAMES = ["code", "status", "headers", "retryAfter", "body", "cause"];

/**
 * Reports that an opening handshake failed: the peer's HTTP is malformed, or it asks for something
 * that the handshake does not allow.
 *
 * On a server the error holds the whole HTTP response, which {@linkcode writeErrorResponse} turns into
 * bytes. The message names the value that was found (in printable ASCII, at most 64 characters) and
 * what was expected. The response's body repeats the message to the client. The close code is 1002.
 * It is never sent, because there are no frames before the handshake is done.
 *
 * On a client the error holds the response of the server, or of the proxy, that opened no WebSocket.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 RFC 6455 §4.2.1}
 *
 * @example
 * ```ts
 * import { HandshakeError } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new HandshakeError("Cannot accept handshake: the server is full", {
 *   code: "ERR_HANDSHAKE_BUSY",
 *   status: 503,
 *   retryAfter: 30,
 * });
 * assertEquals(error.status, 503);
 * ```
 */
export class HandshakeError extends WebSocketError {
  /** `"HandshakeError"`. */
  override readonly name = "HandshakeError";
  /**
   * The HTTP status. On a server, the status to respond with. On a client, the status that was
   * received, or 0 if the received bytes are not an HTTP response.
   */
  readonly status: number;
  /** Header fields: on a server, those to send in the response; on a client, all received ones. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** On a server, the number of seconds to send in Retry-After, if any; on a client, undefined. */
  readonly retryAfter: number | undefined;
  /** On a client, the first bytes of the response's body, at most 4,096; on a server, empty. */
  readonly body: Uint8Array<ArrayBuffer>;

  /**
   * Creates an error.
   *
   * @param message What failed, the value that was found, and what was expected.
   * @param options The code, the parts of the HTTP response, and the cause.
   * @throws {TypeError} If an option is unknown, or there is no code.
   * @throws {RangeError} If `retryAfter` is not an integer of 0 or more, or the status no integer from 0
   * to 999.
   */
  constructor(message: string, options: HandshakeErrorOptions) {
    checkNames("HandshakeError", options, NAMES);
    if (typeof options.code !== "string" || options.code === "") {
      throw new TypeError(
        "Cannot use option code of HandshakeError: expected a string that is not empty",
      );
    }
    super(message, { code: options.code, closeCode: 1002, cause: options.cause });
    this.status = options.status ?? 400;
    if (!isStatus(this.status)) {
      throw new RangeError(
        `Cannot use status: expected an integer from 0 to 999, got ${show(this.status)}`,
      );
    }
    this.headers = options.headers ?? [];
    const { retryAfter } = options;
    // RFC 9110 §10.2.3: "delay-seconds = 1*DIGIT".
    if (retryAfter !== undefined && !(Number.isSafeInteger(retryAfter) && retryAfter >= 0)) {
      throw new RangeError(
        `Cannot use retryAfter: expected whole seconds, 0 or more, got ${show(retryAfter)}`,
      );
    }
    this.retryAfter = retryAfter;
    this.body = options.body ?? new Uint8Array(0);
  }
}

function isStatus(status: unknown): boolean {
  return Number.isInteger(status) && (status as number) >= 0 && (status as number) <= 999;
}

/**
 * Returns a 500 for an exception in the application's code. The message leaves out the cause, which
 * must not reach the client.
 */
export function internalServerError(cause: unknown): HandshakeError {
  return new HandshakeError("The server has met an unexpected condition", {
    code: "ERR_HANDSHAKE_INTERNAL",
    status: 500,
    cause,
  });
}

/** Returns the refusal for an error: the error itself, or a 500 if it is not the client's fault. */
export function toRefusal(error: unknown): HandshakeError {
  return error instanceof HandshakeError ? error : internalServerError(error);
}
