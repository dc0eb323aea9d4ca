import { checkNames } from "../protocol/options.ts";
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { computeAcceptKey } from "./accept_key.ts";
import { quote, quoteField, quoteFirstLine } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import { parseExtensions } from "./extensions_header.ts";
import { includesToken } from "../http/token_list.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type { ResponseHead } from "../http/response_head_parser.ts";

/** The client's part of the handshake, with which the response must agree. */
export interface UpgradeOffer {
  /** The Sec-WebSocket-Key of the request. */
  key: string;
  /**
   * The offered subprotocols.
   *
   * @default {[]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * The offered extensions.
   *
   * @default {[]}
   */
  extensions?: readonly ExtensionOffer[] | undefined;
}

/** The result of a handshake that the server accepted. */
export interface UpgradeAgreement {
  /** The subprotocol: one of those offered, or empty. */
  readonly protocol: string;
  /** The extensions in order. Their parameters have not been validated. */
  readonly extensions: readonly ExtensionOffer[];
}

const encoder: TextEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * Validates the server's opening handshake.
 *
 * @param head The head of the response.
 * @param offer The client's part of the handshake.
 * @returns The subprotocol and the extensions that the server has accepted.
 * @throws {HandshakeError} If the response opens no WebSocket. The error has its status and fields.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 *
 * @example
 * ```ts
 * import { HeaderList, parseUpgradeResponse } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = new HeaderList([
 *   ["Upgrade", "websocket"],
 *   ["Connection", "Upgrade"],
 *   ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
 *   ["Sec-WebSocket-Protocol", "chat"],
 * ]);
 * const head = { status: 101, reason: "Switching Protocols", minorVersion: 1, headers };
 * const offer = { key: "dGhlIHNhbXBsZSBub25jZQ==", protocols: ["chat", "superchat"] };
 * assertEquals(parseUpgradeResponse(head, offer).protocol, "chat");
 * ```
 */
export function parseUpgradeResponse(head: ResponseHead, offer: UpgradeOffer): UpgradeAgreement {
  checkNames("parseUpgradeResponse()", offer, ["key", "protocols", "extensions"]);
  const { headers, status, minorVersion } = head;
  // RFC 6455 §4.1: "If the status code received from the server is not 101, the client handles the
  // response per HTTP [RFC2616] procedures."
  if (status !== 101) throw upgradeRefused(head);
  // RFC 6455 §4.2.2 has "HTTP/1.1 101 Switching Protocols". HTTP/1.0 has no Upgrade.
  if (minorVersion === 0) {
    throw invalid(head, "HTTP_VERSION", "version HTTP/1.0, expected HTTP/1.1");
  }
  // RFC 6455 §4.1: "If the response lacks an |Upgrade| header field or the |Upgrade| header field
  // contains a value that is not an ASCII case-insensitive match for the value "websocket", the
  // client MUST _Fail the WebSocket Connection_."
  const upgrade = headers.get("upgrade");
  if (upgrade?.toLowerCase() !== "websocket") {
    throw invalid(head, "UPGRADE", `Upgrade ${quoteField(upgrade)}, expected "websocket"`);
  }
  // RFC 6455 §4.1: "If the response lacks a |Connection| header field or the |Connection| header
  // field doesn't contain a token that is an ASCII case-insensitive match for the value "Upgrade",
  // the client MUST _Fail the WebSocket Connection_."
  const connection = headers.get("connection");
  if (!includesToken(connection, "upgrade")) {
    const found = `Connection ${quoteField(connection)}, expected "Upgrade" in it`;
    throw invalid(head, "CONNECTION", found);
  }
  checkAccept(head, offer.key);
  return {
    protocol: parseProtocol(head, offer.protocols ?? []),
    extensions: parseAgreedExtensions(head, offer.extensions ?? []),
  };
}

/**
 * Returns the error for a status other than 101. Redirects are included: RFC 6455 allows a client to
 * follow them, but whether the user's headers may be sent to another host is the application's
 * decision.
 *
 * @param head The head of the response.
 * @param body The received bytes of its body, if any.
 */
export function upgradeRefused(head: ResponseHead, body?: Uint8Array<ArrayBuffer>): HandshakeError {
  const reason = head.reason === "" ? "" : ` ${quote(head.reason)}`;
  const found = `status ${head.status}${reason}, expected 101${quoteFirstLine(body)}`;
  return invalid(head, "STATUS", found, body);
}

