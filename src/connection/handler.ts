import { checkCallbacks, show } from "../util/options.ts";
import { failConnection, finishConnection, startConnection } from "./connection.ts";
import type { SocketHandler, WebSocketConnection } from "./connection.ts";
import type { ConnectionStart } from "./connection_settings.ts";
import { CALLBACK_NAMES } from "./socket_handler.ts";

/**
 * A handler that serves one connection. When it returns, the connection closes with 1000; when it
 * throws, with 1011.
 *
 * A function that returns at once, such as `(socket) => void socket.send("Hi")`, so ends the connection
 * after what it has sent. To keep the connection, await its messages, or `socket.closed`.
 */
export type SocketFunction<Data = unknown> = (
  socket: WebSocketConnection<Data>,
) => void | Promise<void>;

/** A handler of connections: a function, or an object of callbacks. */
export type Handler<Data = unknown> = SocketFunction<Data> | SocketHandler<Data>;

/**
 * Checks a handler.
 *
 * @param owner The function that takes the handler, such as `serve()`.
 * @throws {TypeError} If it is neither a function nor an object, or has an unknown callback.
 */
export function checkHandler(owner: string, handler: unknown): void {
  if (typeof handler === "function") return;
  if (typeof handler !== "object" || handler === null) {
    throw new TypeError(
      `Cannot use handler of ${owner}: expected a handler, a function or an object of callbacks, ` +
        `got ${show(handler)}`,
    );
  }
  checkCallbacks(owner, handler, CALLBACK_NAMES);
}

/**
 * Starts a connection with its handler.
 *
 * @param onReturned Called when a handler function has returned, or has thrown.
 */
export function startWithHandler<Data>(
  socket: WebSocketConnection<Data>,
  start: Pick<ConnectionStart<WebSocketConnection<Data>>, "answer" | "early">,
  handler: Handler<Data>,
  onReturned?: (socket: WebSocketConnection<Data>) => void,
): void {
  if (typeof handler !== "function") return startConnection(socket, { ...start, handler });
  startConnection(socket, {
    ...start,
    opened: () => void run(socket, handler, onReturned),
  });
}

async function run<Data>(
  socket: WebSocketConnection<Data>,
  handler: SocketFunction<Data>,
  onReturned: ((socket: WebSocketConnection<Data>) => void) | undefined,
): Promise<void> {
  try {
    await handler(socket);
    finishConnection(socket);
  } catch (error) {
    failConnection(socket, error);
  }
  onReturned?.(socket);
}
