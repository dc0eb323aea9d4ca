import { resolveCompression } from "../connection/compression.ts";
import { resolveOverflow } from "../connection/overflow.ts";
import type { Overflow } from "../connection/overflow.ts";
import type { Extension } from "../extensions/extension.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { createKey, upgradeRequestFields } from "../handshake/upgrade_request_writer.ts";
import { parseWebSocketUrl } from "../handshake/url.ts";
import type { WebSocketUrl } from "../handshake/url.ts";
import { resolveLimits } from "../protocol/limits.ts";
import type { Limits } from "../protocol/limits.ts";
import type { HandshakeOptions } from "./connect_options.ts";

/** A URL and options, checked and resolved: what the opening handshake asks for. */
export interface ConnectPlan {
  readonly url: WebSocketUrl;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly Extension[];
  readonly offers: readonly ExtensionOffer[];
  readonly fields: [name: string, value: string][];
  readonly overflow: Overflow;
  readonly limits: Readonly<Limits>;
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
  const extensions = resolveCompression(options.compression);
  const offers = extensions.flatMap((extension) => extension.offers());
  const fields = upgradeRequestFields({
    host: parsed.host,
    key,
    protocols: offered,
    extensions: serializeExtensions(offers),
    origin,
    authorization: parsed.authorization,
    headers,
  });
  const overflow = resolveOverflow(options.overflow);
  const limits = resolveLimits(options.limits);
  return { url: parsed, key, protocols: offered, extensions, offers, fields, overflow, limits };
}
