import { ProtocolError } from "../protocol/errors.ts";
import { checkLimit, checkNames } from "../protocol/options.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type {
  Extension,
  ExtensionAgreement,
  ExtensionInUse,
  ExtensionUseOptions,
} from "./extension.ts";

/**
 * Accepts the first acceptable offer of a client, in the client's order of preference. At most one
 * extension is used on a connection.
 *
 * @param extensions The extensions that the server supports.
 * @param offers The client's offers.
 * @returns The agreement, as an array of one element; empty if no offer is acceptable.
 *
 * @example
 * ```ts
 * import { acceptOffers, PerMessageDeflate } from "@sluice/websocket/extensions";
 * import { assertEquals } from "@std/assert";
 *
 * const [agreement] = acceptOffers([new PerMessageDeflate()], [
 *   { name: "permessage-deflate", params: [["server_max_window_bits", "7"]] }, // not valid
 *   { name: "permessage-deflate", params: [["server_max_window_bits", "10"]] },
 * ]);
 * assertEquals(agreement?.response.params[0], ["server_max_window_bits", "10"]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export function acceptOffers(
  extensions: readonly Extension[],
  offers: readonly ExtensionOffer[],
): ExtensionAgreement[] {
  for (const offer of offers) {
    const agreement = find(extensions, offer)?.acceptOffer(offer);
    if (agreement !== undefined) return [agreement];
  }
  return [];
}

/**
 * Checks the extensions in a server's response against the client's offers.
 *
 * @param extensions The extensions that the client has offered.
 * @param responses The extensions that the response lists.
 * @returns The agreement, as an array of one element; empty if the response lists no extension.
 * @throws {ProtocolError} If the response lists an extension that was not offered, or more than one.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export function acceptResponses(
  extensions: readonly Extension[],
  responses: readonly ExtensionOffer[],
): ExtensionAgreement[] {
  const [first] = responses;
  for (const response of responses) {
    // RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this
    // header field indicates the use of an extension that was not present in the client's handshake
    // [...], the client MUST _Fail the WebSocket Connection_."
    if (find(extensions, response) === undefined) throw refused(response, "it was not offered");
    if (response === first) continue;
    throw refused(
      response,
      response.name === first!.name ? "it is there twice" : "it cannot follow another",
    );
  }
  return first === undefined ? [] : [find(extensions, first)!.acceptResponse(first)];
}

function find(extensions: readonly Extension[], offer: ExtensionOffer): Extension | undefined {
  return extensions.find(({ name }) => name === offer.name);
}

/** Returns the error of a client for an unacceptable response. */
export function refused(response: ExtensionOffer, why: string): ProtocolError {
  return new ProtocolError(
    `Cannot use extension ${JSON.stringify(response.name)} of the server's response: ${why}`,
    "ERR_EXTENSION",
  );
}

/**
 * Puts the negotiated extension into use on a new connection.
 *
 * @param agreements The agreements of {@linkcode acceptOffers} or {@linkcode acceptResponses}.
 * @returns The extension in use; `undefined` if there is none.
 *
 * @example
 * ```ts
 * import { acceptOffers, PerMessageDeflate, useExtensions } from "@sluice/websocket/extensions";
 * import { assertEquals } from "@std/assert";
 *
 * const offers = [{ name: "permessage-deflate", params: [] }];
 * const agreements = acceptOffers([new PerMessageDeflate()], offers);
 * const extension = useExtensions(agreements, { maxMessageSize: 65536 });
 * assertEquals(extension?.changes(2000), true);
 * extension?.close();
 * assertEquals(useExtensions([]), undefined);
 * ```
 */
export function useExtensions(
  agreements: readonly ExtensionAgreement[],
  options: ExtensionUseOptions = {},
): ExtensionInUse | undefined {
  checkNames("useExtensions()", options, ["maxMessageSize"]);
  const { maxMessageSize = Infinity } = options;
  checkLimit("option maxMessageSize of useExtensions()", maxMessageSize);
  return agreements[0]?.use(options);
}
