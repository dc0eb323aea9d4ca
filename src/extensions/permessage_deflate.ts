import { Rsv } from "../protocol/frame.ts";
import type { Role } from "../protocol/frame.ts";
import { DEFAULT_MAX_MESSAGE_SIZE } from "../protocol/message_sequence.ts";
import { DEFAULT_WINDOW_BITS, resolveDeflateOptions } from "./deflate_options.ts";
import type { PerMessageDeflateOptions, ResolvedDeflateOptions } from "./deflate_options.ts";
import {
  MAX_WINDOW_BITS,
  PERMESSAGE_DEFLATE,
  readParameters,
  writeParameters,
} from "./deflate_parameters.ts";
import type { DeflateParameters } from "./deflate_parameters.ts";
import { PerMessageDeflateCodec } from "./permessage_deflate_codec.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type { Extension, ExtensionAgreement } from "./extension.ts";
import { refused } from "./negotiation.ts";
import { chooseBackend, deflatableBits } from "./zlib_window.ts";

/**
 * The extension "permessage-deflate": messages are compressed, each in one go, and may refer to those
 * before them.
 *
 * A secret next to what an attacker chose, compressed together, can be guessed from the length on the
 * wire (CRIME, BREACH): send such messages with `compress: false`.
 *
 * @example
 * ```ts
 * import { PerMessageDeflate } from "@sluice/websocket/extensions";
 * import { assertEquals } from "@std/assert";
 *
 * const client = new PerMessageDeflate({ serverMaxWindowBits: 10 });
 * const server = new PerMessageDeflate({ serverNoContextTakeover: true });
 * const agreement = server.acceptOffer(client.offers()[0]);
 * assertEquals(agreement?.response.params.join("; "), [
 *   "server_no_context_takeover,true",
 *   "server_max_window_bits,10",
 *   "client_max_window_bits,12",
 * ].join("; "));
 * client.acceptResponse(agreement!.response);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7 RFC 7692 §7}
 */
export class PerMessageDeflate implements Extension {
  /** `"permessage-deflate"`. */
  readonly name: "permessage-deflate" = PERMESSAGE_DEFLATE;
  /** RSV1. */
  readonly rsv: number = Rsv.Rsv1;
  readonly #options: Readonly<ResolvedDeflateOptions>;

  /**
   * Configures it, for either role.
   *
   * @throws {RangeError} where an option is out of its range.
   */
  constructor(options: PerMessageDeflateOptions = {}) {
    this.#options = resolveDeflateOptions(options);
  }

  /**
   * A client's offers. Unless `serverMaxWindowBits` is set there are two: one that limits the server's
   * window, and one for a server that can't.
   */
  offers(): readonly ExtensionOffer[] {
    return this.#offered().map(writeParameters);
  }

  /** A server accepts an offer, or declines: where it's not valid, or asks for what it can't do. */
  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined {
    const offered = readParameters(offer, false);
    if (typeof offered === "string") return undefined;
    const options = this.#options;
    const agreed: DeflateParameters = {
      // RFC 7692 §7.1.1.1: a server "accepts an extension negotiation offer that includes the
      // "server_no_context_takeover" extension parameter by including" it in the response.
      serverNoContextTakeover: offered.serverNoContextTakeover || options.serverNoContextTakeover,
      // RFC 7692 §7.1.1.2: the offer's is a hint, by which we keep no window unnecessarily.
      clientNoContextTakeover: offered.clientNoContextTakeover || options.clientNoContextTakeover,
      serverMaxWindowBits: undefined,
      clientMaxWindowBits: undefined,
    };
    // RFC 7692 §7.1.2.1: a server accepts this parameter "by including the "server_max_window_bits"
    // extension parameter in the extension negotiation response to send back to the client with the
    // same or smaller value as the offer", and may include it unasked.
    const bits = deflatableBits(
      Math.min(
        windowBits(offered.serverMaxWindowBits),
        options.serverMaxWindowBits ?? DEFAULT_WINDOW_BITS,
      ),
    );
    if (bits === undefined) return undefined;
    if (bits < MAX_WINDOW_BITS || offered.serverMaxWindowBits !== undefined) {
      agreed.serverMaxWindowBits = bits;
    }
    // RFC 7692 §7.1.2.2: "If a received extension negotiation offer doesn't have the
    // "client_max_window_bits" extension parameter, the corresponding extension negotiation response
    // to the offer MUST NOT include the "client_max_window_bits" extension parameter."
    const limit = options.clientMaxWindowBits ?? MAX_WINDOW_BITS;
    if (offered.clientMaxWindowBits !== undefined) {
      agreed.clientMaxWindowBits = Math.min(
        windowBits(offered.clientMaxWindowBits),
        options.clientMaxWindowBits ?? DEFAULT_WINDOW_BITS,
      );
    } else if (limit < MAX_WINDOW_BITS) {
      return undefined;
    }
    return this.#agree("server", agreed, writeParameters(agreed), bits);
  }

