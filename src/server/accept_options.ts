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

/** What is known of a request beside what the `Request` says. */
export interface RequestInfo {
  /** The address of the other end: the proxy's, where there is one. */
  readonly remoteAddr: Addr;
  /** The address of the client: what a trusted proxy says of it, and else `remoteAddr`. */
  readonly clientAddr: Addr;
}

/** What `upgrade()` is told beside the `Request`. */
export interface UpgradeInfo extends RequestInfo {
  /** The subprotocols that the client offers, the one it likes best first. */
  readonly protocols: readonly string[];
}

/** What `upgrade()` says of a connection that it lets in. */
export interface UpgradeOptions<Data = unknown> {
  /**
   * The subprotocol: one of those that the client offers.
   *
   * @default {undefined} the first of `protocols` that is offered
   */
  protocol?: string | undefined;
  /** Header fields to add to the 101, such as a cookie. */
  headers?: HeaderFields;
  /** What to attach to the connection, as its `data`. */
  data?: Data;
}

/** What `upgrade()` may give back. */
export type UpgradeResult<Data> = UpgradeOptions<Data> | Response | undefined | void;

/** Options of `accept()`, and those of `serve()` that are about one connection. */
export interface AcceptOptions<Data = unknown> extends ProxyOptions {
  /**
   * Decides on a request whose handshake is right: gives back what to do with it, or a `Response` that
   * refuses it. Where it throws, the client gets a 500.
   */
  upgrade?: (
    request: Request,
    info: UpgradeInfo,
  ) => UpgradeResult<Data> | Promise<UpgradeResult<Data>>;
  /**
   * The subprotocols that this server speaks, the one it likes best first: the first that the client
   * offers is chosen.
   *
   * @default {[]} none
   */
  protocols?: readonly string[];
  /**
   * Which pages may connect, beside those of this very host: a list of origins such as
   * `"https://example.com"`, a function, or `"*"` for all. A browser sends the origin of its page, and
   * cookies with it: to let all in lets any page act for your users.
   *
   * @default {[]} those of this host, and whatever is not a browser
   * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-10.2 RFC 6455 §10.2}
   */
  origins?: OriginPolicy;
  /**
   * The scheme of the requests' URLs: `"https"` where TLS ends here, or at a proxy in front.
   *
   * @default {"http"} and `"https"` where `serve()` has `tls`
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

/** The options, checked once for all connections. */
export interface AcceptSettings<Data> {
  readonly upgrade: AcceptOptions<Data>["upgrade"];
  readonly protocols: readonly string[];
  readonly checkOrigin: OriginCheck;
  readonly scheme: "http" | "https";
  /** Makes a WebSocket's request of the text of its head. */
  readonly makeRequest: (headText: string) => Request;
  readonly extensions: readonly Extension[];
  readonly overflow: Overflow;
  readonly limits: Readonly<Limits>;
  /** The proxies whose word is taken; `undefined` where there are none. */
  readonly proxies: TrustedProxies | undefined;
}

/**
 * Checks the options of `accept()`.
 *
 * @throws {TypeError} where an origin, a trusted proxy, or another option, is malformed.
 * @throws {RangeError} where a limit is.
 */
export function resolveAcceptOptions<Data>(options: AcceptOptions<Data>): AcceptSettings<Data> {
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
