import { resolveConnectionOptions } from "../connection/connection_options.ts";
import type { ConnectionConfig } from "../connection/connection_options.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { createKey, upgradeRequestFields } from "../handshake/upgrade_request_writer.ts";
import { parseWebSocketUrl } from "../handshake/url.ts";
import type { WebSocketUrl } from "../handshake/url.ts";
import type { HandshakeOptions } from "./connect_options.ts";

/** A URL and options, checked and resolved: what the opening handshake asks for. */
export interface ConnectPlan extends ConnectionConfig {
  readonly url: WebSocketUrl;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly offers: readonly ExtensionOffer[];
  readonly fields: [name: string, value: string][];
}

/**
 * Checks a URL and all options of the handshake, before anything is connected.
 *
 * @throws {DOMException} A `SyntaxError` if the URL or a subprotocol is malformed.
 * @throws {TypeError} If a header or another option is malformed.
 * @throws {RangeError} If a limit is out of range.
 */
export function makePlan(url: string | URL, options: HandshakeOptions): ConnectPlan {
  const { protocols = [], headers, origin } = options;
  const parsed = parseWebSocketUrl(url);
  const key = createKey();
  const offered = typeof protocols === "string" ? [protocols] : [...protocols];
  const config = resolveConnectionOptions(options);
  const offers = config.extensions.flatMap((extension) => extension.offers());
  const fields = upgradeRequestFields({
    host: parsed.host,
    key,
    protocols: offered,
    extensions: serializeExtensions(offers),
    origin,
    authorization: parsed.authorization,
    headers,
  });
  return { ...config, url: parsed, key, protocols: offered, offers, fields };
}
