import type { CloseInfo } from "../connection/close_info.ts";
import { notOpen } from "../connection/ready_state.ts";
import { byteLengthOf, toBytes, tooLong } from "../connection/sendable.ts";
import type { Sendable } from "../connection/sendable.ts";
import { APPLICATION_CODES, checkReason, isApplicationCode } from "../protocol/close_info_init.ts";
import type { Message, OutgoingMessage } from "../protocol/message.ts";
import type { ReconnectTarget } from "../client/reconnect_target.ts";
import { unusable } from "../protocol/options.ts";
import { AsyncQueue } from "../util/async_queue.ts";
import { handled, rejected } from "../util/promises.ts";

/** The longest time between two looks at `bufferedAmount`, in milliseconds. */
const MAX_POLL_DELAY = 50;

/** The limits of a {@linkcode BrowserConnection}, in bytes. */
export interface BrowserLimits {
  /** The capacity of the browser's send queue. */
  readonly maxBufferedAmount: number;
  /** The size of its send queue from which on messages wait in ours. */
  readonly highWaterMark: number;
  /** The capacity of the queue of received messages that the application has not read. */
  readonly maxUnread: number;
}

/**
 * An open connection of a {@linkcode ReconnectingWebSocket}: a browser's `WebSocket` with promises. It has
 * the members of the server's `WebSocketConnection` that a browser can offer.
 */
export interface BrowserConnection {
  /** The URL after redirects of the scheme, such as `wss://example.com/chat`. */
  readonly url: string;
  /** The subprotocol that the server has chosen; `""` if none. */
  readonly protocol: string;
  /** The extensions in use, as text; `""` if none. */
  readonly extensions: string;
  /** 1 while it is open, 2 while it closes, 3 when it has closed. */
  readonly readyState: number;
  /** The size of the unsent messages, in bytes. */
  readonly bufferedAmount: number;
  /** Resolves to how the connection has closed; never rejects. */
  readonly closed: Promise<CloseInfo>;
  /**
   * Sends a message on this connection.
   *
   * @returns A promise that resolves when the browser's send queue is empty. It rejects with an
   * `InvalidStateError` if the connection is not open, and with a `QuotaExceededError` if the message has
   * no room in the queue. Ignoring the promise is safe.
   * @throws {TypeError} If `data` is of another type.
   */
  send(data: Sendable): Promise<void>;
  /**
   * Closes the connection. The {@linkcode ReconnectingWebSocket} makes the next attempt, unless the
   * server's answer is final.
   *
   * @param code 1000, or 3000 to 4999: a browser sends no other.
   * @param reason The reason, for people: at most 123 bytes of UTF-8.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   */
  close(code?: number, reason?: string): Promise<CloseInfo>;
}

/**
 * Checks a close code and a reason for a browser.
 *
 * WHATWG WebSockets, `close(code, reason)`: "If code is present, but is neither an integer equal to 1000
 * nor an integer in the range 3000 to 4999, inclusive, throw an "InvalidAccessError" DOMException."
 *
 * @throws {RangeError} If the code may not be sent.
 * @throws {TypeError} If there is a reason without a code.
 * @throws {DOMException} A `SyntaxError` if the reason is too long.
 */
export function checkClose(code: number | undefined, reason: string | undefined): void {
  if (code !== undefined && !isApplicationCode(code)) {
    throw unusable("close code", code, APPLICATION_CODES, RangeError);
  }
  if (reason === undefined) return;
  if (code === undefined) throw unusable("close reason", reason, "a close code with it");
  checkReason(reason);
}

/** A browser's WebSocket, as a ReconnectingWebSocket uses it. */
export class BrowserTarget implements ReconnectTarget<BrowserConnection>, BrowserConnection {
  readonly #socket: WebSocket;
  readonly #limits: BrowserLimits;
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<CloseInfo>();
  readonly #messages = new UnreadMessages();
  #written: Promise<void> | undefined;
  /** Ends the delay before the next look at `bufferedAmount`. */
  #endDelay: (() => void) | undefined;
  #error: unknown;

