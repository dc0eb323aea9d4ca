import { HandshakeError } from "./errors.ts";
import { parseHost, parseTarget } from "./host.ts";
import type { RequestHead } from "./request_head_parser.ts";

/** Options of {@linkcode toRequest}. */
export interface ToRequestOptions {
  /**
   * The scheme of the request's URL, which is that of the listener.
   *
   * @default {"http"}
   */
  scheme?: "http" | "https" | undefined;
  /**
   * The signal of the request, which aborts when the client has left.
   *
   * @default {undefined} a signal that never aborts
   */
  signal?: AbortSignal | undefined;
}

/**
 * Returns the Web `Request` that the application is given.
 *
 * Its URL is made of the Host and the target. It has every header field, those of the handshake
 * included. A head that `parseUpgradeRequest` or `validateHttpRequest` has validated never fails, so
 * the `Request` may be made late, or not at all.
 *
 * @param head The request's head.
 * @param options The scheme and the signal.
 * @throws {HandshakeError} If the head has no valid Host or target, or a method that `Request`
 * refuses: 400.
 */
export function toRequest(head: RequestHead, options: ToRequestOptions = {}): Request {
  const { scheme = "http", signal } = options;
  const host = parseHost(head);
  const url = `${scheme}://${host}${parseTarget(head.target, host)}`;
  try {
    return new Request(url, {
      method: head.method,
      headers: [...head.headers],
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    throw new HandshakeError(`Cannot make a Request: ${cause}`, {
      code: "ERR_HANDSHAKE_REQUEST",
      cause,
    });
  }
}
