import type { Extension, ExtensionAgreement } from "../extensions/extension.ts";
import { acceptResponses } from "../extensions/negotiation.ts";
import { HandshakeError } from "../http/errors.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { createKey, upgradeRequestFields } from "../handshake/upgrade_request_writer.ts";
import { writeRequest } from "../http/request_writer.ts";
import { parseUpgradeResponse, upgradeRefused } from "../handshake/upgrade_response.ts";
import { parseProxyUrl, parseWebSocketUrl } from "../handshake/url.ts";
import type { WebSocketUrl } from "../handshake/url.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import { resolveLimits } from "../protocol/limits.ts";
import type { Limits } from "../protocol/limits.ts";
import { connect as connectTransport, startTls, toTransport } from "../transport/runtime.ts";
import type { Conn } from "../transport/runtime.ts";
import { TlsError } from "../transport/transport.ts";
import type { ConnectTarget, Transport } from "../transport/transport.ts";
import { resolveCompression } from "../connection/compression.ts";
import type { ConnectOptions, HandshakeOptions } from "./connect_options.ts";
import { openConnection, startConnection } from "../connection/connection.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { exchange } from "./http_exchange.ts";
import { resolveOverflow } from "../connection/overflow.ts";
import type { Overflow } from "../connection/overflow.ts";
import { timers } from "../util/timers.ts";
import { openTunnel } from "./proxy_tunnel.ts";
import { within } from "../util/abort.ts";

export type { ConnectOptions, HandshakeOptions } from "./connect_options.ts";

/** What is to be asked for. */
export interface Plan {
  readonly url: WebSocketUrl;
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly Extension[];
  readonly offers: readonly ExtensionOffer[];
  readonly fields: [name: string, value: string][];
  readonly overflow: Overflow;
  readonly limits: Readonly<Limits>;
}

/**
 * Opens a WebSocket, as a client.
 *
 * No redirect is followed: it's refused like every other answer but 101, and the error has its
 * `Location`.
 *
 * @param url Where to: `ws:` or `wss:`, or `http:` or `https:`, which stand for them. User information
 * in it is sent as `Authorization: Basic`.
 * @returns the connection, once it's open.
 * @throws {HandshakeError} where the server, or the proxy, answers with something else than a
 * WebSocket: with the `status`, the `headers` and the first 4 KiB of the `body` of its answer.
 * @throws {WebSocketError} where the server can't be reached (code `ERR_CONNECT`), TLS can't be
 * established (`ERR_TLS`), or the server leaves without an answer (`ERR_HANDSHAKE_LEFT`); with the
 * runtime's error as its `cause`.
 * @throws {unknown} the signal's reason where `signal` aborts.
 * @throws {DOMException} a `TimeoutError` after `timeout`; a `SyntaxError` where the URL or a
 * subprotocol is malformed.
 * @throws {TypeError} where a header or another option is malformed.
 * @throws {RangeError} where a limit is.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@sluice/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
 *   for await (const message of socket) await socket.send(message);
 * });
 * const { port } = server.addr as { port: number };
 *
 * const socket = await connect(`ws://127.0.0.1:${port}/chat`, { timeout: 5000 });
 * await socket.send("Hello");
 * for await (const message of socket) {
 *   assertEquals(message, "Hello");
 *   break;
 * }
 * await socket.close(1000);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export async function connect(
  url: string | URL,
  options: ConnectOptions = {},
): Promise<WebSocketConnection> {
  const plan = makePlan(url, options);
  const { path, proxy, tls } = options;
  const { isSecure, hostname, port } = plan.url;
  if (tls !== undefined && !isSecure) {
    throw new TypeError(`Cannot connect: tls is for wss:, got ${plan.url.href}`);
  }
  if (path !== undefined && (isSecure || proxy !== undefined)) {
    throw new TypeError("Cannot connect: a Unix socket has neither TLS nor a proxy");
  }
  const target: ConnectTarget = { hostname, port };
  if (path !== undefined) target.path = path;
  if (isSecure) target.tls = { ...tls };
  const proxyUrl = proxy === undefined ? undefined : parseProxyUrl(proxy);
  return await within(options, async (signal) => {
    const transport = await reach(
      async () => {
        if (proxyUrl === undefined) return await connectTransport(target, signal);
        const { limits } = plan;
        const transport = await connectTransport(
          { hostname: proxyUrl.hostname, port: proxyUrl.port },
          signal,
        );
        await openTunnel(transport, { proxy: proxyUrl, hostname, port, limits, signal });
        if (target.tls === undefined) return transport;
        return await startTls(transport, target.tls, hostname, signal);
      },
      plan.url,
      signal,
    );
    return await open(transport, plan, signal);
  });
}

/**
 * Makes a WebSocket of a connection of your own, to a server that is at its other end already: does
 * the opening handshake on it as a client. It's {@linkcode connect} without the way there.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}: it's closed where this fails.
 * @param url What to ask the server for.
 * @param options What {@linkcode connect} takes for the handshake.
 * @returns the connection, once it's open.
 * @throws {HandshakeError} where the server answers with something else than a WebSocket; and whatever
 * else {@linkcode connect} throws.
 *
 * @example Over a pair in memory
 * ```ts
 * import { accept, connectOver } from "@sluice/websocket";
 * import { memoryPair } from "@sluice/websocket/transport";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = memoryPair();
 * const [server, client] = await Promise.all([accept(there), connectOver(here, "ws://memory/")]);
 * await Promise.all([client.close(1000), server.closed]);
 * assertEquals((await server.closed).closeCode, 1000);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export async function connectOver(
  conn: Conn,
  url: string | URL,
  options: HandshakeOptions = {},
): Promise<WebSocketConnection> {
  const plan = makePlan(url, options);
  return await within(options, (signal) => open(toTransport(conn), plan, signal));
}

/** Checks all options before anything is connected. */
export function makePlan(url: string | URL, options: HandshakeOptions): Plan {
  const { protocols = [], headers, origin } = options;
  const parsed = parseWebSocketUrl(url);
  const key = createKey();
  const offered = typeof protocols === "string" ? [protocols] : [...protocols];
  const extensions = resolveCompression(options.compression);
  const offers = extensions.flatMap((extension) => extension.offers());
  const fields = upgradeRequestFields({
    host: parsed.host,
    key,
    protocols: offered,
    extensions: serializeExtensions(offers),
    origin,
    authorization: parsed.authorization,
    headers,
  });
  const overflow = resolveOverflow(options.overflow);
  const limits = resolveLimits(options.limits);
  return { url: parsed, key, protocols: offered, extensions, offers, fields, overflow, limits };
}

