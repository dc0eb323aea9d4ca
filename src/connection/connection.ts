import { encodeClosePayload } from "../protocol/close_code.ts";
import type { Message } from "../protocol/message.ts";
import type { Addr } from "../transport/transport.ts";
import { rejected } from "../util/promises.ts";
import type { CloseInfo } from "./close_info.ts";
import { ConnectionCore } from "./connection_core.ts";
import type { ConnectionInit } from "./connection_settings.ts";
import { MessageBatches } from "./message_batches.ts";
import type { MessageStream } from "./message_streams.ts";
import { notOpen } from "./ready_state.ts";
import type { ReadyState } from "./ready_state.ts";
import { setRef } from "./process_ref.ts";
import { checkSendOptions, toBytes } from "./sendable.ts";
import type { Sendable, SendOptions } from "./sendable.ts";
import type { Callbacks } from "./socket_handler.ts";

/** The callbacks of a {@linkcode WebSocketConnection}. */
export type SocketHandler<Data = unknown> = Callbacks<WebSocketConnection<Data>>;

type Core<Data> = ConnectionCore<WebSocketConnection<Data>>;

/** Assigned by the class: only it can read its private field. */

/** Returns the core of a connection, for the handshakes and the server. */
export function coreOf<Data>(connection: WebSocketConnection<Data>): Core<Data> {
  return WebSocketConnection.coreOf(connection);
}

/**
 * An open WebSocket. Read it in one of three ways: `for await` over the connection itself, its
 * `readable`, or callbacks. Each message goes to the consumer that requests it first.
 *
 * @typeParam Data The type of the value that `upgrade()` attached to the connection.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455 RFC 6455}
 */
export class WebSocketConnection<Data = unknown> implements AsyncIterable<Message> {
  /** The subprotocol that the server chose; empty if there is none (RFC 6455 §1.9). */
  readonly protocol: string;
  /** The extensions in use, as in `Sec-WebSocket-Extensions`; empty if there are none. */
  readonly extensions: string;
  /** The value that `upgrade()` attached to the connection. The library does not use it. */
  data: Data;

  readonly #core: Core<Data>;
  readonly #clientAddr: Addr | undefined;
  /** Made from the text of its head when it is first read. */
  #request: Request | string;

  // A static block would keep the class in a bundle that does not use it.
  /** @internal */
  static coreOf<Data>(connection: WebSocketConnection<Data>): Core<Data> {
    return connection.#core;
  }

  /** @internal Made by the handshakes: `serve()`, `accept()`, `connect()`. */
  constructor(init: ConnectionInit<WebSocketConnection<Data>, Data>) {
    this.protocol = init.protocol;
    this.extensions = init.extensions;
    this.data = init.data;
    this.#clientAddr = init.clientAddr;
    this.#request = init.headText;
    this.#core = new ConnectionCore<WebSocketConnection<Data>>(this, init);
  }

  /** `Open`, `Closing` or `Closed`, of {@linkcode ReadyState}. */
  get readyState(): ReadyState {
    return this.#core.readyState;
  }

  /** The address of this end. */
  get localAddr(): Addr {
    return this.#core.transport.localAddr;
  }

  /** The address of the other end, which may be a proxy. */
  get remoteAddr(): Addr {
    return this.#core.transport.remoteAddr;
  }

  /**
   * The address of the client: at a server, the address that a trusted proxy has passed on, otherwise
   * `remoteAddr`; at a client, `localAddr`.
   */
  get clientAddr(): Addr {
    const isServer = this.#core.settings.role === "server";
    return this.#clientAddr ?? (isServer ? this.remoteAddr : this.localAddr);
  }

  /** The request of the opening handshake. */
  get request(): Request {
    if (typeof this.#request === "string") {
      this.#request = this.#core.settings.makeRequest(this.#request);
    }
    return this.#request;
  }

  /**
   * The header fields of the server's response to the opening handshake, such as `Set-Cookie`;
   * `undefined` at a server.
   */
  get responseHeaders(): Headers | undefined {
    return this.#core.settings.responseHeaders?.();
  }

  /** The number of bytes in the send queue, frame headers included. */
  get bufferedAmount(): number {
    return this.#core.sender.bufferedAmount;
  }

  /**
   * The memory usage of the connection, in bytes: of unfinished and unread messages, the send queue, and
   * buffers, each with its per-object overhead. The object itself, some kilobytes, is not counted. The
   * limit is `maxConnectionMemory`. 0 after the end, though `heldBytes` of the server counts unread messages
   * as long as the handler function runs.
   */
  get heldBytes(): number {
    return this.#core.isClosed ? 0 : this.#core.memoryUsage;
  }

  /**
   * Resolves when the send queue, with the messages that wait behind a stream, is below its high-water
   * mark, as the `ready` of a stream writer; rejects if the connection is closed before that.
   */
  get ready(): Promise<void> {
    return this.#core.sender.ready;
  }

  /**
   * Resolves when the connection is closed, to how it has ended. It never rejects. A peer that closes is
   * answered at once if no message is being processed. A loop that reads `closed` declares that it will not
   * reply to the current message any more.
   */
  get closed(): Promise<CloseInfo> {
    this.#core.release();
    return this.#core.whenClosed;
  }

