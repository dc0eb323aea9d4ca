import { encodeClosePayload } from "../protocol/close_code.ts";
import type { Message } from "../protocol/message.ts";
import { ConnectionCore } from "./connection_core.ts";
import type { ConnectionInit, ConnectionStart } from "./connection_settings.ts";
import type { CloseInfo } from "./close_info.ts";
import type { Callbacks } from "./socket_handler.ts";
import type { MessageStream } from "./message_streams.ts";
import { toBytes } from "./sendable.ts";
import type { Sendable, SendOptions } from "./sendable.ts";
import { ReadyState } from "./ready_state.ts";
import type { IndexAccess } from "../util/dense_set.ts";
import type { Addr } from "../transport/transport.ts";

/** The callbacks of a {@linkcode WebSocketConnection}. */
export type SocketHandler<Data = unknown> = Callbacks<WebSocketConnection<Data>>;

/** How the handshake makes a connection: its constructor is nobody else's. */
export let openConnection: <Data>(
  init: ConnectionInit<WebSocketConnection<Data>, Data>,
) => WebSocketConnection<Data>;
/** Starts reading and writing. */
export let startConnection: <Data>(
  connection: WebSocketConnection<Data>,
  start: ConnectionStart<WebSocketConnection<Data>>,
) => void;
/** Ends a connection whose handler is done with it. */
export let finishConnection: <Data>(connection: WebSocketConnection<Data>) => void;
/** Ends a connection whose handler has thrown. */
export let failConnection: <Data>(connection: WebSocketConnection<Data>, error: unknown) => void;

/** For its server's {@linkcode DenseSet}. */
export let connectionIndex: IndexAccess<WebSocketConnection>;

/**
 * An open WebSocket. Read it in one of three ways: `for await` over the connection itself, its
 * `readable`, or callbacks; each message goes to whoever asks first.
 *
 * @typeParam Data What `upgrade()` attached to the connection.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455 RFC 6455}
 */
export class WebSocketConnection<Data = unknown> implements AsyncIterable<Message> {
  /** The subprotocol that the server chose; empty where there is none (RFC 6455 §1.9). */
  readonly protocol: string;
  /** The extensions in use, as in `Sec-WebSocket-Extensions`; empty where there is none. */
  readonly extensions: string;
  /** What `upgrade()` attached to the connection; yours. */
  data: Data;

  readonly #core: ConnectionCore<WebSocketConnection<Data>>;
  readonly #clientAddr: Addr | undefined;
  /** Once it's asked for; until then, the text of its head. */
  #request: Request | string;
  #index = -1;

  static {
    openConnection = (init) => new WebSocketConnection(init);
    startConnection = (connection, start) => connection.#core.start(start);
    finishConnection = (connection) => connection.#core.finish();
    failConnection = (connection, error) => connection.#core.fail(error);
    connectionIndex = {
      get: (connection) => connection.#index,
      set: (connection, index) => {
        connection.#index = index;
      },
    };
  }

  private constructor(init: ConnectionInit<WebSocketConnection<Data>, Data>) {
    this.protocol = init.protocol;
    this.extensions = init.extensions;
    this.data = init.data;
    this.#clientAddr = init.clientAddr;
    this.#request = init.headText;
    this.#core = new ConnectionCore<WebSocketConnection<Data>>(this, init);
  }

