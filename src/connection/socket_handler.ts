import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "./close_info.ts";

/**
 * The callbacks of a connection: the fastest way to receive messages. None is awaited. A callback that
 * throws, or whose promise rejects, closes the connection with 1011.
 *
 * @typeParam Socket The type of the connection, which each callback gets as its first argument.
 */
export interface Callbacks<Socket> {
  /** The connection is open. */
  open?(socket: Socket): unknown;
  /** A message has been received. */
  message?(socket: Socket, message: Message): unknown;
  /** The send queue, which was above its high-water mark, is below it again. */
  drain?(socket: Socket): unknown;
  /** The connection has ended. */
  close?(socket: Socket, info: CloseInfo): unknown;
  /**
   * The peer has broken the protocol or a limit, or a callback has thrown. `close` follows, unless it
   * is `close` itself that has thrown.
   */
  error?(socket: Socket, error: unknown): unknown;
}

/** The names of the callbacks. */
export const CALLBACK_NAMES: readonly (keyof Callbacks<unknown>)[] = [
  "open",
  "message",
  "drain",
  "close",
  "error",
];