  /** @param socket A socket that has just been created. */
  constructor(socket: WebSocket, limits: BrowserLimits) {
    this.#socket = socket;
    this.#limits = limits;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened.resolve();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason, wasClean }) => {
      const error = this.#error === undefined ? {} : { error: this.#error };
      this.#opened.reject(
        new DOMException(
          `Cannot connect to ${socket.url}: a browser gives no reason`,
          "NetworkError",
        ),
      );
      this.#endDelay?.();
      this.#messages.end();
      this.#closed.resolve({ closeCode: code, reason, wasClean, ...error });
    };
    handled(this.#opened.promise);
  }

  /** Resolves when the connection has opened; rejects with a `NetworkError` if it has failed. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get connection(): BrowserConnection {
    return this;
  }

  get url(): string {
    return this.#socket.url;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get extensions(): string {
    return this.#socket.extensions;
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  get isOpen(): boolean {
    return this.readyState === 1;
  }

  /** The browser leaves the open state when the server's Close frame is received. */
  get takesMessages(): boolean {
    return this.isOpen;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  get closed(): Promise<CloseInfo> {
    return this.#closed.promise;
  }

  hasRoomFor(message: OutgoingMessage): boolean {
    const { highWaterMark, maxBufferedAmount } = this.#limits;
    const { bufferedAmount } = this;
    return bufferedAmount < highWaterMark &&
      bufferedAmount + byteLengthOf(message) <= maxBufferedAmount;
  }

  send(data: Sendable): Promise<void> {
    const message = typeof data === "string" ? data : toBytes(data);
    if (!this.isOpen) return rejected(notOpen("Cannot send"));
    const { maxBufferedAmount } = this.#limits;
    const size = byteLengthOf(message);
    if (this.bufferedAmount + size > maxBufferedAmount) {
      return rejected(tooLong(size, maxBufferedAmount, this.bufferedAmount));
    }
    this.#socket.send(message as string | Uint8Array<ArrayBuffer>);
    return this.whenWritten();
  }

  whenWritten(): Promise<void> {
    return this.#written ??= handled(this.#drain().finally(() => this.#written = undefined));
  }

  messages(): AsyncIterator<Message, undefined> {
    return this.#messages;
  }

  close(code?: number, reason?: string): Promise<CloseInfo> {
    checkClose(code, reason);
    // The platform tells an argument that is undefined from one that is missing.
    if (code === undefined) this.#socket.close();
    else this.#socket.close(code, reason);
    return this.closed;
  }

  abort(): void {
    this.#socket.close();
  }

  /** No event tells when `bufferedAmount` has changed. */
  async #drain(): Promise<void> {
    for (let delay = 1; this.bufferedAmount > 0; delay = Math.min(2 * delay, MAX_POLL_DELAY)) {
      if (!this.isOpen) throw notOpen("Cannot send all messages");
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, delay);
      this.#endDelay = resolve;
      await promise;
      clearTimeout(timer);
    }
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#error !== undefined) return;
    this.#messages.push(typeof data === "string" ? data : new Uint8Array(data));
    const { maxUnread } = this.#limits;
    if (this.#messages.size <= maxUnread) return;
    this.#error = new DOMException(
      `Cannot keep ${this.#messages.size} bytes of unread messages: maxUnread is ${maxUnread}`,
      "QuotaExceededError",
    );
    this.#socket.close();
  }
}

/** The messages that the application has not read. A browser's WebSocket can't stop receiving. */
class UnreadMessages extends AsyncQueue<Message> {
  /** Their size, in bytes; a UTF-16 code unit of text counts as two, since it takes so much memory. */
  size = 0;

  override push(message: Message): boolean {
    const isTaken = super.push(message);
    if (!isTaken) this.size += sizeOf(message);
    return isTaken;
  }

  override poll(): Message | undefined {
    const message = super.poll();
    if (message !== undefined) this.size -= sizeOf(message);
    return message;
  }
}

function sizeOf(message: Message): number {
  return typeof message === "string" ? 2 * message.length : message.length;
}
