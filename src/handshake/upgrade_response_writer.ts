import { checkNames } from "../protocol/options.ts";
import { isToken, quote } from "../http/characters.ts";
import {
  CONNECTION_FIELDS,
  encodeLatin1,
  field,
  fieldValue,
  pairs,
} from "../http/header_writer.ts";
import type { HeaderFields } from "../http/header_writer.ts";

/** Input of {@linkcode writeUpgradeResponse}. */
export interface UpgradeResponse {
  /** The Sec-WebSocket-Accept, from {@linkcode computeAcceptKey}. */
  acceptKey: string;
  /**
   * The chosen subprotocol, one of those offered.
   *
   * @default {undefined}
   */
  protocol?: string | undefined;
  /**
   * The value of Sec-WebSocket-Extensions. The field is left out if it is empty.
   *
   * @default {undefined}
   */
  extensions?: string | undefined;
  /**
   * Further header fields, such as Set-Cookie.
   *
   * @default {undefined}
   */
  headers?: HeaderFields | undefined;
}

const NAMES = ["acceptKey", "protocol", "extensions", "headers"];

/** The start of every 101. Copying it is faster than encoding it each time. */
const SWITCHING: Uint8Array = encodeLatin1(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: ",
);

/**
 * Encodes the response that opens a WebSocket: 101 Switching Protocols.
 *
 * @param response The parts of the response.
 * @returns The whole response. The first frame follows it.
 * @throws {TypeError} If a field's name or value is invalid, or `headers` has a field that the
 * handshake writes.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 RFC 6455 §4.2.2}
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
  checkNames("writeUpgradeResponse()", response, NAMES);
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

/** Returns whether the handshake writes a field, or the response must not have it. */
function isHandshakeField(lower: string): boolean {
  // RFC 9110 §8.6 and RFC 9112 §6.1: a 1xx has neither a Content-Length nor a Transfer-Encoding.
  return lower === "upgrade" || lower === "content-length" || lower.startsWith("sec-websocket-") ||
    CONNECTION_FIELDS.has(lower);
}
