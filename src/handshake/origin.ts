import { quote } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import { isValidHost, normalizeAuthority } from "../http/host.ts";

/**
 * The origins that are allowed in addition to the server's own.
 *
 * - `"*"`: all origins. The Origin field is not read.
 * - a list of exact origins, such as `"https://example.com"`: scheme, host, and the port unless it is
 *   the scheme's default. `"null"` is the origin of a sandboxed frame or a local file.
 * - a function that decides about each other origin, in its serialized form.
 */
export type OriginPolicy = "*" | readonly string[] | ((origin: string) => boolean);

/** Throws a {@linkcode HandshakeError} (403) for an Origin that is not allowed. */
export type OriginCheck = (origin: string | null, host: string) => void;

/** The schemes of pages that come from a web server. */
const WEB_SCHEMES: readonly string[] = ["http", "https", "ws", "wss"];
/** Those that use TLS. */
const SECURE_SCHEMES: readonly string[] = ["https", "wss"];

/**
 * Creates the check of a server's Origin policy. The policy is validated once, here.
 *
 * A browser lets any page open a WebSocket to any server, with the user's cookies, and sends the
 * page's origin. Checking the origin is the only protection against pages of other sites. Unless
 * `policy` allows more, an Origin must therefore have the same host and port as the request's Host.
 * The scheme may differ, because TLS often ends at a proxy, unless `isSecure` is set. A request without
 * an Origin is accepted: browsers always send one, and other clients can send any Origin.
 *
 * @param policy The origins that are allowed in addition. Without it there are none.
 * @param isSecure Whether clients reach the server by TLS. If so, the server's own origin is `https:`
 * only: a page of `http:` may come from an attacker on the network.
 * @returns A function of the Origin (or `null`) and the Host. It rethrows what `policy` throws.
 * @throws {TypeError} If `policy` is neither `"*"`, nor a function, nor a list of serialized origins.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-10.2 RFC 6455 §10.2}
 *
 * @example
 * ```ts
 * import { createOriginCheck } from "@sluice/websocket/handshake";
 *
 * const check = createOriginCheck(["https://app.example.com"]);
 * check("https://app.example.com", "api.example.com");
 * check("https://api.example.com", "api.example.com");
 * check(null, "api.example.com");
 * ```
 */
export function createOriginCheck(policy: OriginPolicy = [], isSecure = false): OriginCheck {
  if (policy === "*") return () => {};
  const ownSchemes = isSecure ? SECURE_SCHEMES : WEB_SCHEMES;
  const isWelcome = typeof policy === "function" ? policy : membership(policy);
  return (origin, host) => {
    if (origin === null) return;
    const parsed = parseOrigin(origin);
    if (parsed === null) throw refused(origin, "expected a serialized origin");
    const { scheme, authority, serialized } = parsed;
    const isOwn = ownSchemes.includes(scheme) && authority === normalizeAuthority(scheme, host);
    if (!isOwn && !isAllowed(isWelcome, serialized)) {
      // RFC 6455 §4.2.2: "If the server does not wish to accept this connection, it MUST return an
      // appropriate HTTP error code (e.g., 403 Forbidden)".
      throw refused(origin, `expected the host ${quote(host)} or an allowed origin`);
    }
  };
}

/** Asks a policy. A result that is no boolean, such as a promise, must not let a client in. */
function isAllowed(policy: (origin: string) => boolean, origin: string): boolean {
  const result: unknown = policy(origin);
  if (typeof result === "boolean") return result;
  // Its rejection would end the process.
  Promise.resolve(result).catch(() => {});
  throw new TypeError(
    `Cannot use the result of origins(): expected a boolean, got ${typeof result}`,
  );
}

function membership(list: readonly string[]): (origin: string) => boolean {
  if (!Array.isArray(list)) {
    throw new TypeError(
      `Cannot use origins ${quote(String(list))}: expected "*", a function, or a list such as ` +
        `["https://example.com"]`,
    );
  }
  const serialized = new Set(list.map((entry) => {
    // A host of a URL may have an asterisk, but an origin with one is meant as a pattern.
    const parsed = typeof entry !== "string" || entry.includes("*") ? null : parseOrigin(entry);
    if (parsed !== null) return parsed.serialized;
    throw new TypeError(
      `Cannot use origin ${quote(String(entry))}: expected an origin such as "https://example.com"`,
    );
  }));
  return (origin) => serialized.has(origin);
}

interface ParsedOrigin {
  scheme: string;
  /** Host and port, without the scheme's default port. */
  authority: string;
  serialized: string;
}

/** Parses the serialization of an origin (RFC 6454 §6.2). Returns `null` for anything else. */
function parseOrigin(origin: string): ParsedOrigin | null {
  if (origin === "null") return { scheme: "", authority: "", serialized: "null" };
  const match = /^([a-z][a-z\d+.-]*):\/\/([^/]*)$/i.exec(origin);
  if (match === null) return null;
  const scheme = match[1].toLowerCase();
  const isWeb = WEB_SCHEMES.includes(scheme);
  // Some of the other schemes have no host: "file://".
  if ((isWeb || match[2] !== "") && !isValidHost(match[2])) return null;
  const authority = isWeb ? normalizeAuthority(scheme, match[2]) : match[2].toLowerCase();
  return { scheme, authority, serialized: `${scheme}://${authority}` };
}

function refused(origin: string, expected: string): HandshakeError {
  return new HandshakeError(`Cannot accept handshake: origin ${quote(origin)}, ${expected}`, {
    code: "ERR_HANDSHAKE_ORIGIN",
    status: 403,
  });
}
