import { isValidKey } from "./accept_key.ts";
import { quote, quoteField } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import { parseExtensions } from "./extensions_header.ts";
import { includesToken } from "../http/token_list.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { parseHost, parseTarget } from "../http/host.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { parseSubprotocols } from "./subprotocol.ts";

/** The version of the protocol that RFC 6455 defines, the only one supported. */
const VERSION = "13";

/** A client's opening handshake, after every check that needs only the request. */
export interface UpgradeRequest {
  /** The head of the request. */
  readonly head: RequestHead;
  /** The Host field's value: a host with an optional port. */
  readonly host: string;
  /** The Sec-WebSocket-Key, for {@linkcode computeAcceptKey}. */
  readonly key: string;
  /** The subprotocols that the client offers, in its order of preference. */
  readonly protocols: readonly string[];
  /** The extensions that the client offers, in its order of preference. */
  readonly extensions: readonly ExtensionOffer[];
  /** The Origin as received, for {@linkcode OriginCheck}; `null` if there is none. */
  readonly origin: string | null;
}

/**
 * Returns whether a request asks for a WebSocket: whether its Upgrade contains `websocket`.
 *
 * If not, the request is plain HTTP, which a server without HTTP refuses with
 * {@linkcode upgradeRequired}. If so, {@linkcode parseUpgradeRequest} validates the request.
 *
 * @param head The request's head.
 *
 * @example
 * ```ts
 * import { HeaderList, isUpgrade } from "@sluice/websocket/handshake";
 * import { assert } from "@std/assert";
 *
 * const headers = new HeaderList([["Host", "example.com"], ["Upgrade", "WebSocket"]]);
 * assert(isUpgrade({ method: "GET", target: "/", minorVersion: 1, headers }));
 * ```
 */
export function isUpgrade(head: RequestHead): boolean {
  // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0
  // request."
  return head.minorVersion > 0 &&
    includesToken(head.headers.get("upgrade"), "websocket");
}

/**
 * Validates a client's opening handshake.
 *
 * The Origin is not checked here: see {@linkcode createOriginCheck}.
 *
 * @param head The request's head.
 * @returns The parts of the handshake.
 * @throws {HandshakeError} If the handshake is invalid: 405 for a method other than GET, 426 for a
 * version other than 13, otherwise 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 RFC 6455 §4.2.1}
 *
 * @example
 * ```ts
 * import { HeaderList, parseUpgradeRequest } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = new HeaderList([
 *   ["Host", "server.example.com"],
 *   ["Upgrade", "websocket"],
 *   ["Connection", "Upgrade"],
 *   ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
 *   ["Sec-WebSocket-Protocol", "chat, superchat"],
 *   ["Sec-WebSocket-Version", "13"],
 * ]);
 * const head = { method: "GET", target: "/chat", minorVersion: 1, headers };
 * const request = parseUpgradeRequest(head);
 * assertEquals(request.protocols[1], "superchat");
 * ```
 */
export function parseUpgradeRequest(head: RequestHead): UpgradeRequest {
  const { headers } = head;
  // RFC 6455 §4.2.1: "A |Host| header field containing the server's authority."
  const host = parseHost(head);
  // RFC 6455 §4.2.1: "An HTTP/1.1 or higher GET request".
  if (head.method !== "GET") throw methodNotAllowed(head.method, ["GET"]);
  parseTarget(head.target, host);
  // A length of 0, which some proxies add, announces no body.
  refuseBody(head);
  // RFC 6455 §4.2.1: "An |Upgrade| header field containing the value "websocket", treated as an
  // ASCII case-insensitive value."
  if (!isUpgrade(head)) throw upgradeRequired();
  // RFC 6455 §4.2.1: "A |Connection| header field that includes the token "Upgrade", treated as an
  // ASCII case-insensitive value."
  const connection = headers.get("connection");
  if (!includesToken(connection, "upgrade")) {
    throw invalid("CONNECTION", `Connection ${quoteField(connection)}, expected "Upgrade" in it`);
  }
  parseVersion(headers.getAll("sec-websocket-version"));
  const protocols = nonEmpty(headers.get("sec-websocket-protocol"));
  const extensions = nonEmpty(headers.get("sec-websocket-extensions"));
  return {
    head,
    host,
    key: parseKey(headers.getAll("sec-websocket-key")),
    protocols: protocols === null ? [] : parseSubprotocols(protocols),
    extensions: extensions === null ? [] : parseExtensions(extensions),
    origin: parseOriginField(headers.getAll("origin")),
  };
}

