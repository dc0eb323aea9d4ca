import { encodeClosePayload } from "../protocol/close_code.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Sendable } from "../connection/sendable.ts";
import { checkTimeout } from "../util/abort.ts";
import { checkOptions } from "../util/options.ts";
import { ConnectDialer } from "./connect_dialer.ts";
import type { PerAttempt } from "./per_attempt.ts";
import { ReconnectCore } from "./reconnect_core.ts";
import type { ReconnectClock } from "./reconnect_core.ts";
import type { ReconnectEvent } from "./reconnect_events.ts";
import { reconnectOptionChecks } from "./reconnect_options.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";

/**
 * A client's WebSocket that reconnects when the connection is lost, with exponential backoff and full
 * jitter, until a close is final, the attempts are used up, or the application closes it.
 *
 * It is iterated: one loop covers all connections, and `open` and `close` events come between the
 * messages, in the order in which they happened. Subscribe, or catch up, at the `open` event. There are
 * no callbacks, so nothing runs while the loop is busy. Backpressure applies: a busy loop stops reading
 * from the peer, and no new connection is made while messages of an earlier one are unread. The loop may
 * be left and entered again; it ends after the last `close` event.
 *
 * Messages are sent in order, each on one connection. `send()` resolves when the message is written, that
 * is, handed to the system, on a connection on which no Close frame of the server had been received. From
 * then on, messages wait for the next connection, as far as `maxQueueSize` has room for them. A written
 * message may still be lost: TCP does not report whether the peer has read it, and a server that closes
 * drops what is on the way. If that matters, number the messages, have the server acknowledge them, and
 * send those again that it has not acknowledged.
 *
 * @example
 * ```ts
 * import { ReconnectingWebSocket, serve } from "@sluice/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * let visits = 0;
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
 *   await socket.send(`visit ${++visits}`);
 *   await socket.close(visits === 1 ? 1012 : 1000); // The first time, a restart.
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
  readonly #dialer: ConnectDialer;
  readonly #core: ReconnectCore<WebSocketConnection>;

  /**
   * Starts to connect.
   *
   * @param url The URL, as for {@linkcode connect}. A function is called for each attempt; if it
   * throws, the attempt has failed.
   * @param options The options of {@linkcode connect}, for each attempt, and those of reconnecting.
   * @throws {DOMException} A `SyntaxError` if the URL or a subprotocol is malformed.
   * @throws {TypeError} If a header is malformed.
   * @throws {RangeError} If a limit, or a number of these options, is out of range.
   */
  constructor(url: PerAttempt<string | URL>, options?: ReconnectOptions);
  // Not part of the public types: the tests bring a clock of their own.
  constructor(
    url: PerAttempt<string | URL>,
    options: ReconnectOptions = {},
    clock?: ReconnectClock,
  ) {
    checkOptions<ReconnectOptions>("ReconnectingWebSocket", options, reconnectOptionChecks);
    checkTimeout(options.timeout);
    this.#dialer = new ConnectDialer(url, options);
    this.#core = new ReconnectCore(this.#dialer, options, clock);
  }

  /** The open connection; `undefined` while there is none. */
  get connection(): WebSocketConnection | undefined {
    return this.#core.connection;
  }

  /** The size of the unsent messages in bytes: those of the connection, and those for the next one. */
  get bufferedAmount(): number {
    return this.#core.bufferedAmount;
  }

  /**
   * Resolves when there will be no further attempt, to how the last connection closed or the last
   * attempt failed; never rejects. A connection whose messages are not read may stay open forever.
   */
  get closed(): Promise<CloseInfo> {
    return this.#core.closed;
  }

  /**
   * Sends a message: text for a string, else binary. The bytes are copied before `send()` returns.
   *
   * While there is no connection, and when the server's Close has been received, the message is queued
   * for the next connection, if `maxQueueSize` has room for it. The next connection sends the queued
   * messages first.
   *
   * @returns A promise that resolves when the message is written. Await it to apply backpressure. It
   * rejects with an `InvalidStateError` if the message is not sent: there is no connection and the queue
   * has no room, or there will be no further connection. It rejects with a `NetworkError` if the
   * connection closed while the message was being written: it may have arrived or not, and is not sent
   * again. Ignoring the promise is safe: its rejection is never reported as unhandled.
   * @throws {TypeError} If `data` is of another type.
   */
  send(data: Sendable): Promise<void> {
    return this.#core.send(data);
  }

  /**
   * Closes the connection if there is one, and makes no further attempt. Has no effect the second
   * time.
   *
   * @param code The close code: 1000-1003, 1007-1014 or 3000-4999. If it is omitted, none is sent.
   * @param reason The reason, for people: at most 123 bytes of UTF-8.
   * @returns `closed`.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  close(code?: number, reason?: string): Promise<CloseInfo> {
    encodeClosePayload(code, reason);
    this.#core.close(code, reason);
    return this.closed;
  }

  /**
   * Makes the next attempt without a delay: ends the delay, or closes the open connection. The delays and
   * the number of attempts begin anew. It has no effect during an attempt, or when there will be no
   * further attempt. The next attempt waits until the connection has closed, up to `limits.closeTimeout`;
   * if the network has changed, call `connection.abort()` before.
   *
   * @param code The close code for the open connection, as of {@linkcode close}.
   * @param reason The reason, as of {@linkcode close}.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  reconnect(code?: number, reason?: string): void {
    encodeClosePayload(code, reason);
    this.#core.reconnect(code, reason);
  }

  /**
   * Lets the process end while a connection is open, and during the delays that start after the call. An
   * attempt keeps the process alive for as long as it takes, at most `timeout`.
   */
  unref(): void {
    this.#dialer.unref();
  }

  /** The events, in order: see {@linkcode ReconnectEvent}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReconnectEvent, undefined> {
    return this.#core.events;
  }

  /** Calls `close(1000)`, at the end of a block with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000);
  }
}
