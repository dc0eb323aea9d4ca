import type { ConnectionOptions } from "../connection/connection_options.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import type { ClientTls } from "../transport/transport.ts";

/** Options of {@linkcode connectOver}; {@linkcode connect} has them, too. */
export interface HandshakeOptions extends ConnectionOptions {
  /**
   * The subprotocols to offer, in order of preference. The server may choose none: see the
   * connection's `protocol`.
   *
   * @default {[]} none
   */
  protocols?: string | readonly string[];
  /**
   * Header fields to add to the request, such as a cookie. A `Host` and a `User-Agent` replace those of
   * the client. The other fields of the handshake itself are refused.
   *
   * @default {[]} none
   */
  headers?: HeaderFields;
  /**
   * The Origin to send. Browsers send one; a server takes a client that sends none for something other
   * than a browser.
   *
   * @default {undefined} none
   */
  origin?: string;
  /**
   * Ends the attempt at any point, and frees its resources. It has no effect on an open connection.
   *
   * Two resources are not freed at once by the runtimes: on Bun, a TCP connection that the kernel is
   * still establishing; on Deno, a connection during its TLS handshake, which is kept until the server
   * answers or disconnects.
   */
  signal?: AbortSignal;
  /**
   * The longest time until the connection is open, in milliseconds, from resolving the host name to the
   * server's response; `Infinity` for no timeout. `limits.handshakeTimeout` is not used.
   *
   * @default {30000} 30 s
   */
  timeout?: number;
}

/** Options of {@linkcode connect}. */
export interface ConnectOptions extends HandshakeOptions {
  /**
   * The certificates to trust, for `wss:`. The certificate's chain, dates and name are always verified.
   *
   * @default {{}} those that the runtime trusts, for the host of the URL
   */
  tls?: ClientTls;
  /**
   * The path of a Unix domain socket to connect to, for `ws:`. The URL's host is then only sent.
   *
   * @default {undefined} TCP, to the URL's host
   */
  path?: string;
  /**
   * The URL of an HTTP proxy to connect through with CONNECT, such as
   * `"http://user:password@proxy:3128"`. For `wss:`, TLS is end to end: the proxy sees the host and the
   * port. Environment variables are not used.
   *
   * @default {undefined} none
   */
  proxy?: string | URL;
}
