import { checkCallbacks, isGenerator, show } from "../util/options.ts";
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
 * @param discards Whether received messages are dropped: the option `discardMessages`.
 * @throws {TypeError} If it is neither a function nor an object, or has an unknown callback, or one for
 * messages that are dropped.
 */
export function resolveHandler<Data>(
  owner: string,
  handler: Handler<Data>,
  discards = false,
): ResolvedHandler<Data> {
  if (typeof handler === "function" && !isGenerator(handler)) return handler;
  if (typeof handler !== "object" || handler === null) {
    throw new TypeError(
      `Cannot use handler of ${owner}: expected a handler, a function or an object of callbacks, ` +
        `got ${show(handler)}`,
    );
  }
  checkCallbacks(owner, handler, CALLBACK_NAMES);
  if (discards && handler.message !== undefined) {
    throw new TypeError(
      `Cannot use discardMessages of ${owner}: expected a handler without a callback for messages`,
    );
  }
  return new CallbackConsumer(handler);
}

/** Checks a handler as {@linkcode resolveHandler} does, if there is one. */
export function resolveOptionalHandler<Data>(
  owner: string,
  handler: Handler<Data> | undefined,
  discards?: boolean,
): ResolvedHandler<Data> | undefined {
  return handler === undefined ? undefined : resolveHandler(owner, handler, discards);
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
  const core = coreOf(socket);
  core.isHandled = true;
  try {
    await handler(socket);
    core.finish();
  } catch (error) {
    core.handlerFailed(error);
  }
  core.isHandled = false;
  core.updateMemoryUsage();
  onReturned?.(socket);
}
