import { ProtocolError } from "../protocol/errors.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type { Extension, ExtensionAgreement } from "./extension.ts";

/**
 * A server's part of the negotiation: goes through the client's offers, in its order of preference,
 * and accepts each extension once, by the first offer of it that is good.
 *
 * @param extensions The extensions that the server has.
 * @param offers What the client offers.
 * @returns the agreements, in the order that the response is to list them; empty where there are none.
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
  const agreements: ExtensionAgreement[] = [];
  if (offers.length === 0) return agreements;
  const inUse = new Set<string>();
  let rsv = 0;
  for (const offer of offers) {
    const extension = extensions.find(({ name }) => name === offer.name);
    // RFC 7692 §5: no extension may be accepted together with another that uses the same bit.
    if (extension === undefined || inUse.has(offer.name) || (extension.rsv & rsv) !== 0) continue;
    const agreement = extension.acceptOffer(offer);
    if (agreement === undefined) continue;
    agreements.push(agreement);
    inUse.add(offer.name);
    rsv |= extension.rsv;
  }
  return agreements;
}

/**
 * A client's part of the negotiation, after the server's response: every element of it must answer
 * an offer.
 *
 * @param extensions The extensions that the client has offered.
 * @param responses What the server's response lists.
 * @returns the agreements, in the server's order.
 * @throws {ProtocolError} where the response lists what was not offered, or the same twice.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export function acceptResponses(
  extensions: readonly Extension[],
  responses: readonly ExtensionOffer[],
): ExtensionAgreement[] {
  const inUse = new Set<string>();
  let rsv = 0;
  return responses.map((response) => {
    const extension = extensions.find(({ name }) => name === response.name);
    // RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this
    // header field indicates the use of an extension that was not present in the client's handshake
    // [...], the client MUST _Fail the WebSocket Connection_."
    if (extension === undefined) throw refused(response, "it was not offered");
    if (inUse.has(response.name)) throw refused(response, "it is there twice");
    if ((extension.rsv & rsv) !== 0) {
      throw refused(response, "another has claimed its reserved bit");
    }
    inUse.add(response.name);
    rsv |= extension.rsv;
    return extension.acceptResponse(response);
  });
}

/** The error of a client whose server's response is not acceptable. */
export function refused(response: ExtensionOffer, why: string): ProtocolError {
  return new ProtocolError(
    `Cannot use extension ${JSON.stringify(response.name)} of the server's response: ${why}`,
    "ERR_EXTENSION",
  );
}
