import { HandshakeError } from "../http/errors.ts";
import { toTransport } from "../transport/runtime.ts";
import type { Conn } from "../transport/runtime.ts";
import { startConnection } from "../connection/connection.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { resolveAcceptOptions } from "./accept_options.ts";
import type { AcceptOptions } from "./accept_options.ts";
import { connectionSettings, ServerHandshake } from "./server_handshake.ts";

/**
 * Makes a WebSocket of a TCP connection from your own listener: performs the opening handshake on it,
 * as a server.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}: on Bun, listen with `bunSocketHandler()`.
 * @param options The options of `serve()` that concern one connection.
 * @returns The connection, when it is open.
 * @throws {HandshakeError} If the request is refused; the client has been answered.
 * @throws {HandshakeError} With code `ERR_HANDSHAKE_LEFT` if the client leaves before that.
 *
 * @example
 * ```ts ignore
 * import { accept } from "@sluice/websocket";
 *
 * for await (const conn of Deno.listen({ port: 8080 })) {
 *   accept(conn).then((socket) => socket.send("hello"), console.error);
 * }
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export function accept<Data = unknown>(
  conn: Conn,
  options: AcceptOptions<Data> = {},
): Promise<WebSocketConnection<Data>> {
  const config = resolveAcceptOptions(options);
  return new Promise((resolve, reject) => {
    new ServerHandshake<Data>(toTransport(conn), config, {
      open(socket, response, early) {
        startConnection(socket, { answer: response, early });
        resolve(socket);
      },
      refused: reject,
      closed(cause) {
        reject(
          new HandshakeError("The peer left before the opening handshake was done", {
            code: "ERR_HANDSHAKE_LEFT",
            cause,
          }),
        );
      },
      connectionSettings: connectionSettings(config, {
        budget: undefined,
        onError() {}, // The error is in `closed`.
        onClosed: undefined,
      }),
    });
  });
}
