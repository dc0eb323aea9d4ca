import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** A connection is open. */
export interface ReconnectOpenEvent {
  /** What this is. */
  type: "open";
  /** Which attempt it was: 1 for the first, and for the first after a stable connection. */
  attempt: number;
  /** The connection, for its `protocol`, its `ping()` and the like. Its messages come here. */
  connection: WebSocketConnection;
}

/** A message has come. */
export interface ReconnectMessageEvent {
  /** What this is. */
  type: "message";
  /** The message: a string where it's text, else bytes. */
  data: Message;
}

/** A connection has ended, or an attempt has failed. */
export interface ReconnectCloseEvent {
  /** What this is. */
  type: "close";
  /** Which attempt it was. */
  attempt: number;
  /** How it ended: 1006 with an `error` where the attempt has failed. */
  info: CloseInfo;
  /** How long it will be until the next attempt, in milliseconds; `undefined` where there is none. */
  retryIn: number | undefined;
}

/** What the iterator of a {@linkcode ReconnectingWebSocket} gives. */
export type ReconnectEvent = ReconnectOpenEvent | ReconnectMessageEvent | ReconnectCloseEvent;

type Result = IteratorResult<ReconnectEvent, undefined>;

/**
 * The events on their way to whoever iterates. It holds what one connection had left over at most, and
 * of what happens while nobody reads, only the last: so it stays small by itself.
 */
export class ReconnectEvents implements AsyncIterableIterator<ReconnectEvent, undefined> {
  #queue: ReconnectEvent[] = [];
  #waiting: ((result: Result) => void)[] = [];
  #hasEnded = false;
  #changed: (() => void) | undefined;

  /** Whether somebody has asked for more than there is. */
  get isWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether no message waits. */
  get isRead(): boolean {
    return !this.#queue.some(({ type }) => type === "message");
  }

  /** Adds an event. */
  push(event: ReconnectEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting({ done: false, value: event });
    if (event.type === "close") {
      // A connection that was over before anybody read of it, and had nothing to say, is not told of;
      // nor is a failure before another one.
      if (this.#queue.at(-1)?.type === "open") this.#queue.pop();
      if (this.#queue.at(-1)?.type === "close") this.#queue.pop();
    }
    this.#queue.push(event);
  }

  /** No further event will come; those in the queue are still given. */
  end(): void {
    this.#hasEnded = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }

  /** Resolves once the condition holds; it's looked at with every `next()` and `look()`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed = resolve);
  }

  /** Makes `until()` look. */
  look(): void {
    this.#changed?.();
    this.#changed = undefined;
  }

  /** The next event. */
  next(): Promise<Result> {
    const value = this.#queue.shift();
    const result: Result | undefined = value !== undefined
      ? { done: false, value }
      : this.#hasEnded
      ? { done: true, value }
      : undefined;
    const promise = result === undefined
      ? new Promise<Result>((resolve) => this.#waiting.push(resolve))
      : Promise.resolve(result);
    this.look();
    return promise;
  }

  /** The reader leaves; what comes waits for the next one. */
  return(): Promise<Result> {
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}