  /** `Open`, `Closing` or `Closed`, of {@linkcode ReadyState}. */
  get readyState(): ReadyState {
    if (this.#core.isOpen) return ReadyState.Open;
    return this.#core.endpoint.isClosed ? ReadyState.Closed : ReadyState.Closing;
  }

  /** The address of this end. */
  get localAddr(): Addr {
    return this.#core.endpoint.transport.localAddr;
  }

  /** The address of the other end: the proxy's, where there is one. */
  get remoteAddr(): Addr {
    return this.#core.endpoint.transport.remoteAddr;
  }

  /**
   * The address of the client: at a server, what a trusted proxy says, and else `remoteAddr`; at a
   * client, `localAddr`.
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

  /** How many bytes have been sent and wait for the peer, frame headers included. */
  get bufferedAmount(): number {
    return this.#core.bufferedAmount;
  }

  /**
   * How many bytes of memory the connection holds: of a message that has not ended, of what has come
   * and has not been taken, of what waits to be sent, and of its buffers, with what each part costs
   * beside its bytes; not that of the object itself, some kilobytes. `maxConnectionMemory` bounds it.
   */
  get heldBytes(): number {
    const { endpoint } = this.#core;
    return endpoint.isClosed ? 0 : endpoint.heldBytes;
  }

  /**
   * Resolves when the outgoing queue is below its high-water mark, as a stream writer's `ready`;
   * rejects where the connection ends before that.
   */
  get ready(): Promise<void> {
    return this.#core.endpoint.outgoing.ready;
  }

  /** Resolves when the connection has ended, to how; it never rejects. */
  get closed(): Promise<CloseInfo> {
    return this.#core.whenClosed;
  }

  /**
   * Sends a message: text for a string, else binary. The bytes are copied before `send()` returns.
   *
   * A stream, of strings or of bytes, is sent as one message, in fragments, while it's produced: as fast
   * as the peer reads it, and no faster. What is sent after it waits for its end. Where it errors, the
   * connection is closed with 1011, since a message that has begun can't be taken back. A fragment has
   * 64 KiB at most; a peer may have a limit to their number (here it's `maxFragments`, 1,024).
   *
   * @param data The message. A stream without a chunk is an empty binary message.
   * @param options What is to be different for this one message.
   * @returns a promise that resolves at once, or when the queue is below its high-water mark again:
   * await it, and a slow peer slows you down. It rejects with an `InvalidStateError` where the
   * connection is not open, or is closed over a full queue; with `overflow: "reject"`, a full queue
   * rejects with a `QuotaExceededError`, and nothing else happens. Nobody has to look at any of that.
   * For a stream it resolves at its end, and rejects with its error.
   * @throws {TypeError} where `data` is something else.
   */
  send(
    data: Sendable | ReadableStream<string> | ReadableStream<Uint8Array>,
    options?: SendOptions,
  ): Promise<void> {
    // Most messages: to get hold of ReadableStream, which Deno loads late, takes longer than to send them.
    if (typeof data === "string" || data instanceof Uint8Array) {
      return this.#core.send(data, options);
    }
    if (data instanceof ReadableStream) return this.#core.sendStream(data, options);
    return this.#core.send(toBytes(data), options);
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   *
   * @returns the round trip in milliseconds, once the Pong has come; it rejects with an
   * `InvalidStateError` where the connection is not open, or ends before that.
   */
  ping(): Promise<number> {
    return this.#core.ping();
  }

  /**
   * The round trip of the last Ping that was answered, in milliseconds: a heartbeat's, where the peer
   * has been silent for `pingInterval`, or one of `ping()`; `undefined` before there is one.
   */
  get roundTrip(): number | undefined {
    return this.#core.endpoint.controlFrames.roundTrip;
  }

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), after what has been sent. Without effect where it
   * has been started.
   *
   * @param code Why: 1000-1003, 1007-1014 or 3000-4999; none is sent where left out.
   * @param reason More of it, for people: at most 123 bytes of UTF-8.
   * @returns `closed`.
   * @throws {RangeError} where the code may not be sent.
   * @throws {TypeError} where there is a reason without a code.
   * @throws {DOMException} a `SyntaxError` where the reason is too long.
   */
  close(code?: number, reason?: string): Promise<CloseInfo> {
    this.#core.close(encodeClosePayload(code, reason));
    return this.closed;
  }

  /** Drops the TCP connection, without a closing handshake: the peer sees 1006. */
  abort(): void {
    this.#core.endpoint.abort();
  }

  /**
   * The messages, one after the other; ends when the connection has, however it did: see `closed`.
   * While the loop is busy, the peer is held back. It may be left and begun again.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.#core.incoming;
  }

  /**
   * From the next message on, each message as a stream, handed over when it begins: for messages that
   * are too large to hold, or too slow to wait for. Whoever does not read holds the peer back. The
   * stream of a binary message is a byte stream: a BYOB reader that brings the same buffer again and
   * again has it filled from the network's, and leaves no garbage.
   *
   * To ask for the next message discards what has not been read of the one before it. A message that
   * the connection's end cuts short errors. `maxMessageSize` holds: set it to what you are ready to
   * take, `Infinity` for anything.
   *
   * @throws {DOMException} an `InvalidStateError` where the connection has callbacks.
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
   * The messages as a stream: it ends with the connection, and errors where that was not clean.
   * Cancelling it closes the connection.
   */
  get readable(): ReadableStream<Message> {
    return this.#core.readable;
  }

  /**
   * Where messages are sent as a stream, with backpressure. Closing it closes the connection with
   * 1000, aborting it with 1011, whether or not a write waits. It errors when the connection has
   * ended, so that a pipe to it ends even where its source has nothing to say.
   */
  get writable(): WritableStream<Sendable> {
    return this.#core.writable;
  }
}
