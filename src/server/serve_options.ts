import {
  aBoolean,
  aFunction,
  anInteger,
  anything,
  aSignal,
  aString,
  checkOptions,
} from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import { acceptOptionChecks } from "./accept_options.ts";
import type { Addr, ListenOptions, ServerTls } from "../transport/transport.ts";
import type { AcceptOptions, RequestInfo } from "./accept_options.ts";
import type { AdmissionOptions } from "./connection_limits.ts";
import type { RunningServer } from "./running_server.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** Facts about a plain HTTP request that its `Request` does not contain. */
export interface FetchInfo extends RequestInfo {
  /** The server that has received the request. */
  readonly server: RunningServer;
}

/**
 * Options of {@linkcode serve}, in five groups:
 *
 * - listen: `hostname`, `port`, `path`, `tls`, `reusePort`;
 * - admission: `upgrade`, `origins`, `maxConnections`, `maxConnectionsPerAddress`, `maxMemory`;
 * - proxies: `trustedProxies`, `forwardedField`, `proxyProtocol`, `scheme`;
 * - protocol: `fetch`, `protocols`, `compression`, `overflow`, `payload`, `discardMessages`, `limits`,
 *   `overRate`;
 * - lifecycle: `signal`, `onListen`, `onError`, `inspect`.
 */
export interface ServeOptions<Data = unknown>
  extends ListenOptions, AdmissionOptions, AcceptOptions<Data> {
  /**
   * Maximum memory of all connections together, in bytes: the sum of the `heldBytes` of WebSockets, the
   * received and unsent data of HTTP connections, and request heads over 1 KiB, which sockets keep for
   * their `request`. An idle connection uses almost none.
   *
   * While the server is over it, and until it is back at 90 %, WebSockets are refused with 503 and
   * `Retry-After`, and connections that use more than their share and grow are not read. If usage has
   * not dropped within `closeTimeout`, or is at twice the maximum, the largest connections are closed
   * with 1013, or dropped if their peers do not read. `Infinity` means no limit.
   *
   * @default {536870912} 512 MiB
   */
  maxMemory?: number;
  /**
   * Answers plain HTTP (HTTP/1.1 and HTTP/1.0) on the same port: a page, a form, a health check. All
   * methods except CONNECT and TRACE, request bodies as streams, and persistent connections are
   * supported.
   *
   * `request.signal` aborts when the client leaves. If `fetch()` throws, or does not return a
   * `Response`, the client gets a 500. A body of the request that is not read is not received: the
   * connection is then closed after the response. See `maxBodySize`, `bodyTimeout` and
   * `keepAliveTimeout` of `limits`.
   *
   * @default {undefined} plain HTTP is answered with 426
   */
  fetch?: (request: Request, info: FetchInfo) => Response | Promise<Response>;
  /** Shuts the server down when it aborts. */
  signal?: AbortSignal;
  /**
   * Called with the address when the server listens. If it throws, the server stops, and `serve()` throws
   * the error. If it returns a promise that rejects, `onError` gets the error.
   */
  onListen?: (addr: Addr) => void;
  /**
   * Receives every error: of a handler, of a peer that breaks the protocol, of a request that is
   * refused, of a connection that cannot be accepted. What `onError` itself throws is printed.
   *
   * @default {undefined} prints errors that no peer has caused with `console.error`
   */
  onError?: (error: unknown, socket?: WebSocketConnection<Data>) => void;
}

/**
 * Checks that the options of `serve()` don't exclude each other.
 *
 * @throws {TypeError} If one of them would have no effect.
 */
export function checkCombinations(options: ServeOptions): void {
  const { path, proxyProtocol, tls, scheme, trustedProxies = [] } = options;
  if (proxyProtocol && tls !== undefined) {
    throw new TypeError("Cannot use the PROXY protocol: TLS would have to begin after its header");
  }
  if (scheme === "http" && tls !== undefined) {
    throw new TypeError('Cannot use scheme "http" of serve(): with tls, it is "https"');
  }
  if (path === undefined) return;
  const [other] = (["hostname", "port", "reusePort"] as const)
    .filter((name) => options[name] !== undefined);
  if (other !== undefined) {
    throw new TypeError(`Cannot use both path and ${other} of serve(): expected one of them`);
  }
  if (options.maxConnectionsPerAddress !== undefined && !trustedProxies.includes("unix")) {
    throw new TypeError(
      "Cannot use maxConnectionsPerAddress of serve() with path: a Unix socket has no addresses, " +
        'expected "unix" among trustedProxies',
    );
  }
}

/** The checks of these options. Limits are checked later, with a `RangeError`. */
export const serveOptionChecks: OptionChecks<ServeOptions> = {
  ...acceptOptionChecks,
  hostname: aString,
  port: anInteger(0, 65535),
  path: aString,
  reusePort: aBoolean,
  tls: (value, path) => {
    const { cert, key } = (value ?? {}) as Partial<ServerTls>;
    const isUsable = [cert, key].every((pem) => typeof pem === "string" && pem !== "");
    if (!isUsable) return "an object of cert and key, both in PEM";
    checkOptions<ServerTls>(path, value, { cert: anything, key: anything });
    return undefined;
  },
  maxConnections: anything,
  maxConnectionsPerAddress: anything,
  maxMemory: anything,
  fetch: aFunction,
  signal: aSignal,
  onListen: aFunction,
  onError: aFunction,
};
