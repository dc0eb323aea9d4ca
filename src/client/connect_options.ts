import { connectionOptionChecks } from "../connection/connection_options.ts";
import type { ConnectionOptions } from "../connection/connection_options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { InspectOptions } from "../connection/frame_inspector.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import type { ClientTls } from "../transport/transport.ts";
import {
  aFunction,
  aListOf,
  anOptionsObject,
  anything,
  aSignal,
  aString,
  either,
} from "../util/options.ts";
import type { OptionCheck, OptionChecks } from "../util/options.ts";

/** Options of {@linkcode connectOver}; {@linkcode connect} has them, too. */
export interface HandshakeOptions extends ConnectionOptions, InspectOptions<WebSocketConnection> {
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
   * On Deno, a connection during its TLS handshake is kept until the server answers or disconnects.
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
   * The certificates to trust, and the client's own certificate, for `wss:`. The chain, the dates and the
   * name of the server's certificate are always verified.
   *
   * @default {{}} the certificates that the runtime trusts, for the host of the URL; none of the client
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

const isString = (value: unknown) => typeof value === "string";

/** The check of `protocols`; whether they are tokens is checked elsewhere, with a `SyntaxError`. */
export const areProtocols: OptionCheck = /* @__PURE__ */ either(
  aString,
  aListOf("strings", isString),
);

/** The check of `headers`; the fields are checked elsewhere. */
export const areHeaders: OptionCheck = (value) =>
  typeof value === "object" && value !== null ? undefined : "header fields";

/** The checks of the options of {@linkcode connectOver}; `timeout` is a `RangeError` elsewhere. */
export const handshakeOptionChecks: OptionChecks<HandshakeOptions> = {
  ...connectionOptionChecks,
  inspect: aFunction,
  protocols: areProtocols,
  headers: areHeaders,
  origin: aString,
  signal: aSignal,
  timeout: anything,
};

/** The message does not contain the value: a key may stand in the place of a certificate. */
function aPem(kind: string, expected: string): OptionCheck {
  return (value, path) => {
    if (isPem(value, kind)) return undefined;
    throw new TypeError(`Cannot use option ${path}: expected ${expected}`);
  };
}

const clientTlsChecks: OptionChecks<ClientTls> = {
  caCerts: aListOf("certificates in PEM", (item) => isPem(item, "CERTIFICATE")),
  serverName: aString,
  cert: aPem("CERTIFICATE", "a certificate in PEM"),
  key: aPem("PRIVATE KEY", "a private key in PEM"),
};

const aClientTls: OptionCheck = (value, path) => {
  const expected = anOptionsObject(clientTlsChecks)(value, path);
  if (expected !== undefined) return expected;
  // Without its key, a certificate would not be sent.
  const { cert, key } = value as ClientTls;
  const isPair = (cert === undefined) === (key === undefined);
  // A variable of the environment that is not set is a mistake, and no reason to connect without it.
  const hasUnset = ["cert", "key"].some((name) =>
    name in (value as ClientTls) && (value as ClientTls)[name as "cert" | "key"] === undefined
  );
  return isPair && !hasUnset ? undefined : "cert and key, both in PEM";
};

/** The checks of the options of {@linkcode connect}. */
export const connectOptionChecks: OptionChecks<ConnectOptions> = {
  ...handshakeOptionChecks,
  tls: aClientTls,
  path: aString,
  proxy: (value) => isString(value) || value instanceof URL ? undefined : "a URL",
};

/** Returns whether a value is text with at least one whole PEM block of a kind (RFC 7468). */
function isPem(value: unknown, kind: string): boolean {
  const block = new RegExp(`-----BEGIN ([A-Z0-9 ]*${kind})-----[^-]+-----END \\1-----`);
  return typeof value === "string" && block.test(value);
}
