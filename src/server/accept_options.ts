import {
  connectionOptionChecks,
  resolveConnectionOptions,
} from "../connection/connection_options.ts";
import type { ConnectionConfig, ConnectionOptions } from "../connection/connection_options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { InspectOptions } from "../connection/frame_inspector.ts";
import { createOriginCheck } from "../handshake/origin.ts";
import type { OriginCheck, OriginPolicy } from "../handshake/origin.ts";
import { isToken } from "../http/characters.ts";
import { toRequest } from "../http/request.ts";
import { parseRequestHead } from "../http/request_head_parser.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import type { Addr } from "../transport/transport.ts";
import { resolveProxies } from "../proxy/trusted_proxies.ts";
import type { ProxyOptions, TrustedProxies } from "../proxy/trusted_proxies.ts";
import { aBoolean, aFunction, aListOf, anything, either, oneOf } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";

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

/**
 * The type of a connection's `data`, from the results of `upgrade()`: the union of their `data`, with
 * `undefined` for a result without it. It is `Data` if `Result` is the general type of results.
 */
export type UpgradeData<Result, Data = unknown> = [UpgradeResult<Data>] extends [Result] ? Data
  : Result extends { data: infer Own } ? Own
  : Result extends Response ? never
  : Result extends { data?: infer Own } ? Own | undefined
  : undefined;

/** The option `upgrade` with the type of its results: see {@linkcode AcceptOptions.upgrade}. */
export interface UpgradeHandler<Result> {
  /** Decides on a valid WebSocket request. */
  upgrade?: (request: Request, info: UpgradeInfo) => Result | Promise<Result>;
}

/** Options of `accept()`, and those options of `serve()` that concern one connection. */
export interface AcceptOptions<Data = unknown>
  extends ConnectionOptions, ProxyOptions, InspectOptions<WebSocketConnection<Data>> {
  /**
   * Decides on a valid WebSocket request. `undefined` or options accept it. A `Response` of any class
   * refuses it, whatever its status. Any other result, and an exception, is reported to `onError`, and
   * the client gets a 500.
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
   * `"https://example.com"`, a function, or `"*"` for all. If `scheme` is `"https"`, pages of this host
   * must have been loaded by `https:`. A browser sends the origin of the page, and
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
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

/** The checks of these options. */
export const acceptOptionChecks: OptionChecks<AcceptOptions> = {
  ...connectionOptionChecks,
  inspect: aFunction,
  trustedProxies: aListOf("addresses", isString),
  forwardedField: anything,
  proxyProtocol: aBoolean,
  upgrade: aFunction,
  protocols: aListOf("tokens", (item) => typeof item === "string" && isToken(item)),
  origins: either(either(oneOf("*"), aFunction), aListOf("origins", isString)),
  scheme: oneOf("http", "https"),
};

/** The options of `accept()`, checked once for all connections. */
export interface AcceptConfig<Data> extends ConnectionConfig {
  readonly upgrade: AcceptOptions<Data>["upgrade"];
  readonly protocols: readonly string[];
  readonly checkOrigin: OriginCheck;
  readonly scheme: "http" | "https";
  /** Creates the `Request` of a WebSocket from the text of its head. */
  readonly makeRequest: (headText: string) => Request;
  /** The trusted proxies; `undefined` if there are none. */
  readonly proxies: TrustedProxies | undefined;
  /** Called with each frame. */
  readonly inspect: AcceptOptions<Data>["inspect"];
}

/**
 * Checks the options of `accept()`.
 *
 * @throws {TypeError} If an origin, a trusted proxy, or another option is malformed.
 * @throws {RangeError} If a limit is not a number above 0.
 */
export function resolveAcceptOptions<Data>(options: AcceptOptions<Data>): AcceptConfig<Data> {
  const { scheme = "http" } = options;
  return {
    ...resolveConnectionOptions(options),
    upgrade: options.upgrade,
    protocols: options.protocols ?? [],
    checkOrigin: createOriginCheck(options.origins, scheme === "https"),
    scheme,
    makeRequest: (headText) => toRequest(parseRequestHead(headText), { scheme }),
    proxies: resolveProxies(options),
    inspect: options.inspect,
  };
}