/** Runs `connect`, and makes of what the runtime throws an error of ours. */
async function reach(
  connect: () => Promise<Transport>,
  url: WebSocketUrl,
  signal: AbortSignal,
): Promise<Transport> {
  try {
    return await connect();
  } catch (cause) {
    if (signal.aborted || cause instanceof WebSocketError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WebSocketError(`Cannot connect to ${url.hostname}, port ${url.port}: ${reason}`, {
      code: cause instanceof TlsError ? "ERR_TLS" : "ERR_CONNECT",
      closeCode: CloseCode.AbnormalClosure,
      cause,
    });
  }
}

/** The client's half of the opening handshake. */
function open(transport: Transport, plan: Plan, signal: AbortSignal): Promise<WebSocketConnection> {
  const { url, key, protocols, extensions, offers, fields, overflow, limits } = plan;
  return exchange(transport, {
    request: writeRequest("GET", url.target, fields),
    limits,
    signal,
    peer: "The server",
    isWanted: (status) => status === 101,
    take(head, early) {
      const agreed = parseUpgradeResponse(head, { key, protocols, extensions: offers });
      const socket = openConnection<unknown>({
        settings: {
          role: "client",
          limits,
          timers,
          budget: undefined,
          overflow,
          makeRequest: () => new Request(url.href.replace(/^ws/, "http"), { headers: fields }),
          onError() {}, // It's in `closed`, for who wants to know.
          onClosed: undefined,
        },
        transport,
        protocol: agreed.protocol,
        extensions: serializeExtensions(agreed.extensions),
        agreements: agree(extensions, agreed.extensions),
        data: undefined,
        headText: "",
      });
      startConnection(socket, { answer: new Uint8Array(0), early });
      return socket;
    },
    refuse: upgradeRefused,
  });
}

/** RFC 6455 §4.1: an extension that was not asked for, or not in that way, fails the handshake. */
function agree(
  extensions: readonly Extension[],
  responses: readonly ExtensionOffer[],
): ExtensionAgreement[] {
  try {
    return acceptResponses(extensions, responses);
  } catch (cause) {
    throw new HandshakeError((cause as Error).message, {
      code: "ERR_HANDSHAKE_EXTENSIONS",
      status: 101,
      cause,
    });
  }
}
