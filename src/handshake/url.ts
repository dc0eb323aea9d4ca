import { encodeBase64 } from "@std/encoding/base64";
import { quote } from "../http/characters.ts";

/** The parts of a WebSocket URL that a connection and its handshake need. */
export interface WebSocketUrl {
  /** The URL with the scheme `ws:` or `wss:` and without user information. */
  readonly href: string;
  /** Whether the connection uses TLS. */
  readonly isSecure: boolean;
  /** The host to connect to: a name, or an IP address without brackets. */
  readonly hostname: string;
  /** The port to connect to. */
  readonly port: number;
  /** The value of the Host field. */
  readonly host: string;
  /** The request-target: the path and the query. */
  readonly target: string;
  /** The Authorization for the user information; `undefined` if the URL has none. */
  readonly authorization: string | undefined;
}

/** The parts of an HTTP proxy's URL. */
export interface ProxyUrl {
  /** The host to connect to: a name, or an IP address without brackets. */
  readonly hostname: string;
  /** The port to connect to. */
  readonly port: number;
  /** The Proxy-Authorization for the user information; `undefined` if the URL has none. */
  readonly authorization: string | undefined;
}

/**
 * Parses a WebSocket URL as the platform's `WebSocket` does: `http:` and `https:` stand for `ws:` and
 * `wss:`, and a fragment is refused. User information, which browsers refuse or ignore, becomes an
 * Authorization.
 *
 * @param url An absolute URL.
 * @throws {DOMException} "SyntaxError" if it is not a WebSocket URL.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-3 RFC 6455 §3}
 *
 * @example
 * ```ts
 * import { parseWebSocketUrl } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const url = parseWebSocketUrl("wss://[::1]:8443/chat?room=1");
 * assertEquals([url.hostname, url.port], ["::1", 8443]);
 * assertEquals([url.host, url.target], ["[::1]:8443", "/chat?room=1"]);
 * ```
 */
export function parseWebSocketUrl(url: string | URL): WebSocketUrl {
  const parsed = parse(url, "WebSocket URL");
  const scheme = parsed.protocol.replace(/^http/, "ws");
  if (scheme !== "ws:" && scheme !== "wss:") {
    throw invalid("WebSocket URL", url, `scheme ${quote(parsed.protocol)}, expected ws: or wss:`);
  }
  // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT
  // be used on these URIs."
  if (parsed.href.includes("#")) throw invalid("WebSocket URL", url, "a fragment, expected none");
  const authorization = basicAuthorization(parsed, "WebSocket URL");
  // RFC 6455 §4.1: the resource name is the path, "/" if that is empty, and the query, if any.
  const target = parsed.pathname + parsed.search;
  return {
    href: `${scheme}//${parsed.host}${target}`,
    isSecure: scheme === "wss:",
    hostname: bareHost(parsed),
    port: portOf(parsed, scheme === "wss:" ? 443 : 80),
    host: parsed.host,
    target,
    authorization,
  };
}

/**
 * Parses the URL of an HTTP proxy.
 *
 * @param url An absolute `http:` URL. Only its user information, host and port are used.
 * @throws {DOMException} "SyntaxError" if it is not the URL of a proxy.
 */
export function parseProxyUrl(url: string | URL): ProxyUrl {
  const parsed = parse(url, "proxy URL");
  if (parsed.protocol !== "http:") {
    throw invalid("proxy URL", url, `scheme ${quote(parsed.protocol)}, expected http:`);
  }
  return {
    hostname: bareHost(parsed),
    port: portOf(parsed, 80),
    authorization: basicAuthorization(parsed, "proxy URL"),
  };
}

function parse(url: string | URL, what: string): URL {
  try {
    return new URL(url);
  } catch {
    throw invalid(what, url, "expected an absolute URL");
  }
}

function bareHost({ hostname }: URL): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

function portOf({ port }: URL, byDefault: number): number {
  return port === "" ? byDefault : Number(port);
}

/** RFC 7617 §2: returns the value of a Basic authorization, or `undefined`. */
function basicAuthorization({ username, password }: URL, what: string): string | undefined {
  if (username === "" && password === "") return undefined;
  const bytes = percentDecode(`${username}:${password}`);
  // RFC 7617 §2: "a user-id containing a colon character is invalid"; "The user-id and password MUST
  // NOT contain any control characters".
  if (
    percentDecode(username).includes(0x3a) || bytes.some((byte) => byte < 0x20 || byte === 0x7f)
  ) {
    // The message must not contain a password.
    throw new DOMException(
      `Cannot use ${what}: user information with a control character, or a colon in the user's name`,
      "SyntaxError",
    );
  }
  return `Basic ${encodeBase64(bytes)}`;
}

/** Decodes the percent-encoding of `text`, which is ASCII, as all parts of a parsed URL are. */
function percentDecode(text: string): Uint8Array {
  const decoded = text.replace(
    /%([\da-f]{2})/gi,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
  return Uint8Array.from(decoded, (char) => char.charCodeAt(0));
}

function invalid(what: string, url: string | URL, reason: string): DOMException {
  // Up to the last "@": a password may have a "/" that should be escaped, and the scheme may be missing.
  const shown = String(url).replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1***@");
  return new DOMException(`Cannot use ${what} ${quote(shown)}: ${reason}`, "SyntaxError");
}