  /**
   * Sends a message: text if `data` is a string, otherwise binary. The bytes are copied before `send()`
   * returns.
   *
   * A stream of strings or of bytes is sent as one message, in fragments, while it is produced, as fast
   * as the peer reads it. Messages that are sent after it wait for its end. If the stream errors, the
   * connection is closed with 1011, since a message that has begun cannot be taken back. A fragment has
   * at most 64 KiB. After the first 32, smaller chunks are gathered into fragments of 4 KiB, for at most
   * 5 ms: a peer may limit the number of fragments (here by `maxFragments`).
   *
   * @param data The message. A stream without a chunk is an empty binary message.
   * @param options Options of this message.
   * @returns A promise that resolves when the send queue is below its high-water mark, usually at once.
   * Await it to apply backpressure. It rejects with an `InvalidStateError` if the connection is not open,
   * or is closed because the queue is full; with `overflow: "reject"` a full queue rejects with a
   * `QuotaExceededError` and leaves the connection open. Ignoring the promise is safe: its rejection is
   * never reported as unhandled. For a stream it resolves at the end of the stream, and rejects with its
   * error.
   * @throws {TypeError} If `data` is of another type, or an option is unknown.
   */
  send(
    data: Sendable | ReadableStream<string> | ReadableStream<Uint8Array>,
    options?: SendOptions,
  ): Promise<void> {
    if (options !== undefined) checkSendOptions(options);
    // Most messages. The first use of ReadableStream, which Deno loads late, takes longer than a send.
    if (typeof data === "string" || data instanceof Uint8Array) {
      return this.#core.sender.send(data, options);
    }
    if (data instanceof ReadableStream) return this.#core.sender.sendStream(data, options);
    return this.#core.sender.send(toBytes(data), options);
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   *
   * @returns A promise of the round trip in milliseconds, which resolves when the Pong is received. It
   * rejects with an `InvalidStateError` if the connection is not open, or is closed before that.
   */
  ping(): Promise<number> {
    const core = this.#core;
    return core.isOpen ? core.keepalive.ping() : rejected(notOpen("Cannot ping"));
  }

  /**
   * The round trip of the last Ping that was answered, in milliseconds: one of `ping()`, or one that the
   * connection has sent because the peer was silent for `pingInterval`; `undefined` before that.
   */
  get roundTrip(): number | undefined {
    return this.#core.keepalive.roundTrip;
  }

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), after everything that has been sent. Without effect if
   * it has been started.
   *
   * Until the peer's Close frame is received, a loop still gets messages, as many as the queue of unread
   * messages has room for: the first one without room is dropped, and all that follow it.
   *
   * @param code The close code: 1000-1003, 1007-1014 or 3000-4999. Without it, the Close frame is empty.
   * @param reason A text for people, of at most 123 bytes of UTF-8.
   * @returns `closed`.
   * @throws {RangeError} If the code may not be sent.
   * @throws {TypeError} If there is a reason without a code.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  close(code?: number, reason?: string): Promise<CloseInfo> {
    this.#core.startClose(encodeClosePayload(code, reason));
    return this.#core.whenClosed;
  }

  /** Closes the TCP connection at once, without a closing handshake: the peer sees 1006. */
  abort(): void {
    this.#core.transport.abort();
  }

  /**
   * Returns the messages in their order. The iterator ends when the connection is closed, cleanly or not:
   * see `closed`. While the loop is busy, backpressure slows the peer down. A loop may be left and started
   * again.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.#core.readers.queue;
  }

  /**
   * Returns the messages in their order, as arrays of all unread messages: faster than a loop over the
   * connection if the messages are short, and slower than callbacks. Apart from that it is the same loop. An
   * array has all messages of what was read last, even if these are more than `incomingMaxMessages`. It has
   * no more when its memory usage, with 512 bytes a message, is four times `incomingHighWaterMark` or a
   * quarter of `maxConnectionMemory`.
   *
   * @example
   * ```ts
   * import { serve } from "@sluice/websocket";
   *
   * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
   *   for await (const messages of socket.batches()) {
   *     for (const message of messages) socket.send(message);
   *     await socket.ready;
   *   }
   * });
   * ```
   */
  batches(): AsyncIterableIterator<Message[], undefined> {
    return new MessageBatches(this.#core.readers.queue);
  }

  /**
   * Returns each message, starting with the next one, as a stream as soon as the message begins: for messages
   * that are too large for memory, or too slow to wait for. A stream that is not read slows the peer down by
   * backpressure. The stream of a binary message is a byte stream: a BYOB reader can use one buffer for
   * all its reads, and leaves no garbage.
   *
   * Asking for the next message discards the unread rest of the one before it. A message that the end of
   * the connection cuts short errors. The limit `maxMessageSize` applies; `Infinity` means none.
   *
   * @throws {DOMException} An `InvalidStateError` if the connection has callbacks.
   *
   * @example
   * ```ts ignore
   * for await (const { type, readable } of socket.messageStreams()) {
   *   if (type === "binary") await readable.pipeTo(file.writable, { preventClose: true });
   * }
   * ```
   */
  messageStreams(): AsyncIterableIterator<MessageStream, undefined> {
    return this.#core.messageStreams();
  }

  /**
   * Lets the process end although the client's connection is open; `ref()` undoes it. A server's
   * listener keeps the process alive.
   */
  unref(): void {
    setRef(this.#core, false);
  }

  /** Lets the connection keep the process alive, which is the default. */
  ref(): void {
    setRef(this.#core, true);
  }

  /**
   * The messages as a stream. It ends with the connection, and errors if that did not end cleanly.
   * Cancelling it closes the connection.
   */
  get readable(): ReadableStream<Message> {
    return this.#core.readers.readable;
  }

  /**
   * A stream that sends the messages written to it, with backpressure: a write waits while the send queue
   * is above its high-water mark or has no room for the message. Closing it closes the connection with
   * 1000, and rejects if the connection did not end cleanly. Aborting it closes the connection with 1011,
   * even while a write is pending. It errors when the connection is closed, so that a pipe to it ends
   * even if its source is silent.
   */
  get writable(): WritableStream<Sendable> {
    return this.#core.writable;
  }
}
