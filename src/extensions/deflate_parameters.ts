import type { ExtensionOffer } from "../protocol/extension_offer.ts";

/** The name of the extension. */
export const PERMESSAGE_DEFLATE = "permessage-deflate";

/**
 * The four parameters of an offer or of a response.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.1 RFC 7692 §7.1}
 */
export interface DeflateParameters {
  /** Whether the server compresses without context takeover. */
  serverNoContextTakeover: boolean;
  /** Whether the client compresses without context takeover. */
  clientNoContextTakeover: boolean;
  /** The server's window bits, 8 to 15; `undefined` if the parameter is absent. */
  serverMaxWindowBits: number | undefined;
  /** The client's window bits, 8 to 15; `true` in an offer without a value. */
  clientMaxWindowBits: number | true | undefined;
}

/** The window bits without a parameter that limits them: 32 KiB. */
export const MAX_WINDOW_BITS = 15;

// RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/**
 * Parses and checks the parameters.
 *
 * @param offer An offer, or a response.
 * @param isResponse Whether it is a response.
 * @returns The parameters, or a text that says what is wrong with them.
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

/** Returns the offer or response with these parameters. */
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
