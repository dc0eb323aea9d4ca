import { WebSocketError } from "../protocol/errors.ts";

/** What a {@linkcode HandshakeError} is made of, next to its message. */
export interface HandshakeErrorOptions {
  /** A stable name for the rule that was broken, such as `"ERR_HANDSHAKE_METHOD"`. */
  code: string;
  /** The HTTP status that a server answers with, or that a client got. Default: 400. */
  status?: number;
  /** Header fields of the answer, such as `["Allow", "GET"]`. Default: none. */
  headers?: readonly (readonly [name: string, value: string])[];
  /** After how many seconds, an integer, to try again: Retry-After. Default: the field isn't sent. */
  retryAfter?: number;
  /** What a client got of the answer's body. Default: nothing. */
  body?: Uint8Array<ArrayBuffer>;
  /** The error behind this one. */
  cause?: unknown;
}

/**
 * The opening handshake failed: the peer's HTTP is malformed, or it asks for something that the
 * handshake does not allow.
 *
 * It knows the whole HTTP answer, so that a server has one place to turn a refusal into bytes:
 * {@linkcode writeErrorResponse}. The message says what was wrong, shows the value (in printable
 * ASCII, at most 64 characters of it) and what was expected; the answer's body repeats it to the
 * client. The close code is 1002, and is never sent: there are no frames before the handshake is
 * done.
 *
 * At a client it tells what the server, or the proxy, answered in place of a WebSocket.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
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
   * The HTTP status: at a server, the one to answer with; at a client, the one that came, or 0 where
   * what came is no HTTP answer.
   */
  readonly status: number;
  /** Header fields: at a server, those that the answer must carry; at a client, all that came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** At a server, after how many seconds the client is told to try again; else undefined. */
  readonly retryAfter: number | undefined;
  /** At a client, the first bytes of the answer's body, at most 4,096; else empty. */
  readonly body: Uint8Array<ArrayBuffer>;

  /**
   * Makes an error with a text for people and an answer for the client.
   *
   * @param message What was wrong, the value, what was expected.
   * @param options The code, the HTTP status and headers, and the cause.
   * @throws {RangeError} When `retryAfter` is not an integer of 0 or more.
   */
  constructor(message: string, options: HandshakeErrorOptions) {
    super(message, { code: options.code, closeCode: 1002, cause: options.cause });
    this.status = options.status ?? 400;
    this.headers = options.headers ?? [];
    const { retryAfter } = options;
    // RFC 9110 §10.2.3: "delay-seconds = 1*DIGIT".
    if (retryAfter !== undefined && !(Number.isSafeInteger(retryAfter) && retryAfter >= 0)) {
      throw new RangeError(
        `Cannot use retryAfter: expected whole seconds, 0 or more, got ${retryAfter}`,
      );
    }
    this.retryAfter = retryAfter;
    this.body = options.body ?? new Uint8Array(0);
  }
}

/**
 * Returns the 500 for an exception in the application's own code. Its message says nothing of the
 * cause, which is not for the client.
 */
export function internalServerError(cause: unknown): HandshakeError {
  return new HandshakeError("The server has met an unexpected condition", {
    code: "ERR_HANDSHAKE_INTERNAL",
    status: 500,
    cause,
  });
}
