import type { Limits } from "../connection/limits.ts";
import { quoteFirstLine } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import type { ResponseHead } from "../http/response_head_parser.ts";
import { writeRequest } from "../http/request_writer.ts";
import type { ProxyUrl } from "../handshake/url.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import { httpExchange } from "./http_exchange.ts";
import type { Transport } from "../transport/transport.ts";
import { USER_AGENT } from "./user_agent.ts";

/** Parameters of {@linkcode openProxyTunnel}. */
export interface ProxyTunnelInit {
  /** The proxy that the transport is connected to. */
  readonly proxy: ProxyUrl;
  /** The host at the other end of the tunnel: a name, or an IP address without brackets. */
  readonly hostname: string;
  /** The port of that host. */
  readonly port: number;
  /** The limits of the proxy's response. */
  readonly limits: Readonly<Limits>;
  /** Ends the attempt when it aborts. */
  readonly signal: AbortSignal;
}

/**
 * Has an HTTP proxy make the transport a tunnel to another host. When this resolves, the transport is
 * paused and has written all bytes.
 *
 * RFC 6455 §4.1: "if the user configures the client to use a proxy when using the WebSocket Protocol
 * to connect to host /host/ and port /port/, then the client SHOULD connect to that proxy and ask it
 * to open a TCP connection to the host given by /host/ and the port given by /port/."
 *
 * @throws {HandshakeError} If the proxy refuses; `status`, `headers` and `body` are those of its
 * response.
 * @throws {WebSocketError} If the proxy disconnects. The message of each error names the proxy.
 * @throws {unknown} The signal's reason if it aborts.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6 RFC 9110 §9.3.6}
 */
export async function openProxyTunnel(
  transport: Transport,
  init: ProxyTunnelInit,
): Promise<void> {
  try {
    await requestTunnel(transport, init);
  } catch (error) {
    throw named(error, init.proxy);
  }
}

/** Returns an error of a proxy with the proxy's name in its message: it is not the server that failed. */
function named(error: unknown, { hostname, port }: ProxyUrl): unknown {
  if (!(error instanceof WebSocketError)) return error;
  const message = `Cannot use proxy ${hostname}, port ${port}: ${error.message}`;
  const { code, cause } = error;
  if (!(error instanceof HandshakeError)) {
    return new WebSocketError(message, { code, closeCode: CloseCode.AbnormalClosure, cause });
  }
  const { status, headers, body } = error;
  return new HandshakeError(message, { code, status, headers, body, cause });
}

function requestTunnel(transport: Transport, init: ProxyTunnelInit): Promise<void> {
  const { proxy, hostname, port, limits, signal } = init;
  // RFC 9110 §9.3.6: the request target is "only the host and port number of the tunnel destination".
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const fields: [string, string][] = [["Host", authority], ["User-Agent", USER_AGENT]];
  if (proxy.authorization !== undefined) fields.push(["Proxy-Authorization", proxy.authorization]);
  return httpExchange(transport, {
    request: writeRequest("CONNECT", authority, fields),
    limits,
    signal,
    peer: "it",
    // "Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch
    // to tunnel mode immediately after the response header section".
    isWanted: (status) => status >= 200 && status <= 299,
    take(head, early) {
      transport.pause();
      // A WebSocket server and a TLS server both wait for the client to send first.
      if (early.length > 0) throw refused(head, "it sent more than that", "ERR_PROXY_DATA");
    },
    refuse: (head, body) => refused(head, "expected 2xx", "ERR_PROXY_REFUSED", body),
  });
}

function refused(
  head: ResponseHead,
  reason: string,
  code: string,
  body?: Uint8Array<ArrayBuffer>,
): HandshakeError {
  const found = `it answered with status ${head.status}, ${reason}${quoteFirstLine(body)}`;
  return new HandshakeError(found, {
    code,
    status: head.status,
    headers: [...head.headers],
    ...(body === undefined ? {} : { body }),
  });
}