function checkAccept(head: ResponseHead, key: string): void {
  const accepts = head.headers.getAll("sec-websocket-accept");
  // RFC 6455 §11.3.3: "The |Sec-WebSocket-Accept| header MUST NOT appear more than once in an HTTP
  // response."
  if (accepts.length !== 1) {
    const found = `${accepts.length} Sec-WebSocket-Accept header lines, expected 1`;
    throw invalid(head, "ACCEPT", found);
  }
  // RFC 6455 §4.1: "If the response lacks a |Sec-WebSocket-Accept| header field or the
  // |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 of the concatenation
  // of the |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string [...], the client
  // MUST _Fail the WebSocket Connection_."
  const expected = computeAcceptKey(key);
  if (!timingSafeEqual(encoder.encode(accepts[0]), encoder.encode(expected))) {
    const found = `Sec-WebSocket-Accept ${quote(accepts[0])}, expected ${quote(expected)}`;
    throw invalid(head, "ACCEPT", found);
  }
}

function parseProtocol(head: ResponseHead, offered: readonly string[]): string {
  const protocols = head.headers.getAll("sec-websocket-protocol");
  // RFC 6455 §11.3.4: "the |Sec-WebSocket-Protocol| header field MUST NOT appear more than once in
  // an HTTP response."
  if (protocols.length > 1) {
    const found = `${protocols.length} Sec-WebSocket-Protocol header lines, expected at most 1`;
    throw invalid(head, "PROTOCOL", found);
  }
  // RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Protocol| header field and this header
  // field indicates the use of a subprotocol that was not present in the client's handshake (the
  // server has indicated a subprotocol not requested by the client), the client MUST _Fail the
  // WebSocket Connection_."
  if (protocols.length === 1 && !offered.includes(protocols[0])) {
    const list = offered.length === 0 ? "none" : offered.map(quote).join(" or ");
    const found = `Sec-WebSocket-Protocol ${quote(protocols[0])}, expected ${list}`;
    throw invalid(head, "PROTOCOL", found);
  }
  return protocols[0] ?? "";
}

function parseAgreedExtensions(
  head: ResponseHead,
  offered: readonly ExtensionOffer[],
): readonly ExtensionOffer[] {
  const values = head.headers.getAll("sec-websocket-extensions");
  // RFC 6455 §11.3.2: "the |Sec-WebSocket-Extensions| header field MUST NOT appear more than once in
  // an HTTP response."
  if (values.length > 1) {
    const found = `${values.length} Sec-WebSocket-Extensions header lines, expected at most 1`;
    throw invalid(head, "EXTENSIONS", found);
  }
  if (values.length === 0) return [];
  const agreed = parseAgreed(head, values[0]);
  const names = new Set<string>();
  for (const { name } of agreed) {
    // RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this
    // header field indicates the use of an extension that was not present in the client's handshake
    // (the server has indicated an extension not requested by the client), the client MUST _Fail the
    // WebSocket Connection_."
    if (!offered.some((offer) => offer.name === name)) {
      throw invalid(head, "EXTENSIONS", `extension ${quote(name)}, which was not offered`);
    }
    // An extension that is offered twice, as a fallback, may be accepted once.
    if (names.has(name)) throw new DuplicateExtensionError(head, name);
    names.add(name);
  }
  return agreed;
}

function parseAgreed(head: ResponseHead, value: string): readonly ExtensionOffer[] {
  try {
    return parseExtensions(value);
  } catch (error) {
    throw invalid(head, "EXTENSIONS", (error as HandshakeError).message);
  }
}

/** The error for a response that accepts an extension twice, which none of the two ends could use. */
export class DuplicateExtensionError extends HandshakeError {
  constructor(head: ResponseHead, name: string) {
    super(`Cannot open WebSocket: extension ${quote(name)}, twice`, {
      code: "ERR_HANDSHAKE_EXTENSIONS",
      status: head.status,
      headers: [...head.headers],
    });
  }
}

function invalid(
  head: ResponseHead,
  rule: string,
  reason: string,
  body?: Uint8Array<ArrayBuffer>,
): HandshakeError {
  return new HandshakeError(`Cannot open WebSocket: ${reason}`, {
    code: `ERR_HANDSHAKE_${rule}`,
    status: head.status,
    headers: [...head.headers],
    ...(body === undefined ? {} : { body }),
  });
}
