import type { PerMessageDeflateOptions } from "../extensions/deflate_options.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import type { Limits } from "../protocol/limits.ts";
import type { ClientTls } from "../transport/transport.ts";
import type { Overflow } from "../connection/overflow.ts";

/** Options of {@linkcode connectOver}; {@linkcode connect} has them, too. */
export interface HandshakeOptions {
  /**
   * The subprotocols to offer, in order of preference. The server may choose none: see the
   * connection's `protocol`.
   *
   * @default {[]} none
   */
  protocols?: string | readonly string[];
  /**
   * Header fields to add to the request, such as a cookie. The fields of the handshake itself are
   * refused.
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
   * server's response; `Infinity` for no timeout.
   *
   * @default {30000} 30 s
   */
  timeout?: number;
  /**
   * Whether to offer permessage-deflate (RFC 7692), and its options. Messages are then compressed if
   * the server agrees. `true` means the default options: windows of 12 bits (4 KiB), `memLevel` 5,
   * level 1, messages of 1 KiB and more. Memory usage is below 1 KiB until the first compressed message,
   * then about 10 KiB for receiving (33 KiB if the server keeps its window of 15 bits) and 3 KiB for
   * sending.
   *
   * Send a message with `compress: false` if it has a secret next to text that an attacker can choose:
   * its length on the wire would reveal the secret (CRIME, BREACH).
   *
   * @default {false}
   */
  compression?: boolean | PerMessageDeflateOptions;
  /**
   * What happens if the send queue has no room for a message, at `maxBufferedAmount`. `"close"` rejects
   * the send and closes the connection with 1013; `"reject"` rejects the send with a
   * `QuotaExceededError`, and the application decides.
   *
   * @default {"close"}
   */
  overflow?: Overflow;
  /**
   * The limits of the connection; each has a default. `handshakeTimeout` is not used: see `timeout`.
   */
  limits?: Partial<Limits>;
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
