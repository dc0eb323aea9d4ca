import { isToken, quote } from "../http/characters.ts";
import {
  CONNECTION_FIELDS,
  encodeLatin1,
  field,
  fieldValue,
  pairs,
} from "../http/header_writer.ts";
import type { HeaderFields } from "../http/header_writer.ts";

/** What {@linkcode writeUpgradeResponse} writes. */
export interface UpgradeResponse {
  /** The Sec-WebSocket-Accept, from {@linkcode computeAcceptKey}. */
  acceptKey: string;
  /** The subprotocol that was chosen, one that was offered. Default: none. */
  protocol?: string | undefined;
  /** The Sec-WebSocket-Extensions that were agreed to; none when empty. Default: none. */
  extensions?: string | undefined;
  /** Further header fields, such as Set-Cookie. Default: none. */
  headers?: HeaderFields | undefined;
}

/** What each 101 begins with: it's copied, which takes less than to encode it anew. */
const SWITCHING: Uint8Array = encodeLatin1(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: ",
);

/**
 * Writes the answer that opens the WebSocket: 101 Switching Protocols.
 *
 * @param response What to write. See {@linkcode UpgradeResponse}.
 * @returns The whole answer; the next byte on the wire is a frame's.
 * @throws {TypeError} When a field's name or value is invalid, or the handshake's own to write.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 *
 * @example
 * ```ts
 * import { writeUpgradeResponse } from "@sluice/websocket/handshake";
 * import { assert } from "@std/assert";
 *
 * const bytes = writeUpgradeResponse({
 *   acceptKey: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
 *   protocol: "chat",
 *   headers: { "Set-Cookie": "seen=1" },
 * });
 * assert(new TextDecoder().decode(bytes).startsWith("HTTP/1.1 101 "));
 * ```
 */
export function writeUpgradeResponse(response: UpgradeResponse): Uint8Array<ArrayBuffer> {
  const { acceptKey, protocol, extensions, headers } = response;
  let text = `${fieldValue("Sec-WebSocket-Accept", acceptKey)}\r\n`;
  if (protocol !== undefined) {
    if (!isToken(protocol)) {
      throw new TypeError(`Cannot write subprotocol ${quote(protocol)}: expected a token`);
    }
    text += field("Sec-WebSocket-Protocol", protocol);
  }
  if (extensions) text += field("Sec-WebSocket-Extensions", extensions);
  for (const [name, value] of headers === undefined ? [] : pairs(headers)) {
    if (isHandshakeField(name.toLowerCase())) {
      throw new TypeError(`Cannot write header ${quote(name)}: the handshake writes it`);
    }
    text += field(name, value);
  }
  return encodeLatin1(`${text}\r\n`, SWITCHING);
}

/** Whether the handshake writes a field itself, or the answer must not have it. */
function isHandshakeField(lower: string): boolean {
  // RFC 9110 §8.6 and RFC 9112 §6.1: a 1xx has neither a Content-Length nor a Transfer-Encoding.
  return lower === "upgrade" || lower === "content-length" || lower.startsWith("sec-websocket-") ||
    CONNECTION_FIELDS.has(lower);
}
