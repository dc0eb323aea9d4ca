import { HandshakeError } from "./errors.ts";
import { parseHost, parseTarget } from "./host.ts";
import type { RequestHead } from "./request_head_parser.ts";

/** Options of {@linkcode toRequest}. */
export interface ToRequestOptions {
  /** The scheme of the request's URL: what the listener speaks. Default: `"http"`. */
  scheme?: "http" | "https" | undefined;
  /** The signal of the request: aborted when its client has gone. Default: one that never is. */
  signal?: AbortSignal | undefined;
}

/**
 * Makes the Web `Request` that the server's own code is given.
 *
 * Its URL is that of the Host and the target. Every header field is in it, those of the handshake
 * too. It does not fail for a head that {@linkcode parseUpgradeRequest} or
 * {@linkcode validateHttpRequest} has passed, so it may as well be made late, or never.
 *
 * @param head The request's head.
 * @param options The scheme and the signal. See {@linkcode ToRequestOptions}.
 * @throws {HandshakeError} 400, when the head has no valid Host or target, or no `Request` can have
 * its method.
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
