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
import { supportsZlibStream } from "./zlib_stream.ts";
import { deflatableBits } from "./zlib_window.ts";

/**
 * The extension "permessage-deflate": compresses messages, which may refer to earlier ones.
 *
 * If a secret and text that an attacker can choose are compressed together, the length on the wire reveals
 * the secret (CRIME, BREACH). Send such messages with `compress: false`.
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
   * Configures the extension, for either role.
   *
   * @throws {RangeError} If an option is out of its range.
   * @throws {TypeError} If the option `offers` has another value.
   */
  constructor(options: PerMessageDeflateOptions = {}) {
    this.#options = resolveDeflateOptions(options);
  }

  /**
   * Whether this runtime's zlib can keep a window between messages. If not, nothing is offered and every
   * offer is declined.
   */
  get isSupported(): boolean {
    return supportsZlibStream();
  }

  /** Returns a client's offers: see {@linkcode PerMessageDeflateOptions.offers}. */
  offers(): readonly ExtensionOffer[] {
    return this.isSupported ? this.#offered().map(writeParameters) : [];
  }

  /** Accepts a client's offer, or declines it if it is invalid or requires what is not supported. */
  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined {
    const offered = readParameters(offer, false);
    if (typeof offered === "string" || !this.isSupported) return undefined;
    const options = this.#options;
    const agreed: DeflateParameters = {
      // RFC 7692 §7.1.1.1: a server "accepts an extension negotiation offer that includes the
      // "server_no_context_takeover" extension parameter by including" it in the response.
      serverNoContextTakeover: offered.serverNoContextTakeover || options.serverNoContextTakeover,
      // RFC 7692 §7.1.1.2: in an offer it is a hint, which saves the memory of a window.
      clientNoContextTakeover: offered.clientNoContextTakeover || options.clientNoContextTakeover,
      serverMaxWindowBits: undefined,
      clientMaxWindowBits: undefined,
    };
    // RFC 7692 §7.1.2.1: a server accepts this parameter "by including the "server_max_window_bits"
    // extension parameter in the extension negotiation response to send back to the client with the
    // same or smaller value as the offer", and may include it if it was not offered.
    const bits = deflatableBits(
      Math.min(
        windowBits(offered.serverMaxWindowBits),
        options.serverMaxWindowBits ?? DEFAULT_WINDOW_BITS,
      ),
    );
    if (bits === undefined) return undefined;
    const isOffered = offered.serverMaxWindowBits !== undefined;
    if (isOffered || (options.announceServerMaxWindowBits && bits < MAX_WINDOW_BITS)) {
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

  /**
   * Checks the server's response to the offers.
   *
   * @throws {ProtocolError} If it matches none of them, or violates a rule.
   */
  acceptResponse(response: ExtensionOffer): ExtensionAgreement {
    if (!this.isSupported) throw refused(response, "it was not offered");
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
        // RFC 7692 §7.1.1.2: the client does what it has hinted, whatever the response says.
        clientNoContextTakeover: agreed.clientNoContextTakeover || clientNoContextTakeover,
      },
      response,
      deflatableBits(limit),
    );
  }

  /** The parameters of a client's offers. */
  #offered(): DeflateParameters[] {
    const options = this.#options;
    const { serverMaxWindowBits = DEFAULT_WINDOW_BITS } = options;
    const limited: DeflateParameters = {
      serverNoContextTakeover: options.serverNoContextTakeover,
      clientNoContextTakeover: options.clientNoContextTakeover,
      serverMaxWindowBits: limitOf(serverMaxWindowBits),
      clientMaxWindowBits: limitOf(options.clientMaxWindowBits ?? DEFAULT_WINDOW_BITS) ?? true,
    };
    // Only what is required of the server. The client keeps to its own hints without offering them.
    const plain: DeflateParameters = {
      serverNoContextTakeover: options.serverNoContextTakeover,
      clientNoContextTakeover: false,
      serverMaxWindowBits: limitOf(options.serverMaxWindowBits),
      clientMaxWindowBits: undefined,
    };
    if (options.offers === "plain") return [plain];
    const isLimitRequired = options.serverMaxWindowBits !== undefined;
    if (options.offers === "limited" || isLimitRequired) return [limited];
    return [limited, { ...limited, serverMaxWindowBits: undefined }, plain];
  }

  /**
   * Returns the agreement for one role.
   *
   * @param deflateBits The window to compress with; `undefined` to send uncompressed messages.
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
    const deflaterOptions = deflateBits === undefined
      ? undefined
      : { windowBits: deflateBits, takesContextOver: ownTakeover, level, memLevel };
    return {
      response,
      rsv: this.rsv,
      use: ({ maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE } = {}) => {
        const inflaterOptions = {
          windowBits: windowBits(theirBits),
          takesContextOver: theirTakeover,
          maxMessageSize,
        };
        return new PerMessageDeflateCodec(inflaterOptions, deflaterOptions, threshold);
      },
    };
  }
}

/** Returns whether the parameters of a response accept that offer. */
function answers(response: DeflateParameters, offer: DeflateParameters): boolean {
  if (offer.serverNoContextTakeover && !response.serverNoContextTakeover) return false;
  if (windowBits(response.serverMaxWindowBits) > windowBits(offer.serverMaxWindowBits)) {
    return false;
  }
  // RFC 7692 §7.1.2.2: "If a received extension negotiation offer doesn't have the
  // "client_max_window_bits" extension parameter, the corresponding extension negotiation response to
  // the offer MUST NOT include" it. Its value in an offer is a hint, so that of a response may be greater.
  return response.clientMaxWindowBits === undefined || offer.clientMaxWindowBits !== undefined;
}

/** Returns the parameter that limits a window; none for the largest one. */
function limitOf(bits: number | undefined): number | undefined {
  return bits === MAX_WINDOW_BITS ? undefined : bits;
}

/** Returns the window bits of a parameter, which may have a value, have none, or be absent. */
function windowBits(parameter: number | true | undefined): number {
  return typeof parameter === "number" ? parameter : MAX_WINDOW_BITS;
}
