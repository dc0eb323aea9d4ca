import { HandshakeError } from "../http/errors.ts";
import { toTransport } from "../transport/runtime.ts";
import type { Conn } from "../transport/runtime.ts";
import { coreOf } from "../connection/connection.ts";
import { resolveOptionalHandler, startWithHandler } from "../connection/handler.ts";
import type { Handler, ResolvedHandler } from "../connection/handler.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { checkOptions } from "../util/options.ts";
import { acceptOptionChecks, resolveAcceptOptions } from "./accept_options.ts";
import type {
  AcceptConfig,
  AcceptOptions,
  UpgradeData,
  UpgradeHandler,
  UpgradeResult,
} from "./accept_options.ts";
import { reportError } from "../connection/report_error.ts";
import { HttpConnection } from "./http_connection.ts";
import { connectionSettings } from "./http_connection_handler.ts";

/**
 * Performs the opening handshake on a TCP connection from your own listener, as a server.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}: on Bun, listen with `bunSocketHandler()`.
 * @param options The options of `serve()` that concern one connection.
 * @param handler A function that serves the connection, or an object of callbacks, as of `serve()`.
 * Its errors are printed with `console.error`. Without it, read the connection that is returned.
 * @returns The connection, when it is open.
 * @throws {TypeError} If an option or a callback is unknown or malformed.
 * @throws {HandshakeError} If the request is refused; the client has been answered.
 * @throws {HandshakeError} With code `ERR_HANDSHAKE_LEFT` if the client disconnects before that.
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
export function accept<
  Data = unknown,
  Result extends UpgradeResult<Data> = UpgradeResult<Data>,
>(
  conn: Conn,
  options?: Omit<AcceptOptions, "upgrade"> & UpgradeHandler<Result>,
  handler?: Handler<UpgradeData<Result, Data>>,
): Promise<WebSocketConnection<UpgradeData<Result, Data>>>;
export function accept<Data>(
  conn: Conn,
  options: AcceptOptions<Data> = {},
  handler?: Handler<Data>,
): Promise<WebSocketConnection<Data>> {
  checkOptions<AcceptOptions>("accept()", options, acceptOptionChecks);
  const resolved = resolveOptionalHandler("accept()", handler, options.discardMessages);
  const config = resolveAcceptOptions(options);
  // Without a handler, the caller finds the error in `closed`.
  const onError = (error: unknown) => handler === undefined || reportError(undefined, error);
  return acceptWith(conn, config, resolved, onError);
}

/**
 * Performs the opening handshake, and starts the connection with its handler.
 *
 * @param handler The checked handler; without one, the caller reads the connection.
 * @param onError Receives the errors of the open connection.
 */
export function acceptWith<Data>(
  conn: Conn,
  config: AcceptConfig<Data>,
  handler: ResolvedHandler<Data> | undefined,
  onError: (error: unknown) => void,
): Promise<WebSocketConnection<Data>> {
  return new Promise((resolve, reject) => {
    const connection = new HttpConnection<Data>(toTransport(conn), config, {
      open(socket, response, early) {
        const start = { answer: response, early };
        if (handler === undefined) coreOf(socket).start(start);
        else startWithHandler(socket, start, handler);
        resolve(socket);
      },
      refused: reject,
      failed: reject,
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
        onError,
        onClosed: undefined,
      }),
    });
    connection.start();
  });
}
