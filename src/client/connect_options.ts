import type { PerMessageDeflateOptions } from "../extensions/deflate_options.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import type { Limits } from "../protocol/limits.ts";
import type { ClientTls } from "../transport/transport.ts";
import type { Overflow } from "../connection/overflow.ts";

/** Options of {@linkcode connectOver}, and those of {@linkcode connect} that are about the handshake. */
export interface HandshakeOptions {
  /**
   * The subprotocols to offer, the one liked best first. The server may choose none: see `protocol` of
   * the connection.
   *
   * @default {[]} none
   */
  protocols?: string | readonly string[];
  /**
   * Header fields to add to the request, such as a cookie. Those of the handshake itself are refused.
   *
   * @default {[]} none
   */
  headers?: HeaderFields;
  /**
   * The Origin to send. Browsers send one, and servers take whoever sends none for something else.
   *
   * @default {undefined} none
   */
  origin?: string;
  /**
   * Gives the attempt up, at any point, and frees what it holds. Without effect once it's open.
   *
   * Two things the runtimes don't give back at once: Bun a TCP connection that the kernel is still
   * trying to make, and Deno one whose TLS handshake is under way, which it keeps until the server
   * answers or leaves.
   */
  signal?: AbortSignal;
  /**
   * How long it may take until the connection is open, in milliseconds, from the look-up of the name
   * to the server's answer; `Infinity` for as long as it takes.
   *
   * @default {30000} 30 s
   */
  timeout?: number;
  /**
   * Whether, and how, to offer permessage-deflate (RFC 7692), so that messages are compressed where the
   * server agrees; `true` for its defaults: windows of 12 bits (4 KiB), `memLevel` 5, level 1, messages
   * of 1 KiB and more. It costs less than 1 KiB until a message comes or goes compressed, then about 10
   * KiB for what comes (33 KiB from a server that keeps to its window of 15) and 3 KiB for what goes.
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
  /** The bounds of the connection; each has a default. `handshakeTimeout` is not used: see `timeout`. */
  limits?: Partial<Limits>;
}

/** Options of {@linkcode connect}. */
export interface ConnectOptions extends HandshakeOptions {
  /**
   * Whom to trust, for `wss:`. The certificate's chain, dates and name are always checked.
   *
   * @default {{}} whom the runtime trusts, for the host of the URL
   */
  tls?: ClientTls;
  /**
   * The path of a Unix domain socket to connect to, for `ws:`. The URL's host is only sent.
   *
   * @default {undefined} TCP, to the URL's host
   */
  path?: string;
  /**
   * An HTTP proxy to connect through, by CONNECT, such as `"http://user:password@proxy:3128"`. For
   * `wss:`, TLS is end to end: the proxy sees a host and a port. No environment variable is looked at.
   *
   * @default {undefined} none
   */
  proxy?: string | URL;
}
