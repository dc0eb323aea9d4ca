import { resolveConnectionOptions } from "../connection/connection_options.ts";
import type { ConnectionConfig } from "../connection/connection_options.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import { createKey, upgradeRequestFields } from "../handshake/upgrade_request_writer.ts";
import { parseProxyUrl, parseWebSocketUrl } from "../handshake/url.ts";
import type { ProxyUrl, WebSocketUrl } from "../handshake/url.ts";
import { pairs } from "../http/header_writer.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { checkTlsOptions } from "../transport/runtime.ts";
import type { ConnectTarget } from "../transport/transport.ts";
import type { ConnectOptions, HandshakeOptions } from "./connect_options.ts";
import { USER_AGENT } from "./user_agent.ts";

/** A URL and options, checked and resolved: the content of one opening handshake's request. */
export interface HandshakePlan extends ConnectionConfig {
  readonly url: WebSocketUrl;
  readonly key: string;
  readonly protocols: readonly string[];
  /** Whether the handshake fails if the server chooses none of the subprotocols. */
  readonly requiresProtocol: boolean;
  readonly offers: readonly ExtensionOffer[];
  readonly fields: [name: string, value: string][];
  /** Called with each frame. */
  readonly inspect: HandshakeOptions["inspect"];
}

/** A {@linkcode HandshakePlan} with the address to connect to. */
export interface ConnectPlan extends HandshakePlan {
  readonly target: ConnectTarget;
  /** The proxy to connect through. */
  readonly proxy: ProxyUrl | undefined;
}

/**
 * Checks a URL and all options of the handshake, before anything is connected.
 *
 * @throws {DOMException} A `SyntaxError` if the URL or a subprotocol is malformed.
 * @throws {TypeError} If a header or another option is malformed.
 * @throws {RangeError} If a limit is out of range.
 */
export function makeHandshakePlan(url: string | URL, options: HandshakeOptions): HandshakePlan {
  const { protocols = [], origin } = options;
  const parsed = parseWebSocketUrl(url);
  const key = createKey();
  const offered = typeof protocols === "string" ? [protocols] : [...protocols];
  const config = resolveConnectionOptions(options);
  const offers = config.extensions.flatMap((extension) => extension.offers());
  const headers = [...pairs(options.headers)];
  // RFC 9110 §10.1.5: "A user agent SHOULD send a User-Agent header field in each request unless
  // specifically configured not to do so."
  if (!headers.some(([name]) => name.toLowerCase() === "user-agent")) {
    headers.push(["User-Agent", USER_AGENT]);
  }
  const fields = upgradeRequestFields({
    host: parsed.host,
    key,
    protocols: offered,
    extensions: serializeExtensions(offers),
    origin,
    authorization: parsed.authorization,
    headers,
  });
  return {
    ...config,
    url: parsed,
    key,
    protocols: offered,
    requiresProtocol: false,
    offers,
    fields,
    inspect: options.inspect,
  };
}

/**
 * Checks a URL and all options of {@linkcode connect}, before anything is connected.
 *
 * @throws {unknown} The errors of {@linkcode makeHandshakePlan}.
 * @throws {TypeError} If options exclude each other.
 */
export function makeConnectPlan(url: string | URL, options: ConnectOptions): ConnectPlan {
  const plan = makeHandshakePlan(url, options);
  const { path, proxy, tls } = options;
  const { isSecure, hostname, port, href } = plan.url;
  if (tls !== undefined && !isSecure) {
    throw new TypeError(`Cannot connect: tls is for wss:, got ${href}`);
  }
  if (path !== undefined && (isSecure || proxy !== undefined)) {
    throw new TypeError("Cannot connect: a Unix socket has neither TLS nor a proxy");
  }
  if (tls !== undefined) checkTlsOptions(tls, proxy !== undefined);
  const target: ConnectTarget = { hostname, port };
  if (path !== undefined) target.path = path;
  if (isSecure) target.tls = { ...tls };
  return { ...plan, target, proxy: proxy === undefined ? undefined : parseProxyUrl(proxy) };
}

/** Returns the plan of another attempt, with only the first of several offers, and a new key. */
export function withOneOffer(plan: ConnectPlan): ConnectPlan {
  const offers = plan.offers.slice(0, 1);
  const key = createKey();
  const changed = new Map([
    ["sec-websocket-key", key],
    ["sec-websocket-extensions", serializeExtensions(offers)],
  ]);
  const fields = plan.fields.map(
    ([name, value]): [string, string] => [name, changed.get(name.toLowerCase()) ?? value],
  );
  return { ...plan, key, offers, fields };
}
