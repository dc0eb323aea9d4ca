import type { CloseInfo } from "../connection/close_info.ts";
import type { Sendable } from "../connection/sendable.ts";
import type { Message, OutgoingMessage } from "../protocol/message.ts";

/**
 * An open connection, as a ReconnectingWebSocket uses it: {@linkcode ConnectionTarget} for a
 * WebSocketConnection, {@linkcode BrowserConnection} for a browser's WebSocket.
 */
export interface ReconnectTarget<Connection> {
  /** The connection that the application is given. */
  readonly connection: Connection;
  /** Whether neither side has begun to close. */
  readonly isOpen: boolean;
  /** Whether it is open, and no Close frame of the peer has been received. */
  readonly takesMessages: boolean;
  /** The size of its unsent messages, in bytes. */
  readonly bufferedAmount: number;
  /** Resolves when the connection has closed; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Whether its send queue is below the high-water mark, and has room for the message. */
  hasRoomFor(message: OutgoingMessage): boolean;
  /** Sends a message. Its promise is not used if `whenWritten()` is: ignoring it is safe. */
  send(message: Sendable): Promise<void>;
  /** Resolves when all messages are written; rejects if the connection has closed before. */
  whenWritten(): Promise<void>;
  /** The messages; a loop may be left, and entered again. */
  messages(): AsyncIterator<Message, undefined>;
  /** Closes the connection. */
  close(code: number | undefined, reason: string | undefined): void;
  /** Closes the connection if a message has no room; without this, the message alone is rejected. */
  readonly closeForOverflow?: (() => void) | undefined;
  /** Ends the connection without a closing handshake. */
  abort(): void;
}

/** A connection that an attempt has opened. */
export interface ReconnectAttempt<Connection> {
  /** The connection. */
  readonly target: ReconnectTarget<Connection>;
  /** The message to send before all others, if there is one. */
  readonly firstMessage: Sendable | undefined;
}

/** Opens the connections of a ReconnectingWebSocket, on one platform. */
export interface ReconnectDialer<Connection> {
  /** The capacity of a connection's send queue, in bytes. */
  readonly maxBufferedAmount: number;
  /** The close code if the caller's signal aborts: 1001, if the platform may send it. */
  readonly goingAway?: number;
  /**
   * Makes one attempt.
   *
   * @param signal Ends the attempt.
   * @throws {unknown} Why it has failed, or the reason of the signal.
   */
  connect(signal: AbortSignal): Promise<ReconnectAttempt<Connection>>;
  /** Returns whether another attempt would be in vain, by default. */
  isFinal(info: CloseInfo): boolean;
  /**
   * Returns the delay in milliseconds that the error of a failed attempt asks for; 0 if it asks for none. A
   * browser does not show the response of a failed attempt.
   */
  retryAfter?(error: unknown): number;
  /** Gets the timer of a delay, which need not keep a process alive. */
  onTimer?(id: unknown): void;
}
