import type { WebSocketConnection } from "../connection/connection.ts";
import { resolveOptionalHandler } from "../connection/handler.ts";
import type { Handler } from "../connection/handler.ts";
import { toTransport } from "../transport/runtime.ts";
import type { Conn } from "../transport/runtime.ts";
import { withTimeout } from "../util/abort.ts";
import { checkOptions } from "../util/options.ts";
import { openWebSocket } from "./client_handshake.ts";
import { connectOptionChecks, handshakeOptionChecks } from "./connect_options.ts";
import type { ConnectOptions, HandshakeOptions } from "./connect_options.ts";
import { makeConnectPlan, makeHandshakePlan } from "./connect_plan.ts";
import { dial } from "./dial.ts";

/**
 * Opens a WebSocket, as a client.
 *
 * Redirects are not followed: a redirect is refused like any other status than 101, and the error has
 * its `Location` header.
 *
 * @param url The URL: `ws:` or `wss:`, or `http:` or `https:`, which mean the same. User information in
 * it is sent as `Authorization: Basic`.
 * @param options See {@linkcode ConnectOptions}.
 * @param handler Callbacks, the fastest way to receive messages, or a function that serves the
 * connection, as for {@linkcode serve}. Without a handler, read the connection: it stops reading when its
 * queue of unread messages is full, and then receives neither messages nor the server's Close. A client
 * that only sends sets `discardMessages`. The errors of a handler are printed with `console.error`, except
 * those that the server has caused.
 * @returns The connection, when it is open.
 * @throws {HandshakeError} If the server, or the proxy, answers with something other than a WebSocket.
 * It has the `status`, the `headers` and the first 4 KiB of the `body` of the response.
 * @throws {WebSocketError} If the server can't be reached (code `ERR_CONNECT`), the
 * runtime or the system denies the permission to connect (`ERR_PERMISSION`), TLS can't be established
 * (`ERR_TLS`), or the server disconnects without an answer (`ERR_HANDSHAKE_LEFT`). Its `cause` is the
 * runtime's error. If the proxy can't be reached, the message names the proxy.
 * @throws {unknown} The signal's reason if `signal` aborts.
 * @throws {DOMException} A `TimeoutError` after `timeout`; a `SyntaxError` if the URL or a subprotocol
 * is malformed.
 * @throws {TypeError} If a header or another option is malformed.
 * @throws {RangeError} If a limit is out of range.
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
  handler?: Handler,
): Promise<WebSocketConnection> {
  checkOptions<ConnectOptions>("connect()", options, connectOptionChecks);
  const plan = makeConnectPlan(url, options);
  const resolved = resolveOptionalHandler("connect()", handler, options.discardMessages);
  return await withTimeout(options, (signal) => dial(plan, signal, resolved));
}

/**
 * Performs the opening handshake as a client on a connection that the caller has made, to a WebSocket
 * server. It is {@linkcode connect} without connecting.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}. It is closed if the handshake fails.
 * @param url The URL to request from the server.
 * @param options The options of {@linkcode connect} that concern the handshake.
 * @param handler Callbacks or a function, as for {@linkcode connect}.
 * @returns The connection, when it is open.
 * @throws {HandshakeError} If the server answers with something other than a WebSocket.
 * {@linkcode connect} lists what else is thrown.
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
  handler?: Handler,
): Promise<WebSocketConnection> {
  checkOptions<HandshakeOptions>("connectOver()", options, handshakeOptionChecks);
  const plan = makeHandshakePlan(url, options);
  const resolved = resolveOptionalHandler("connectOver()", handler, options.discardMessages);
  return await withTimeout(
    options,
    (signal) => openWebSocket(toTransport(conn), plan, signal, resolved),
  );
}
