import { callGuarded, onRejected } from "../util/promises.ts";
import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConsumedConnection, MessageConsumer } from "./message_consumer.ts";
import type { Callbacks } from "./socket_handler.ts";

/**
 * Passes messages to callbacks as they are received. One object serves all connections with the same
 * callbacks, because it has no state per connection.
 */
export class CallbackConsumer<Socket> implements MessageConsumer<Socket> {
  /** Callbacks accept every message at once. The application applies backpressure with `ready`. */
  readonly isFull = false;
  /** A callback is done with a message when it returns: its promise is not awaited. */
  readonly isIdle = true;
  readonly mayReply = false;
  readonly memoryUsage = 0;
  /** A callback may be given bytes that are valid until it returns: the option `payload`. */
  readonly borrows = true;
  readonly #callbacks: Callbacks<Socket>;

  constructor(callbacks: Callbacks<Socket>) {
    this.#callbacks = callbacks;
  }

  message(message: Message, connection: ConsumedConnection<Socket>): true {
    const callbacks = this.#callbacks;
    if (callbacks.message === undefined || connection.isClosing) return true;
    try {
      const result = callbacks.message(connection.socket, message);
      if (result !== undefined) onRejected(result, (error) => connection.handlerFailed(error));
    } catch (error) {
      connection.handlerFailed(error);
    }
    return true;
  }

  onOpen(connection: ConsumedConnection<Socket>): void {
    call(connection, () => this.#callbacks.open?.(connection.socket));
  }

  onDrain(connection: ConsumedConnection<Socket>): void {
    call(connection, () => this.#callbacks.drain?.(connection.socket));
  }

  onClose(info: CloseInfo, connection: ConsumedConnection<Socket>): void {
    call(connection, () => this.#callbacks.close?.(connection.socket, info));
  }

  /** A failing `error` callback is reported as well. It does not close the connection. */
  onError(error: unknown, connection: ConsumedConnection<Socket>): void {
    callGuarded(
      () => this.#callbacks.error?.(connection.socket, error),
      (thrown) => connection.reportError(thrown),
    );
  }
}

function call(connection: ConsumedConnection, callback: () => unknown): void {
  callGuarded(callback, (error) => connection.handlerFailed(error));
}
