import type { RequestHead } from "./request_head_parser.ts";
import { includesToken } from "./token_list.ts";

/**
 * Returns whether the connection persists after the response to a request, as far as the client is
 * concerned.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-9.3 RFC 9112 §9.3}
 */
export function isPersistent({ headers, minorVersion }: RequestHead): boolean {
  const connection = headers.get("connection");
  // RFC 9112 §9.3: "If the "close" connection option is present [...], the connection will not persist".
  if (includesToken(connection, "close")) return false;
  // Without it, HTTP/1.1 persists, and HTTP/1.0 if "the "keep-alive" connection option is present".
  return minorVersion > 0 || includesToken(connection, "keep-alive");
}
