import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import { HandshakeError } from "../http/errors.ts";
import type { CloseInfo } from "../connection/close_info.ts";

/**
 * Returns whether another attempt would be in vain. It is the default of the option `isFinal` of
 * {@linkcode ReconnectingWebSocket}, and decides alone which closes and which statuses are final; to
 * change it, pass another function, which may call this one.
 *
 * | how it ended                                                        | final |
 * | ------------------------------------------------------------------- | ----- |
 * | close code 1000 (the purpose is fulfilled), 1008 (policy violation) | yes   |
 * | any other close code, or a lost connection (1006)                   | no    |
 * | status 4xx of the server or the proxy, such as 401, 403 and 404     | yes   |
 * | status 408, 425 and 429: the client should try again later          | no    |
 * | any other status, such as 503, or a response that is not HTTP       | no    |
 * | the permission to connect is denied (`ERR_PERMISSION`)              | yes   |
 * | a malformed URL, header or other option                             | yes   |
 * | a host that can't be reached, a failed TLS handshake, a timeout     | no    |
 *
 * @param info How the connection closed; for a failed attempt, 1006 with its `error`.
 *
 * @example Another close that is final, and a status that is not
 * ```ts
 * import { HandshakeError, isFinalClose, type ReconnectOptions } from "@sluice/websocket";
 * import { assert } from "@std/assert";
 *
 * const options: ReconnectOptions = {
 *   isFinal(info) {
 *     if (info.closeCode === 4001) return true;
 *     if (info.error instanceof HandshakeError && info.error.status === 404) return false;
 *     return isFinalClose(info);
 *   },
 * };
 * assert(options.isFinal!({ closeCode: 4001, reason: "", wasClean: true }));
 * assert(!options.isFinal!({ closeCode: 1006, reason: "", wasClean: false }));
 * ```
 */
export function isFinalClose({ closeCode, error }: CloseInfo): boolean {
  if (error instanceof HandshakeError) {
    const { status } = error;
    return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429;
  }
  if (error instanceof WebSocketError && error.code === "ERR_PERMISSION") return true;
  if (error instanceof TypeError || error instanceof RangeError) return true;
  if (error instanceof DOMException && error.name === "SyntaxError") return true;
  return closeCode === CloseCode.NormalClosure || closeCode === CloseCode.PolicyViolation;
}
