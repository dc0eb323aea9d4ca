import type { ExtensionOffer } from "../protocol/extension_offer.ts";

/** The name of the extension. */
export const PERMESSAGE_DEFLATE = "permessage-deflate";

/**
 * The four parameters, read: of an offer or of a response.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.1 RFC 7692 §7.1}
 */
export interface DeflateParameters {
  /** The server doesn't take its context over. */
  serverNoContextTakeover: boolean;
  /** The client doesn't take its context over. */
  clientNoContextTakeover: boolean;
  /** The server's window, 8 to 15; `undefined` where the parameter isn't there. */
  serverMaxWindowBits: number | undefined;
  /** The client's window, 8 to 15, or `true` in an offer that leaves it open. */
  clientMaxWindowBits: number | true | undefined;
}

/** The window without a parameter that limits it: 32 KiB. */
export const MAX_WINDOW_BITS = 15;

// RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/**
 * Reads the parameters.
 *
 * @param offer An offer, or a response.
 * @param isResponse Which of them.
 * @returns the parameters, or what is wrong with them.
 */
export function readParameters(
  offer: ExtensionOffer,
  isResponse: boolean,
): DeflateParameters | string {
  const read: DeflateParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  };
  const seen = new Set<string>();
  // RFC 7692 §7: "A server MUST decline an extension negotiation offer for this extension", and a
  // client must fail the connection on a response, if it has a parameter that is not defined, one
  // with an invalid value, or "multiple extension parameters with the same name".
  for (const [name, value] of offer.params) {
    if (seen.has(name)) return `parameter ${name} is there twice`;
    seen.add(name);
    const bits = typeof value === "string" && WINDOW_BITS.test(value) ? Number(value) : undefined;
    if (name === "server_no_context_takeover" && value === true) {
      read.serverNoContextTakeover = true;
    } else if (name === "client_no_context_takeover" && value === true) {
      read.clientNoContextTakeover = true;
    } else if (name === "server_max_window_bits" && bits !== undefined) {
      read.serverMaxWindowBits = bits;
    } else if (name === "client_max_window_bits" && bits !== undefined) {
      read.clientMaxWindowBits = bits;
    } else if (name === "client_max_window_bits" && value === true && !isResponse) {
      // RFC 7692 §7.1.2.2: in an offer, "This parameter has no value or a decimal integer value".
      read.clientMaxWindowBits = true;
    } else {
      return `unknown parameter or value: ${JSON.stringify(name)}` +
        (value === true ? "" : `, ${JSON.stringify(value)}`);
    }
  }
  return read;
}

/** Writes the parameters: those that say more than their absence does. */
export function writeParameters(parameters: DeflateParameters): ExtensionOffer {
  const params: [name: string, value: string | true][] = [];
  const { serverMaxWindowBits, clientMaxWindowBits } = parameters;
  if (parameters.serverNoContextTakeover) params.push(["server_no_context_takeover", true]);
  if (parameters.clientNoContextTakeover) params.push(["client_no_context_takeover", true]);
  if (serverMaxWindowBits !== undefined) {
    params.push(["server_max_window_bits", String(serverMaxWindowBits)]);
  }
  if (clientMaxWindowBits !== undefined) {
    const value = clientMaxWindowBits === true ? true : String(clientMaxWindowBits);
    params.push(["client_max_window_bits", value]);
  }
  return { name: PERMESSAGE_DEFLATE, params };
}
