import type { Message } from "../protocol/message.ts";
import type { WebSocketConnection } from "./connection.ts";
import type { CloseInfo } from "./endpoint.ts";

/**
 * A connection's callbacks: the fastest way to be told of messages. None is awaited; one that
 * throws, or whose promise rejects, closes the connection with 1011.
 */
export interface SocketHandler<Data = unknown> {
  /** The connection is open. */
  open?(socket: WebSocketConnection<Data>): unknown;
  /** A message has come. */
  message?(socket: WebSocketConnection<Data>, message: Message): unknown;
  /** The outgoing queue, which was above its high-water mark, is below it again. */
  drain?(socket: WebSocketConnection<Data>): unknown;
  /** The connection has ended. */
  close?(socket: WebSocketConnection<Data>, info: CloseInfo): unknown;
  /** The peer broke the protocol or a limit, or a callback has thrown; `close` follows. */
  error?(socket: WebSocketConnection<Data>, error: unknown): unknown;
}
