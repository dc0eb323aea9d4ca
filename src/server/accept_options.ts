import { resolveCompression } from "../connection/compression.ts";
import type { PerMessageDeflateOptions } from "../extensions/deflate_options.ts";
import type { Extension } from "../extensions/extension.ts";
import { createOriginCheck } from "../handshake/origin.ts";
import type { OriginCheck, OriginPolicy } from "../handshake/origin.ts";
import { toRequest } from "../http/request.ts";
import { parseRequestHead } from "../http/request_head_parser.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { resolveLimits } from "../protocol/limits.ts";
import type { Limits } from "../protocol/limits.ts";
import { resolveOverflow } from "../connection/overflow.ts";
import type { Overflow } from "../connection/overflow.ts";
import type { Addr } from "../transport/transport.ts";
import { resolveProxies } from "../proxy/trusted_proxies.ts";
import type { ProxyOptions, TrustedProxies } from "../proxy/trusted_proxies.ts";

/** Facts about a request that its `Request` does not contain. */
export interface RequestInfo {
  /** The address of the peer: the proxy's, if there is one. */
  readonly remoteAddr: Addr;
  /** The address of the client: the one that a trusted proxy names, otherwise `remoteAddr`. */
  readonly clientAddr: Addr;
}

/** Facts about a WebSocket request that its `Request` does not contain. */
export interface UpgradeInfo extends RequestInfo {
  /** The subprotocols that the client offers, in its order of preference. */
  readonly protocols: readonly string[];
}

/** Options of one connection, as returned by `upgrade()`. */
export interface UpgradeOptions<Data = unknown> {
  /**
   * The subprotocol: one of those that the client offers.
   *
   * @default {undefined} the first of `protocols` that is offered
   */
  protocol?: string | undefined;
  /** Header fields to add to the 101 response, such as a cookie. */
  headers?: HeaderFields;
  /** The value of the connection's `data`. */
  data?: Data;
}

/** The results that `upgrade()` may return. */
export type UpgradeResult<Data> = UpgradeOptions<Data> | Response | undefined | void;

/** Options of `accept()`, and those options of `serve()` that concern one connection. */
export interface AcceptOptions<Data = unknown> extends ProxyOptions {
  /**
   * Decides on a valid WebSocket request: returns the options of its connection, or a `Response` that
   * refuses it. If it throws, the client gets a 500.
   */
  upgrade?: (
    request: Request,
    info: UpgradeInfo,
  ) => UpgradeResult<Data> | Promise<UpgradeResult<Data>>;
  /**
   * The subprotocols of this server, in its order of preference. The first one that the client offers
   * is chosen.
   *
   * @default {[]} none
   */
  protocols?: readonly string[];
  /**
   * The pages that may connect, in addition to those of this host: a list of origins such as
   * `"https://example.com"`, a function, or `"*"` for all. A browser sends the origin of the page, and
   * the user's cookies with it. If all origins are allowed, any page can act for your users.
   *
   * @default {[]} those of this host, and clients that send no Origin
   * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-10.2 RFC 6455 §10.2}
   */
  origins?: OriginPolicy;
  /**
   * The scheme of the requests' URLs: `"https"` if TLS ends here, or at a proxy in front.
   *
   * @default {"http"} and `"https"` if `serve()` has `tls`
   */
  scheme?: "http" | "https";
  /**
   * Whether, and how, messages are compressed for clients that offer permessage-deflate (RFC 7692);
   * `true` for its defaults: windows of 12 bits (4 KiB), `memLevel` 5, level 1, messages of 1 KiB and
   * more. It costs processor time, and memory: less than 1 KiB a connection until a message comes or
   * goes compressed, then about 10 KiB for what comes (33 KiB from a client whose window can't be
   * limited) and 3 KiB for what goes.
   *
   * Send with `compress: false` what has a secret next to text that somebody else chose: the length on
   * the wire would tell of it (CRIME, BREACH).
   *
   * @default {false}
   */
  compression?: boolean | PerMessageDeflateOptions;
  /**
   * What is done where the outgoing queue has no room for a message, at `maxBufferedAmount`: `"close"`
   * refuses the send and closes the connection with 1013; `"reject"` rejects the send, with a
   * `QuotaExceededError`, and leaves the rest to whoever sends.
   *
   * @default {"close"}
   */
  overflow?: Overflow;
  /** The bounds of a connection; each has a default. */
  limits?: Partial<Limits>;
}

/** The options of `accept()`, checked once for all connections. */
export interface AcceptConfig<Data> {
  readonly upgrade: AcceptOptions<Data>["upgrade"];
  readonly protocols: readonly string[];
  readonly checkOrigin: OriginCheck;
  readonly scheme: "http" | "https";
  /** Makes the `Request` of a WebSocket from the text of its head. */
  readonly makeRequest: (headText: string) => Request;
  readonly extensions: readonly Extension[];
  readonly overflow: Overflow;
  readonly limits: Readonly<Limits>;
  /** The trusted proxies; `undefined` if there are none. */
  readonly proxies: TrustedProxies | undefined;
}

/**
 * Checks the options of `accept()`.
 *
 * @throws {TypeError} If an origin, a trusted proxy, or another option, is malformed.
 * @throws {RangeError} If a limit is.
 */
export function resolveAcceptOptions<Data>(options: AcceptOptions<Data>): AcceptConfig<Data> {
  const { scheme = "http" } = options;
  return {
    upgrade: options.upgrade,
    protocols: options.protocols ?? [],
    checkOrigin: createOriginCheck(options.origins),
    scheme,
    makeRequest: (headText) => toRequest(parseRequestHead(headText), { scheme }),
    extensions: resolveCompression(options.compression),
    overflow: resolveOverflow(options.overflow),
    limits: resolveLimits(options.limits),
    proxies: resolveProxies(options),
  };
}
