import { checkCallbacks, show } from "../util/options.ts";
import { CallbackConsumer } from "./callback_consumer.ts";
import { coreOf } from "./connection.ts";
import type { SocketHandler, WebSocketConnection } from "./connection.ts";
import type { ConnectionStart } from "./connection_settings.ts";
import { CALLBACK_NAMES } from "./socket_handler.ts";

/**
 * A handler that serves one connection. When it returns, the connection closes with 1000; when it
 * throws, with 1011.
 *
 * So a function that returns at once, such as `(socket) => void socket.send("Hi")`, ends the connection
 * after its messages have been sent. To keep the connection, await its messages, or `socket.closed`.
 */
export type SocketFunction<Data = unknown> = (
  socket: WebSocketConnection<Data>,
) => void | Promise<void>;

/** A handler of connections: a function, or an object of callbacks. */
export type Handler<Data = unknown> = SocketFunction<Data> | SocketHandler<Data>;

/** A handler, checked: one consumer calls the callbacks of all its connections. */
export type ResolvedHandler<Data> =
  | SocketFunction<Data>
  | CallbackConsumer<WebSocketConnection<Data>>;

/**
 * Checks a handler.
 *
 * @param owner The function that takes the handler, such as `serve()`.
 * @throws {TypeError} If it is neither a function nor an object, or has an unknown callback.
 */
export function resolveHandler<Data>(owner: string, handler: Handler<Data>): ResolvedHandler<Data> {
  if (typeof handler === "function") return handler;
  if (typeof handler !== "object" || handler === null) {
    throw new TypeError(
      `Cannot use handler of ${owner}: expected a handler, a function or an object of callbacks, ` +
        `got ${show(handler)}`,
    );
  }
  checkCallbacks(owner, handler, CALLBACK_NAMES);
  return new CallbackConsumer(handler);
}

/**
 * Starts a connection with its handler.
 *
 * @param onReturned Called when a handler function has returned, or has thrown.
 */
export function startWithHandler<Data>(
  socket: WebSocketConnection<Data>,
  start: Pick<ConnectionStart<WebSocketConnection<Data>>, "answer" | "early">,
  handler: ResolvedHandler<Data>,
  onReturned?: (socket: WebSocketConnection<Data>) => void,
): void {
  const core = coreOf(socket);
  if (typeof handler !== "function") return core.start({ ...start, consumer: handler });
  core.start({
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
    coreOf(socket).finish();
  } catch (error) {
    coreOf(socket).handlerFailed(error);
  }
  onReturned?.(socket);
}