  /** A client accepts the response to its offers. */
  acceptResponse(response: ExtensionOffer): ExtensionAgreement {
    const agreed = readParameters(response, true);
    if (typeof agreed === "string") throw refused(response, agreed);
    const offers = this.#offered();
    if (!offers.some((offer) => answers(agreed, offer))) {
      throw refused(response, "its parameters answer no offer");
    }
    const { clientNoContextTakeover, clientMaxWindowBits = DEFAULT_WINDOW_BITS } = this.#options;
    const limit = Math.min(windowBits(agreed.clientMaxWindowBits), clientMaxWindowBits);
    return this.#agree(
      "client",
      {
        ...agreed,
        // RFC 7692 §7.1.1.2: what the client has hinted at it does, whatever the response says.
        clientNoContextTakeover: agreed.clientNoContextTakeover || clientNoContextTakeover,
      },
      response,
      deflatableBits(limit),
    );
  }

  /** What a client offers. */
  #offered(): DeflateParameters[] {
    const options = this.#options;
    const required: DeflateParameters = {
      serverNoContextTakeover: options.serverNoContextTakeover,
      clientNoContextTakeover: options.clientNoContextTakeover,
      serverMaxWindowBits: options.serverMaxWindowBits,
      clientMaxWindowBits: options.clientMaxWindowBits === MAX_WINDOW_BITS
        ? true
        : options.clientMaxWindowBits ?? DEFAULT_WINDOW_BITS,
    };
    return options.serverMaxWindowBits === undefined
      ? [{ ...required, serverMaxWindowBits: DEFAULT_WINDOW_BITS }, required]
      : [required];
  }

  /**
   * @param deflateBits Our own window; `undefined` where we are not to compress at all.
   */
  #agree(
    role: Role,
    agreed: DeflateParameters,
    response: ExtensionOffer,
    deflateBits: number | undefined,
  ): ExtensionAgreement {
    const { level, memLevel, threshold } = this.#options;
    const [ownTakeover, theirTakeover, theirBits] = role === "server"
      ? [
        !agreed.serverNoContextTakeover,
        !agreed.clientNoContextTakeover,
        agreed.clientMaxWindowBits,
      ]
      : [
        !agreed.clientNoContextTakeover,
        !agreed.serverNoContextTakeover,
        agreed.serverMaxWindowBits,
      ];
    const createDeflater = deflateBits === undefined
      ? undefined
      : () =>
        chooseBackend().createDeflater({
          windowBits: deflateBits,
          takesContextOver: ownTakeover,
          level,
          memLevel,
        });
    return {
      response,
      rsv: this.rsv,
      use: ({ maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE } = {}) => {
        const createInflater = () =>
          chooseBackend().createInflater({
            windowBits: windowBits(theirBits),
            takesContextOver: theirTakeover,
            maxMessageSize,
          });
        return new PerMessageDeflateCodec(createInflater, createDeflater, threshold);
      },
    };
  }
}

/** Whether a response's parameters accept that offer. */
function answers(response: DeflateParameters, offer: DeflateParameters): boolean {
  if (offer.serverNoContextTakeover && !response.serverNoContextTakeover) return false;
  const { serverMaxWindowBits = Infinity } = response;
  if (serverMaxWindowBits > (offer.serverMaxWindowBits ?? Infinity)) return false;
  // RFC 7692 §7.1.2.2: the response's value is "equal to or smaller than" the offer's.
  return response.clientMaxWindowBits === undefined ||
    windowBits(response.clientMaxWindowBits) <= windowBits(offer.clientMaxWindowBits);
}

/** The window that a parameter stands for, be it with a value, without one, or not there. */
function windowBits(parameter: number | true | undefined): number {
  return typeof parameter === "number" ? parameter : MAX_WINDOW_BITS;
}