/**
 * Validates a plain HTTP request, before it becomes a Web `Request` for the application.
 *
 * A request with a body is refused, because nothing reads the body. A proxy or a server could
 * otherwise take the body's bytes for a second request.
 *
 * @param head The request's head.
 * @throws {HandshakeError} If the request is invalid: 405 for a method other than GET and HEAD,
 * otherwise 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.2 RFC 9112 §3.2}
 */
export function validateHttpRequest(head: RequestHead): void {
  const host = parseHost(head);
  if (head.method !== "GET" && head.method !== "HEAD") {
    throw methodNotAllowed(head.method, ["GET", "HEAD"]);
  }
  parseTarget(head.target, host);
  refuseBody(head);
}

/**
 * Returns the refusal of a plain HTTP request by a server that has only WebSockets: 426 Upgrade
 * Required.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-15.5.22 RFC 9110 §15.5.22}
 *
 * @example
 * ```ts
 * import { upgradeRequired } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(upgradeRequired().status, 426);
 * ```
 */
export function upgradeRequired(): HandshakeError {
  return new HandshakeError('Cannot accept request: expected "Upgrade: websocket"', {
    code: "ERR_HANDSHAKE_UPGRADE",
    status: 426,
    headers: [["Upgrade", "websocket"], ["Sec-WebSocket-Version", VERSION]],
  });
}

/** Returns the value of a list, or `null` if its lines are empty, as some gateways send them. */
function nonEmpty(value: string | null): string | null {
  return value === null || value.replaceAll(", ", "") === "" ? null : value;
}

function parseKey(keys: string[]): string {
  // RFC 6455 §11.3.1: "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an
  // HTTP request."
  if (keys.length !== 1) {
    throw invalid("KEY", `${keys.length} Sec-WebSocket-Key header lines, expected 1`);
  }
  // RFC 6455 §4.2.1: a "value that, when decoded, is 16 bytes in length."
  if (!isValidKey(keys[0])) {
    throw invalid("KEY", `Sec-WebSocket-Key ${quote(keys[0])}, expected 16 bytes as base64`);
  }
  return keys[0];
}

function parseVersion(versions: string[]): void {
  // RFC 6455 §11.3.5: "The |Sec-WebSocket-Version| header field MUST NOT appear more than once in
  // an HTTP request."
  if (versions.length > 1) {
    throw invalid("VERSION", `${versions.length} Sec-WebSocket-Version header lines, expected 1`);
  }
  if (versions[0] === VERSION) return;
  // RFC 6455 §4.2.2: the server MUST "send an appropriate HTTP error code (such as 426 Upgrade
  // Required) and a |Sec-WebSocket-Version| header field indicating the version(s) the server is
  // capable of understanding." RFC 9110 §15.5.22 adds the Upgrade.
  throw new HandshakeError(
    `Cannot accept handshake: Sec-WebSocket-Version ${quoteField(versions[0])}, expected 13`,
    {
      code: "ERR_HANDSHAKE_VERSION",
      status: 426,
      headers: [["Upgrade", "websocket"], ["Sec-WebSocket-Version", VERSION]],
    },
  );
}

function parseOriginField(origins: string[]): string | null {
  if (origins.length > 1) {
    throw invalid("ORIGIN", `${origins.length} Origin header lines, expected at most 1`);
  }
  return origins[0] ?? null;
}

/** Refuses a request that announces a body, as RFC 9110 §9.3.1 lets a server do for GET. */
function refuseBody(head: RequestHead): void {
  const { headers } = head;
  if (headers.has("transfer-encoding")) {
    throw bodyRefused(`Transfer-Encoding ${quoteField(headers.get("transfer-encoding"))}`);
  }
  const length = headers.get("content-length");
  if (length !== null && length !== "0") {
    throw bodyRefused(`Content-Length ${quote(length)}`);
  }
}

function bodyRefused(found: string): HandshakeError {
  return new HandshakeError(`Cannot accept request: ${found}, expected no body`, {
    code: "ERR_HANDSHAKE_BODY",
  });
}

function methodNotAllowed(method: string, allowed: string[]): HandshakeError {
  return new HandshakeError(
    `Cannot accept request: method ${quote(method)}, expected ${allowed.join(" or ")}`,
    {
      code: "ERR_HANDSHAKE_METHOD",
      status: 405,
      // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field".
      headers: [["Allow", allowed.join(", ")]],
    },
  );
}

function invalid(rule: string, reason: string): HandshakeError {
  return new HandshakeError(`Cannot accept handshake: ${reason}`, {
    code: `ERR_HANDSHAKE_${rule}`,
  });
}
