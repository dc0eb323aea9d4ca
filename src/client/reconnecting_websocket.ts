import { encodeClosePayload } from "../protocol/close_code.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { Backoff, isFinalClose, sleep } from "./reconnect_backoff.ts";
import type { BackoffOptions } from "./reconnect_backoff.ts";
import { connect, makePlan } from "./connect.ts";
import type { ConnectOptions } from "./connect.ts";
import { ReadyState } from "../connection/ready_state.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Sendable } from "../connection/sendable.ts";
import { ask, unlessAborted } from "./per_attempt.ts";
import type { PerAttempt } from "./per_attempt.ts";
import { ReconnectEvents } from "./reconnect_events.ts";
import type { ReconnectEvent } from "./reconnect_events.ts";
import { ReconnectQueue } from "./reconnect_queue.ts";

/** Options of {@linkcode ReconnectingWebSocket}, next to those of each attempt. */
export interface ReconnectOptions extends Omit<ConnectOptions, "headers">, BackoffOptions {
  /**
   * Header fields to add to the request; a function is asked anew for each attempt, so that a token
   * may be refreshed.
   *
   * @default {[]} none
   */
  headers?: PerAttempt<HeaderFields>;
  /**
   * Whether a close, or a failed attempt (1006, with its `error`), is the end of it.
   *
   * @default {isFinalClose}
   */
  isFinal?: (info: CloseInfo) => boolean;
  /**
   * How much of what is sent while there is no connection to keep for the next one, in bytes, frame
   * headers included; at most `limits.maxBufferedAmount`. What doesn't fit is rejected.
   *
   * @default {0} none: it's all rejected
   */
  maxQueueSize?: number;
  /**
   * Ends it, as `close(1001)` does.
   *
   * @default {undefined} none
   */
  signal?: AbortSignal;
  /**
   * Resolves after so many milliseconds, or early where the signal aborts. It's an option for tests.
   *
   * @default {undefined} a timer
   */
  delay?: (ms: number, signal: AbortSignal) => Promise<void>;
  /**
   * The time in milliseconds, from any point on. It's an option for tests.
   *
   * @default {undefined} performance.now
   */
  now?: () => number;
}

/**
 * A client's WebSocket that is opened again whenever it was lost, with exponential backoff and full
 * jitter, until a close is final, the attempts are used up, or you close it.
 *
 * Iterate it: there is one loop for all of its life, and what happens to the connection is told between
 * the messages, where it happened. So the place to subscribe, or to catch up, is the `open` event, and
 * no callback runs while the loop is busy with something else. Backpressure holds: a loop that is busy
 * holds the peer back, and while messages of an earlier connection have not been read no other is made.
 * The loop may be left and begun again; it ends after the last `close` event.
 *
 * A message that was sent is not known to have arrived: where that matters, number yours, have them
 * acknowledged, and send again what wasn't.
 *
 * @example
 * ```ts
 * import { ReconnectingWebSocket, serve } from "@sluice/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * let visits = 0;
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
 *   await socket.send(`visit ${++visits}`);
 *   await socket.close(visits === 1 ? 1012 : 1000); // A restart, at first.
 * });
 * const { port } = server.addr as { port: number };
 *
 * const socket = new ReconnectingWebSocket(`ws://127.0.0.1:${port}/`, { initialDelay: 10 });
 * const log: unknown[] = [];
 * for await (const event of socket) {
 *   if (event.type === "open") log.push("open");
 *   if (event.type === "message") log.push(event.data);
 *   if (event.type === "close") log.push(event.info.closeCode);
 * }
 * assertEquals(log, ["open", "visit 1", 1012, "open", "visit 2", 1000]);
 * ```
 */
export class ReconnectingWebSocket implements AsyncIterable<ReconnectEvent>, AsyncDisposable {
  readonly #url: PerAttempt<string | URL>;
  readonly #options: ReconnectOptions;
  readonly #backoff: Backoff;
  readonly #now: () => number;
  readonly #events = new ReconnectEvents();
  readonly #queue: ReconnectQueue;
  /** Aborts when there is to be no further attempt. */
  readonly #stop = new AbortController();
  readonly #closed = Promise.withResolvers<CloseInfo>();
  readonly #onAbort = (): void => void this.close(1001);
  #connection: WebSocketConnection | undefined;
  #last: CloseInfo = { closeCode: 1006, reason: "", wasClean: false };

