import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "./close_info.ts";

/**
 * The members of a connection that its {@linkcode MessageConsumer} uses.
 *
 * @typeParam Socket The type of the connection as the application has it.
 */
export interface ConsumedConnection<Socket = unknown> {
  /** The connection as the application has it. */
  readonly socket: Socket;
  /** Whether our Close frame has not been sent and the transport is open. */
  readonly isOpen: boolean;
  /** Whether `close()` has been called, or the closing handshake has begun. */
  readonly isClosing: boolean;
  /** Resumes the actions that wait for an idle consumer: reading, writing, the answer to a Close. */
  onIdle(): void;
  /** Closes the connection with 1011, because a callback has thrown. */
  handlerFailed(error: unknown): void;
  /** Passes an error to the option `onError`. */
  reportError(error: unknown): void;
}

/**
 * Takes the received messages of a connection. There are three kinds: `CallbackConsumer`,
 * `MessageQueue` and `MessageStreams`.
 */
export interface MessageConsumer<Socket = unknown> {
  /** Whether there is no room for more messages. */
  readonly isFull: boolean;
  /** Whether all messages have been processed. */
  readonly isIdle: boolean;
  /** Whether a caller processes a message, and may still reply to it: a Close frame of ours waits. */
  readonly mayReply: boolean;
  /** Whether it is done with the bytes of a message when `message()` returns. */
  readonly borrows?: boolean;
  /** The memory usage of unread messages, in bytes. */
  readonly memoryUsage: number;
  /**
   * Takes a message.
   *
   * @param chunk The array that the message is a view of, if it is known.
   * @returns Whether there is room for more.
   */
  message(message: Message, connection: ConsumedConnection<Socket>, chunk?: Uint8Array): boolean;
  /** The application waits for the end of the connection: it replies to no message any more. */
  release?(): void;
  /** A chunk has been decoded to its end: frees it, if unread messages would keep it in memory. */
  compact?(): void;
  /** The connection is open. */
  onOpen?(connection: ConsumedConnection<Socket>): void;
  /** The send queue, which was above its high-water mark, is below it again. */
  onDrain?(connection: ConsumedConnection<Socket>): void;
  /** The connection has failed, or a callback has thrown; `onClose()` follows. */
  onError?(error: unknown, connection: ConsumedConnection<Socket>): void;
  /** The rest of a message, of which parts have been passed on, will not be received. */
  cut?(error: unknown): void;
  /** The connection is closed. */
  onClose?(info: CloseInfo, connection: ConsumedConnection<Socket>): void;
}
