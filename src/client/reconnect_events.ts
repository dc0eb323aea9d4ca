import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { AsyncQueue } from "../util/async_queue.ts";

/**
 * A connection has opened.
 *
 * @typeParam Connection The type of the connection.
 */
export interface ReconnectOpenEvent<Connection = WebSocketConnection> {
  /** The kind of event. */
  type: "open";
  /** The number of the attempt: 1 for the first one, and for the first one after a stable connection. */
  attempt: number;
  /**
   * The connection, for its `protocol` and its `ping()`, for example. Its messages are `message`
   * events.
   */
  connection: Connection;
}

/** A message was received. */
export interface ReconnectMessageEvent {
  /** The kind of event. */
  type: "message";
  /** The message: a string for text, else bytes. */
  data: Message;
}

/** A connection has closed, or an attempt has failed. */
export interface ReconnectCloseEvent {
  /** The kind of event. */
  type: "close";
  /** The number of the attempt. */
  attempt: number;
  /** How the connection closed; 1006 with an `error` if the attempt failed. */
  info: CloseInfo;
  /** The delay before the next attempt, in milliseconds; `undefined` if there will be none. */
  retryIn: number | undefined;
}

/**
 * An event of a {@linkcode ReconnectingWebSocket}, returned by its iterator.
 *
 * @typeParam Connection The type of the connection of an `open` event.
 */
export type ReconnectEvent<Connection = WebSocketConnection> =
  | ReconnectOpenEvent<Connection>
  | ReconnectMessageEvent
  | ReconnectCloseEvent;

/**
 * The queue of events. It needs no limit: it holds at most the unread messages of one connection, and
 * of the connections and attempts after it, only the events of the last one.
 */
export class ReconnectEvents<Connection = WebSocketConnection>
  extends AsyncQueue<ReconnectEvent<Connection>> {
  #unread = 0;
  #onChange: (() => void) | undefined;

  /** Whether the queue holds a message. */
  get hasMessages(): boolean {
    return this.#unread > 0;
  }

  /** Adds an event; a `close` event replaces events that it makes useless. */
  override push(event: ReconnectEvent<Connection>): boolean {
    if (event.type === "close") {
      // An unread `open` without messages, and an unread failure before this one, say nothing more.
      for (const useless of ["open", "close"]) if (this.at(-1)?.type === useless) this.pop();
    }
    const isTaken = super.push(event);
    if (!isTaken && event.type === "message") this.#unread++;
    return isTaken;
  }

  /** Removes and returns the oldest event. */
  override poll(): ReconnectEvent<Connection> | undefined {
    const event = super.poll();
    if (event?.type === "message") this.#unread--;
    return event;
  }

  /** Iterator: the next event. */
  override next(): Promise<IteratorResult<ReconnectEvent<Connection>, undefined>> {
    const result = super.next();
    this.recheck();
    return result;
  }

  /** Resolves once a condition holds; it is evaluated with every `next()` and `recheck()`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#onChange = resolve);
  }

  /** Has `until()` evaluate its condition. */
  recheck(): void {
    this.#onChange?.();
    this.#onChange = undefined;
  }
}