  /**
   * Starts to connect.
   *
   * @param url Where to, as for {@linkcode connect}; a function is asked anew for each attempt, and
   * where it throws, that attempt has failed.
   * @param options What {@linkcode connect} takes, for each attempt, and more.
   * @throws {DOMException} a `SyntaxError` where the URL or a subprotocol is malformed.
   * @throws {TypeError} where a header is malformed.
   * @throws {RangeError} where a limit, or a number of these options, is out of range.
   */
  constructor(url: PerAttempt<string | URL>, options: ReconnectOptions = {}) {
    this.#url = url;
    this.#options = options;
    this.#backoff = new Backoff(options);
    this.#now = options.now ?? (() => performance.now());
    const { headers, signal, maxQueueSize = 0 } = options;
    // What is a mistake at every attempt is one now.
    const { limits } = makePlan(typeof url === "function" ? "ws://localhost" : url, {
      ...options,
      headers: typeof headers === "function" ? [] : headers,
    } as ConnectOptions);
    this.#queue = new ReconnectQueue(maxQueueSize, limits.maxBufferedAmount);
    if (signal?.aborted) this.#stop.abort();
    else signal?.addEventListener("abort", this.#onAbort);
    this.#run().catch((error) => {
      // A function of the options has thrown.
      this.#last = { closeCode: 1006, reason: "", wasClean: false, error };
      this.#finish();
      this.#events.end();
    });
  }

  /** The connection, while there is one that's open. */
  get connection(): WebSocketConnection | undefined {
    return this.#connection?.readyState === ReadyState.Open ? this.#connection : undefined;
  }

  /** How many bytes wait: in the connection's queue, or for the next connection. */
  get bufferedAmount(): number {
    return this.#queue.size + (this.#connection?.bufferedAmount ?? 0);
  }

  /**
   * Resolves when it's over for good, to how the last connection ended, or the last attempt failed; it
   * never rejects. A connection whose messages nobody reads may never end.
   */
  get closed(): Promise<CloseInfo> {
    return this.#closed.promise;
  }

  /**
   * Sends a message: text for a string, else binary. The bytes are copied before `send()` returns.
   *
   * While there is no connection, it's kept for the next one, as far as `maxQueueSize` lets it; there it
   * goes out before all else.
   *
   * @returns a promise that resolves once there is room for more in the connection's queue: await it,
   * and a slow peer slows you down. It rejects with an `InvalidStateError` where there is no connection
   * and the queue has no room, and where it's over; nobody has to look at that.
   * @throws {TypeError} where `data` is something else.
   */
  send(data: Sendable): Promise<void> {
    const { connection } = this;
    if (connection !== undefined) return connection.send(data);
    return this.#queue.add(data);
  }

  /**
   * Ends it: closes the connection, where there is one, and makes no other. Without effect the second
   * time.
   *
   * @param code Why: 1000-1003, 1007-1014 or 3000-4999; none is sent where left out.
   * @param reason More of it, for people: at most 123 bytes of UTF-8.
   * @returns `closed`.
   * @throws {RangeError} where the code may not be sent.
   * @throws {TypeError} where there is a reason without a code.
   * @throws {DOMException} a `SyntaxError` where the reason is too long.
   */
  close(code?: number, reason?: string): Promise<CloseInfo> {
    encodeClosePayload(code, reason);
    this.#stop.abort();
    this.#events.look();
    void this.#connection?.close(code, reason);
    return this.closed;
  }

  /** What happens, one after the other: see {@linkcode ReconnectEvent}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReconnectEvent, undefined> {
    return this.#events;
  }

  /** `close(1000)`, so that `await using` ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000);
  }

  /** Makes one attempt after the other. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { delay = sleep } = this.#options;
    while (!signal.aborted) {
      const retryIn = await this.#attempt(signal);
      if (retryIn === undefined) break;
      await delay(retryIn, signal);
      await this.#events.until(() => signal.aborted || this.#events.isRead);
    }
    this.#finish();
    this.#events.end();
  }

  /** From the beginning of one attempt to its end; gives the time until the next one. */
  async #attempt(signal: AbortSignal): Promise<number | undefined> {
    const { attempt } = this.#backoff;
    let connection: WebSocketConnection;
    try {
      connection = await this.#connect(signal);
    } catch (error) {
      // What was given up has not failed.
      if (signal.aborted) return undefined;
      const info = { closeCode: 1006, reason: "", wasClean: false, error };
      const retryIn = this.#judge(info, undefined);
      this.#events.push({ type: "close", attempt, info, retryIn });
      return retryIn;
    }
    const openedAt = this.#now();
    // Not when the reader gets there: who waits for `closed` need not read, and a reader that takes its
    // time makes no connection stable.
    const ended = connection.closed.then((info) => {
      this.#connection = undefined;
      this.#events.look();
      return { info, retryIn: this.#judge(info, this.#now() - openedAt) };
    });
    ended.catch(() => {}); // It's awaited below.
    this.#connection = connection;
    this.#queue.flush(connection);
    this.#events.push({ type: "open", attempt, connection });
    await this.#deliver(connection);
    const { info, retryIn } = await ended;
    this.#events.push({ type: "close", attempt, info, retryIn });
    return retryIn;
  }

  async #connect(signal: AbortSignal): Promise<WebSocketConnection> {
    const { headers, ...options } = this.#options;
    const [url, fields] = await unlessAborted(
      Promise.all([ask(this.#url, "URL"), ask(headers ?? [], "headers")]),
      signal,
    );
    const connection = await connect(url, { ...options, headers: fields, signal });
    if (signal.aborted) {
      connection.abort();
      throw signal.reason;
    }
    return connection;
  }

  /** Hands the messages on, as fast as they are read. */
  async #deliver(connection: WebSocketConnection): Promise<void> {
    const messages = connection[Symbol.asyncIterator]();
    while (true) {
      // What is left of a connection that has ended is bounded: the next one need not wait for it.
      await this.#events.until(() => this.#events.isWanted || this.#connection !== connection);
      const { done, value } = await messages.next();
      if (done) return;
      this.#events.push({ type: "message", data: value });
    }
  }

  /** How long to wait until the next attempt; `undefined` where that was the end. */
  #judge(info: CloseInfo, openFor: number | undefined): number | undefined {
    const { isFinal = isFinalClose } = this.#options;
    this.#last = info;
    const retryIn = this.#stop.signal.aborted || isFinal(info)
      ? undefined
      : this.#backoff.next(openFor);
    if (retryIn === undefined) this.#finish();
    return retryIn;
  }

  /** There will be no further attempt. */
  #finish(): void {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#queue.close();
    this.#closed.resolve(this.#last);
  }
}
