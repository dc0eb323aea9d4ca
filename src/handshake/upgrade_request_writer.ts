import { checkNames } from "../protocol/options.ts";
import { encodeBase64 } from "@std/encoding/base64";
import { isToken, quote } from "../http/characters.ts";
import { CONNECTION_FIELDS, field, pairs } from "../http/header_writer.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { isValidHost } from "../http/host.ts";

/** Input of {@linkcode upgradeRequestFields}. */
export interface UpgradeRequestInit {
  /** The Host: the URL's host, with the port unless it is the scheme's default. */
  host: string;
  /** The Sec-WebSocket-Key, from {@linkcode createKey}. */
  key: string;
  /**
   * The subprotocols to offer, the preferred one first.
   *
   * @default {[]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * The value of Sec-WebSocket-Extensions. The field is left out if it is empty.
   *
   * @default {undefined}
   */
  extensions?: string | undefined;
  /**
   * The Origin. Clients that are not browsers send none.
   *
   * @default {undefined}
   */
  origin?: string | undefined;
  /**
   * The Authorization, unless `headers` has one.
   *
   * @default {undefined}
   */
  authorization?: string | undefined;
  /**
   * Further header fields, such as Cookie. A Host among them replaces `host`.
   *
   * @default {undefined}
   */
  headers?: HeaderFields | undefined;
}

const NAMES = ["host", "key", "protocols", "extensions", "origin", "authorization", "headers"];

/** Fields that callers may not set, in addition to {@linkcode CONNECTION_FIELDS}. */
const HANDSHAKE_FIELDS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "content-length",
  "expect",
  "origin",
  "upgrade",
]);

/**
 * Returns a new random Sec-WebSocket-Key.
 *
 * RFC 6455 §4.1: "a nonce consisting of a randomly selected 16-byte value that has been
 * base64-encoded"; "The nonce MUST be selected randomly for each connection."
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export function createKey(): string {
  return encodeBase64(crypto.getRandomValues(new Uint8Array(16)));
}

/**
 * Returns the header fields of a client's opening handshake, in the order of RFC 6455 §4.1.
 *
 * @param init The parts of the request.
 * @returns The fields as [name, value] pairs, for {@linkcode writeRequest}.
 * @throws {TypeError} If a field's name or value is invalid, or `headers` has a field that the
 * handshake writes.
 * @throws {DOMException} "SyntaxError" if a subprotocol is not a token, or is offered twice.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 *
 * @example
 * ```ts
 * import { upgradeRequestFields } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const fields = upgradeRequestFields({ host: "example.com", key: "dGhlIHNhbXBsZSBub25jZQ==" });
 * assertEquals(fields[0], ["Host", "example.com"]);
 * assertEquals(fields[4], ["Sec-WebSocket-Version", "13"]);
 * ```
 */
export function upgradeRequestFields(init: UpgradeRequestInit): [name: string, value: string][] {
  checkNames("upgradeRequestFields()", init, NAMES);
  const { key, protocols = [], extensions, origin, authorization } = init;
  const further = [...pairs(init.headers)];
  const host = takeHost(further) ?? init.host;
  for (const [name] of further) {
    const lower = name.toLowerCase();
    if (
      HANDSHAKE_FIELDS.has(lower) || CONNECTION_FIELDS.has(lower) ||
      lower.startsWith("sec-websocket-")
    ) {
      throw new TypeError(`Cannot write header ${quote(name)}: the handshake writes it`);
    }
  }
  const fields: [string, string][] = [
    // RFC 6455 §4.1: "The request MUST contain a |Host| header field whose value contains /host/ plus
    // optionally ":" followed by /port/ (when not using the default port)."
    ["Host", host],
    // "The request MUST contain an |Upgrade| header field whose value MUST include the "websocket"
    // keyword." "a |Connection| header field whose value MUST include the "Upgrade" token."
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", key],
    // "The value of this header field MUST be 13."
    ["Sec-WebSocket-Version", "13"],
  ];
  // "The request MUST include a header field with the name |Origin| [RFC6454] if the request is coming
  // from a browser client." "If the connection is from a non-browser client, the request MAY include
  // this header field".
  if (origin !== undefined) fields.push(["Origin", origin]);
  if (protocols.length > 0) {
    checkProtocols(protocols);
    fields.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  }
  if (extensions) fields.push(["Sec-WebSocket-Extensions", extensions]);
  const hasOwn = further.some(([name]) => name.toLowerCase() === "authorization");
  if (authorization !== undefined && !hasOwn) fields.push(["Authorization", authorization]);
  fields.push(...further);
  for (const [name, value] of fields) field(name, value); // Throws before a connection is made.
  return fields;
}

/** Removes the caller's own Host from the fields and returns it. */
function takeHost(fields: [name: string, value: string][]): string | undefined {
  const index = fields.findIndex(([name]) => name.toLowerCase() === "host");
  if (index === -1) return undefined;
  const [[, host]] = fields.splice(index, 1);
  if (!isValidHost(host)) {
    throw new TypeError(
      `Cannot write header Host: value ${quote(host)}, expected a host with an optional port`,
    );
  }
  if (fields.some(([name]) => name.toLowerCase() === "host")) {
    throw new TypeError("Cannot write header Host: more than one, expected one");
  }
  return host;
}

function checkProtocols(protocols: readonly string[]): void {
  for (const [i, protocol] of protocols.entries()) {
    // RFC 6455 §4.1: "The elements that comprise this value MUST be non-empty strings with characters
    // in the range U+0021 to U+007E not including separator characters as defined in [RFC2616] and
    // MUST all be unique strings."
    if (!isToken(protocol)) {
      throw new DOMException(
        `Cannot offer subprotocol ${quote(protocol)}: expected a token`,
        "SyntaxError",
      );
    }
    if (protocols.indexOf(protocol) < i) {
      throw new DOMException(
        `Cannot offer subprotocol ${quote(protocol)}: it is there twice`,
        "SyntaxError",
      );
    }
  }
}
