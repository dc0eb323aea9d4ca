/**
 * The opening handshake of WebSocket as pure functions, for servers and clients on raw TCP that make
 * it by hand. `serve()`, `accept()` and `connect()` of the main entry do all of this.
 *
 * The functions turn bytes into values and values into bytes. They use no sockets, no timers and no
 * runtime API.
 *
 * ```ts
 * import {
 *   chooseProtocol,
 *   computeAcceptKey,
 *   createOriginCheck,
 *   HandshakeError,
 *   isUpgrade,
 *   parseUpgradeRequest,
 *   RequestHeadParser,
 *   upgradeRequired,
 *   writeErrorResponse,
 *   writeUpgradeResponse,
 * } from "@sluice/websocket/handshake";
 * import { assert } from "@std/assert";
 *
 * const checkOrigin = createOriginCheck();
 *
 * // Returns the response to a request, or `null` while the request is incomplete.
 * function answer(parser: RequestHeadParser, chunk: Uint8Array): Uint8Array | null {
 *   try {
 *     if (parser.push(chunk) === -1) return null;
 *     const head = parser.head!;
 *     if (!isUpgrade(head)) throw upgradeRequired();
 *     const { key, host, origin, protocols } = parseUpgradeRequest(head);
 *     checkOrigin(origin, host);
 *     const protocol = chooseProtocol(protocols, ["chat"]);
 *     return writeUpgradeResponse({ acceptKey: computeAcceptKey(key), protocol });
 *   } catch (error) {
 *     if (error instanceof HandshakeError) return writeErrorResponse(error);
 *     throw error;
 *   }
 * }
 *
 * const bytes = answer(new RequestHeadParser(), new TextEncoder().encode("GET / HTTP/1.0\r\n"));
 * assert(new TextDecoder().decode(bytes!).startsWith("HTTP/1.1 505 "));
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4 RFC 6455 §4}
 * @module
 */

export { WebSocketError, type WebSocketErrorOptions } from "../protocol/errors.ts";
export type { ExtensionOffer } from "../protocol/extension_offer.ts";
export { HandshakeError, type HandshakeErrorOptions } from "../http/errors.ts";
export type { HeadParser, HeadParserOptions } from "../http/head_parser.ts";
export { HeaderList } from "../http/header_list.ts";
export type { HeaderFields } from "../http/header_writer.ts";
export {
  type RequestHead,
  RequestHeadParser,
  type RequestHeadParserOptions,
} from "../http/request_head_parser.ts";
export { writeRequest } from "../http/request_writer.ts";
export { type ResponseHead, ResponseHeadParser } from "../http/response_head_parser.ts";
export { type ErrorResponseOptions, writeErrorResponse } from "../http/response_writer.ts";
export { computeAcceptKey } from "./accept_key.ts";
export { serializeExtensions } from "./extensions_header.ts";
export { createOriginCheck, type OriginCheck, type OriginPolicy } from "./origin.ts";
export { chooseProtocol } from "./subprotocol.ts";
export {
  isUpgrade,
  parseUpgradeRequest,
  type UpgradeRequest,
  upgradeRequired,
} from "./upgrade_request.ts";
export {
  createKey,
  upgradeRequestFields,
  type UpgradeRequestInit,
} from "./upgrade_request_writer.ts";
export {
  parseUpgradeResponse,
  type UpgradeAgreement,
  type UpgradeOffer,
} from "./upgrade_response.ts";
export { type UpgradeResponse, writeUpgradeResponse } from "./upgrade_response_writer.ts";
export { parseWebSocketUrl, type WebSocketUrl } from "./url.ts";
