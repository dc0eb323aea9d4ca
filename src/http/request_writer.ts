import { consistsOf, isToken, quote, TARGET } from "./characters.ts";
import { encodeLatin1, field, pairs } from "./header_writer.ts";
import type { HeaderFields } from "./header_writer.ts";

/**
 * Encodes a request without a body.
 *
 * @param method The method.
 * @param target The request-target.
 * @param fields The header fields.
 * @throws {TypeError} If the method, the target, or a field's name or value is invalid.
 *
 * @example
 * ```ts
 * import { writeRequest } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = writeRequest("GET", "/chat", [["Host", "example.com"]]);
 * const text = new TextDecoder().decode(bytes);
 * assertEquals(text, "GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n");
 * ```
 */
export function writeRequest(
  method: string,
  target: string,
  fields: HeaderFields,
): Uint8Array<ArrayBuffer> {
  if (!isToken(method)) throw new TypeError(`Cannot write request: method ${quote(method)}`);
  if (target === "" || !consistsOf(TARGET, target)) {
    throw new TypeError(`Cannot write request: request-target ${quote(target)}`);
  }
  // RFC 6455 §4.1: "The method of the request MUST be GET, and the HTTP version MUST be at least 1.1."
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of pairs(fields)) text += field(name, value);
  return encodeLatin1(`${text}\r\n`);
}
