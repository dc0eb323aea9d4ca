import type { PerAttempt } from "../client/per_attempt.ts";
import { ReconnectCore } from "../client/reconnect_core.ts";
import type { ReconnectClock } from "../client/reconnect_core.ts";
import type { ReconnectEvent } from "../client/reconnect_events.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { Sendable } from "../connection/sendable.ts";
import { checkTimeout } from "../util/abort.ts";
import { checkClose } from "./browser_connection.ts";
import type { BrowserConnection } from "./browser_connection.ts";
import { BrowserDialer } from "./browser_dialer.ts";
import { checkReconnectOptions } from "./reconnect_options.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";

/**
 * A browser's WebSocket that reconnects when the connection is lost, with exponential backoff and full
 * jitter, until a close is final, the attempts are used up, or the page closes it. It is also at once when
 * the browser goes online.
 *
 * It is iterated: one loop covers all connections, and `open` and `close` events come between the
 * messages, in the order in which they happened. The loop may be left and entered again; it ends after the
 * last `close` event. It has the members of the class of the same name in `@sluice/websocket`, over the
 * platform's `WebSocket` (WHATWG WebSockets), which also works in workers.
 *
 * A browser offers less than a TCP connection does:
 *
 * - It can't stop receiving: the unread messages are kept, up to `maxUnread`.
 * - It sends no pings: to notice a connection that is dead, have the server send its own messages.
 * - It gives no reason for a failed attempt, and sends no header fields of the page.
 * - The close codes of the page are 1000 and 3000 to 4999.
 *
 * @example In a page, where the URL is relative to the page's
 * ```ts ignore
 * import { ReconnectingWebSocket } from "@sluice/websocket/browser";
 *
 * const socket = new ReconnectingWebSocket("/chat", { maxQueueSize: 65_536 });
 * socket.send("hello"); // When it has connected.
 * for await (const event of socket) {
 *   if (event.type === "open") console.log("Connected");
 *   if (event.type === "message") console.log(event.data);
 *   if (event.type === "close") console.log("Next attempt in", event.retryIn, "ms");
 * }
 * ```
 */
export class ReconnectingWebSocket
  implements AsyncIterable<ReconnectEvent<BrowserConnection>>, AsyncDisposable {
  readonly #core: ReconnectCore<BrowserConnection>;

  /**
   * Starts to connect.
   *
   * @param url The URL: `ws:`, `wss:`, `http:` or `https:`, or relative to that of the page. A function is
   * called for each attempt; if it throws, the attempt has failed.
   * @param options The options of reconnecting, and of each attempt.
   * @throws {DOMException} A `SyntaxError` if the URL is malformed.
   * @throws {TypeError} If an option is unknown or unusable.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: PerAttempt<string | URL>, options?: ReconnectOptions);
  // Not part of the public types: the tests bring a clock of their own.
  constructor(
    url: PerAttempt<string | URL>,
    options: ReconnectOptions = {},
    clock?: ReconnectClock,
  ) {
    checkReconnectOptions(options);
    checkTimeout(options.timeout);
    this.#core = new ReconnectCore(new BrowserDialer(url, options), options, clock);
    // The delay was chosen for a server that is down, not for a network that was.
    const onOnline = () => {
      if (this.connection === undefined) this.#core.reconnect(undefined, undefined);
    };
    globalThis.addEventListener?.("online", onOnline);
    void this.closed.then(() => globalThis.removeEventListener?.("online", onOnline));
  }

  /** The open connection; `undefined` while there is none. */
  get connection(): BrowserConnection | undefined {
    return this.#core.connection;
  }

  /** The size of the unsent messages in bytes: those of the connection, and those for the next one. */
  get bufferedAmount(): number {
    return this.#core.bufferedAmount;
  }

  /**
   * Resolves when there will be no further attempt, to how the last connection closed or the last
   * attempt failed; never rejects.
   */
  get closed(): Promise<CloseInfo> {
    return this.#core.closed;
  }

  /**
   * Sends a message: text for a string, else binary. While there is no connection, and when the server's
   * Close has been received, the message is queued for the next connection, if `maxQueueSize` has room.
   *
   * @returns A promise that resolves when the browser has sent the message: await it to apply backpressure.
   * It rejects with an `InvalidStateError` if the message is not sent, with a `QuotaExceededError` if it has
   * no room, and with a `NetworkError` if the connection closed while the message was being written: it may
   * have arrived or not, and is not sent again. Ignoring the promise is safe.
   * @throws {TypeError} If `data` is of another type.
   */
  send(data: Sendable): Promise<void> {
    return this.#core.send(data);
  }

  /**
   * Closes the connection if there is one, and makes no further attempt. Has no effect the second
   * time.
   *
   * @param code The close code: 1000 or 3000 to 4999. If it is omitted, none is sent.
   * @param reason The reason, for people: at most 123 bytes of UTF-8.
   * @returns `closed`.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  close(code?: number, reason?: string): Promise<CloseInfo> {
    checkClose(code, reason);
    this.#core.close(code, reason);
    return this.closed;
  }

  /**
   * Makes the next attempt without a delay: ends the delay, or closes the open connection. The delays and
   * the number of attempts begin anew. It has no effect during an attempt, or when there will be no
   * further attempt.
   *
   * @param code The close code for the open connection, as of {@linkcode close}.
   * @param reason The reason, as of {@linkcode close}.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  reconnect(code?: number, reason?: string): void {
    checkClose(code, reason);
    this.#core.reconnect(code, reason);
  }

  /** The events, in order: see {@linkcode ReconnectEvent}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReconnectEvent<BrowserConnection>, undefined> {
    return this.#core.events;
  }

  /** Calls `close(1000)`, at the end of a block with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000);
  }
}
