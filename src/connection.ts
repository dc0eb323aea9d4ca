import { encodeClosePayload } from "./protocol/close_code.ts";
import type { Limits } from "./protocol/limits.ts";
import type { Message, MessagePart } from "./protocol/message.ts";
import { useExtensions } from "./extensions/extension_chain.ts";
import { serializeExtensions } from "./handshake/header_grammar.ts";
import { Endpoint, notOpen } from "./endpoint.ts";
import type { CloseInfo, EndpointOwner } from "./endpoint.ts";
import { Incoming } from "./incoming.ts";
import { IncomingStreams } from "./incoming_streams.ts";
import type { MessageStream } from "./incoming_streams.ts";
import { isLonger, toBytes } from "./sendable.ts";
import type { Sendable, SendOptions } from "./sendable.ts";
import type { SocketHandler } from "./socket_handler.ts";
import type { Overflow } from "./overflow.ts";
import { StreamSender } from "./stream_sender.ts";
import { makeReadable } from "./readable.ts";
import { ReadyState } from "./ready_state.ts";
import type { Addr } from "./transport/transport.ts";
import type { ConnectionInit, ConnectionStart } from "./connection_init.ts";
import { Writable } from "./writable.ts";

export type { ConnectionInit, ConnectionStart } from "./connection_init.ts";
export type { CloseInfo } from "./endpoint.ts";
export type { MessageStream } from "./incoming_streams.ts";
export { ReadyState } from "./ready_state.ts";
export type { Sendable, SendOptions } from "./sendable.ts";
export type { SocketHandler } from "./socket_handler.ts";

/** How the handshake makes a connection: its constructor is nobody else's. */
export let openConnection: <Data>(init: ConnectionInit<Data>) => WebSocketConnection<Data>;
/** Starts reading and writing. */
export let startConnection: <Data>(
  connection: WebSocketConnection<Data>,
  start: ConnectionStart<Data>,
) => void;
/** Ends a connection whose handler is done with it. */
export let finishConnection: (connection: WebSocketConnection) => void;
/** Ends a connection whose handler has thrown. */
export let failConnection: <Data>(connection: WebSocketConnection<Data>, error: unknown) => void;

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

  readonly #endpoint: Endpoint;
  readonly #clientAddr: Addr | undefined;
  /** Made when it's first needed: callbacks do without. */
  #madeIncoming: Incoming | undefined;
  /** In the place of `#incoming`, where messages are read as they arrive. */
  #streams: IncomingStreams | undefined;
  readonly #limits: Readonly<Limits>;
  readonly #overflow: Overflow;
  readonly #onError: ConnectionInit<Data>["onError"];
  readonly #onClosed: ConnectionInit<Data>["onClosed"];
  #handler: SocketHandler<Data> | undefined;
  #request: Request | ((headText: string) => Request);
  #headText: string;
  #closeInfo: CloseInfo | undefined;
  #closed: PromiseWithResolvers<CloseInfo> | undefined;
  #readable: ReadableStream<Message> | undefined;
  #writable: Writable | undefined;
  /** Made when a stream is sent for the first time. */
  #sender: StreamSender | undefined;
  /** Whether a close waits for a stream that is being sent. */
  #isFinishing = false;

  /** What the endpoint sees of a connection: a class, so that one object is all it costs. */
  static readonly #Owner = class implements EndpointOwner {
    // deno-lint-ignore no-explicit-any
    readonly #socket: WebSocketConnection<any>;

    // deno-lint-ignore no-explicit-any
    constructor(socket: WebSocketConnection<any>) {
      this.#socket = socket;
    }

    get isSettled(): boolean {
      return this.#socket.#isSettled;
    }

    get isFull(): boolean {
      const socket = this.#socket;
      return socket.#handler === undefined && (socket.#streams ?? socket.#incoming).isFull;
    }

    get heldBytes(): number {
      const socket = this.#socket;
      return (socket.#madeIncoming?.heldBytes ?? 0) + (socket.#streams?.heldBytes ?? 0) +
        this.queuedBytes;
    }

    get queuedBytes(): number {
      return this.#socket.#sender?.heldBytes ?? 0;
    }

    message(message: Message): boolean {
      return this.#socket.#take(message);
    }

    part(part: MessagePart): boolean {
      return this.#socket.#takePart(part);
    }

    cut(): void {
      this.#socket.#streams?.cut(notOpen("The peer has closed inside a message"));
    }

    drain(): void {
      const socket = this.#socket;
      socket.#call(() => socket.#handler?.drain?.(socket));
    }

    failed(error: unknown): void {
      this.#socket.#streams?.cut(error);
      this.#socket.#report(error);
    }

    closed(info: CloseInfo): void {
      this.#socket.#end(info);
    }
  };

  static {
    openConnection = (init) => new WebSocketConnection(init);
    startConnection = (connection, { answer, early, handler, opened }) => {
      connection.#handler = handler;
      connection.#endpoint.start(answer, early, () => {
        connection.#call(() => handler?.open?.(connection));
        opened?.();
      });
    };
    finishConnection = (connection) => connection.#finish(() => connection.#endpoint.finish());
    failConnection = (connection, error) => connection.#fail(error);
  }

  private constructor(init: ConnectionInit<Data>) {
    const { role, transport, limits } = init;
    this.protocol = init.protocol;
    this.extensions = serializeExtensions(init.agreements.map(({ response }) => response));
    this.data = init.data;
    this.#clientAddr = init.clientAddr;
    this.#request = init.request;
    this.#headText = init.headText ?? "";
    this.#onError = init.onError;
    this.#onClosed = init.onClosed;
    this.#limits = limits;
    this.#overflow = init.overflow ?? "close";
    this.#endpoint = new Endpoint(
      role,
      transport,
      limits,
      new WebSocketConnection.#Owner(this),
      useExtensions(init.agreements, { maxMessageSize: limits.maxMessageSize }),
      init.timers,
      init.budget,
    );
  }

  /** `Open`, `Closing` or `Closed`, of {@linkcode ReadyState}. */
  get readyState(): ReadyState {
    if (this.#isOpen) return ReadyState.Open;
    return this.#endpoint.isClosed ? ReadyState.Closed : ReadyState.Closing;
  }

  /** The address of this end. */
  get localAddr(): Addr {
    return this.#endpoint.transport.localAddr;
  }

  /** The address of the other end: the proxy's, where there is one. */
  get remoteAddr(): Addr {
    return this.#endpoint.transport.remoteAddr;
  }

  /**
   * The address of the client: at a server, what a trusted proxy says, and else `remoteAddr`; at a
   * client, `localAddr`.
   */
  get clientAddr(): Addr {
    const isServer = this.#endpoint.role === "server";
    return this.#clientAddr ?? (isServer ? this.remoteAddr : this.localAddr);
  }

  /** The request of the opening handshake. */
  get request(): Request {
    if (typeof this.#request === "function") {
      this.#request = this.#request(this.#headText);
      this.#headText = "";
    }
    return this.#request;
  }

  /** How many bytes have been sent and wait for the peer, frame headers included. */
  get bufferedAmount(): number {
    return this.#endpoint.outgoing.bufferedAmount + (this.#sender?.queuedBytes ?? 0);
  }

  /**
   * How many bytes of memory the connection holds: of a message that has not ended, of what has come
   * and has not been taken, of what waits to be sent, and of its buffers, with what each part costs
   * beside its bytes; not that of the object itself, some kilobytes. `maxConnectionMemory` bounds it.
   */
  get heldBytes(): number {
    return this.#endpoint.isClosed ? 0 : this.#endpoint.heldBytes;
  }

  /**
   * Resolves when the outgoing queue is below its high-water mark, as a stream writer's `ready`;
   * rejects where the connection ends before that.
   */
  get ready(): Promise<void> {
    return this.#endpoint.outgoing.ready;
  }

  /** Resolves when the connection has ended, to how; it never rejects. */
  get closed(): Promise<CloseInfo> {
    this.#closed ??= Promise.withResolvers();
    if (this.#closeInfo !== undefined) this.#closed.resolve(this.#closeInfo);
    return this.#closed.promise;
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
    if (data instanceof ReadableStream) return this.#sendStream(data, options);
    const message = typeof data === "string" ? data : toBytes(data);
    // RFC 6455 §6.1: "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
    if (!this.#isOpen) return refused(notOpen("Cannot send"));
    if (isLonger(message, this.#limits.maxBufferedAmount - this.bufferedAmount)) {
      return refused(this.#refuse());
    }
    if (this.#sender?.isBusy) {
      const sent = handled(this.#sender.sendMessage(message, options));
      this.#endpoint.queued();
      return sent;
    }
    this.#endpoint.send(message, options);
    return this.#endpoint.outgoing.ready;
  }

  /**
   * Sends a Ping (RFC 6455 §5.5.2).
   *
   * @returns the round trip in milliseconds, once the Pong has come; it rejects with an
   * `InvalidStateError` where the connection is not open, or ends before that.
   */
  ping(): Promise<number> {
    return this.#endpoint.isOpen ? this.#endpoint.ping() : refused(notOpen("Cannot ping"));
  }

  /**
   * The round trip of the last Ping that was answered, in milliseconds: a heartbeat's, where the peer
   * has been silent for `pingInterval`, or one of `ping()`; `undefined` before there is one.
   */
  get roundTrip(): number | undefined {
    return this.#endpoint.roundTrip;
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
    const payload = encodeClosePayload(code, reason);
    this.#finish(() => this.#endpoint.sendClose(payload));
    return this.closed;
  }

  /** Drops the TCP connection, without a closing handshake: the peer sees 1006. */
  abort(): void {
    this.#endpoint.abort();
  }

  /**
   * The messages, one after the other; ends when the connection has, however it did: see `closed`.
   * While the loop is busy, the peer is held back. It may be left and begun again.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.#incoming;
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
    if (this.#handler !== undefined) {
      throw new DOMException(
        "Cannot stream messages: the connection's callbacks take them",
        "InvalidStateError",
      );
    }
    if (this.#streams === undefined) {
      this.#streams = new IncomingStreams(this.#endpoint, this.#limits.incomingHighWaterMark);
      for (const data of this.#incoming.takeAll()) this.#streams.push(toPart(data));
      if (this.#closeInfo !== undefined) this.#streams.end(this.#closeInfo.error);
      this.#endpoint.streamMessages();
    }
    return this.#streams;
  }

  /**
   * The messages as a stream: it ends with the connection, and errors where that was not clean.
   * Cancelling it closes the connection.
   */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= makeReadable(this.#incoming, () => this.closed, this.#endAll);
  }

  /**
   * Where messages are sent as a stream, with backpressure. Closing it closes the connection with
   * 1000, aborting it with 1011, whether or not a write waits. It errors when the connection has
   * ended, so that a pipe to it ends even where its source has nothing to say.
   */
  get writable(): WritableStream<Sendable> {
    this.#writable ??= new Writable(this, {
      hasRoom: () => this.#isOpen && !this.#endpoint.outgoing.isFull && !this.#sender?.isBusy,
      written: () => this.#endpoint.wanted(),
      finish: this.#endAll,
    });
    return this.#writable.stream;
  }

  /** Closes, as its streams' end or cancel has it. */
  get #endAll(): () => Promise<void> {
    return async () => {
      this.#finish(() => this.#endpoint.finish());
      await this.closed;
    };
  }

  get #incoming(): Incoming {
    if (this.#madeIncoming === undefined) {
      this.#madeIncoming = new Incoming(this.#endpoint, this.#limits);
      if (this.#closeInfo !== undefined) this.#madeIncoming.end();
    }
    return this.#madeIncoming;
  }

  get #isOpen(): boolean {
    return this.#endpoint.isOpen && !this.#isFinishing;
  }

  get #isSettled(): boolean {
    if (this.#sender?.isBusy) return false;
    if (this.#handler !== undefined) return true;
    return (this.#streams ?? this.#incoming).isSettled && !this.#writable?.isWriting;
  }

  #sendStream(stream: ReadableStream<unknown>, options?: SendOptions): Promise<void> {
    if (!this.#isOpen) {
      const error = notOpen("Cannot send");
      stream.cancel(error).catch(() => {});
      return refused(error);
    }
    this.#sender ??= new StreamSender(this.#endpoint);
    return handled(this.#sender.sendStream(stream, options));
  }

  /** Closes, after the streams that are being sent. */
  #finish(close: () => void): void {
    const sender = this.#sender;
    if (!sender?.isBusy) return close();
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    // A stream that makes no progress must not keep the connection open for good.
    let timer: ReturnType<typeof setTimeout>;
    let seen = -1;
    const look = (): void => {
      if (sender.progress !== seen) {
        seen = sender.progress;
        timer = setTimeout(look, this.#limits.closeTimeout);
        return;
      }
      sender.abort(notOpen("The connection is being closed"));
      close();
    };
    look();
    sender.after(() => {
      clearTimeout(timer);
      close();
    }).catch(() => {});
  }

  /** The outgoing queue has no room for a message. */
  #refuse(): DOMException {
    const text =
      `Cannot send: the peer has stopped reading, ${this.bufferedAmount} bytes wait, at most ` +
      `${this.#limits.maxBufferedAmount} may`;
    if (this.#overflow === "reject") return new DOMException(text, "QuotaExceededError");
    const error = notOpen(text);
    // RFC 6455 §7.4.1, by IANA's registry: 1013, try again later.
    this.#endpoint.sendClose(encodeClosePayload(1013));
    return error;
  }

  /** Whether there is room for more. */
  #take(message: Message): boolean {
    const handler = this.#handler;
    // The message that was under way when the first stream was asked for.
    if (this.#streams !== undefined) return this.#takePart(toPart(message));
    if (handler === undefined) {
      const incoming = this.#incoming;
      // After our Close there is no holding back: what nobody has room for is dropped.
      if (this.#endpoint.isOpen || !incoming.isFull) incoming.push(message);
      return !incoming.isFull;
    }
    if (handler.message === undefined) return true;
    try {
      const result = handler.message(this, message);
      if (result instanceof Promise) result.catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
    return true;
  }

  #takePart(part: MessagePart): boolean {
    const streams = this.#streams!;
    if (this.#endpoint.isOpen || !streams.isFull) streams.push(part);
    else streams.drop(part);
    return !streams.isFull;
  }

  /** Calls a callback of the handler's, whatever it does. */
  #call(callback: () => unknown): void {
    try {
      const result = callback();
      if (result instanceof Promise) result.catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A handler has thrown: RFC 6455 §7.4.1: 1011. */
  #fail(error: unknown): void {
    const isOurs = error instanceof DOMException && error.name === "InvalidStateError";
    // To use a connection that the peer has closed meanwhile is no fault of the handler's.
    // Nor is how it ended, which `readable` rejects with: `closed` has it, and who breaks the protocol
    // has been reported.
    const isEnd = this.#closeInfo !== undefined && error === this.#closeInfo.error;
    if (!(isOurs && !this.#endpoint.isOpen) && !isEnd) this.#report(error);
    this.#endpoint.sendClose(encodeClosePayload(1011));
  }

  /** Tells of what went wrong; a callback that fails over it is one thing more to tell of. */
  #report(error: unknown): void {
    try {
      const result = this.#handler?.error?.(this, error);
      if (result instanceof Promise) result.catch((error) => this.#onError(error, this));
    } catch (thrown) {
      this.#onError(thrown, this);
    }
    this.#onError(error, this);
  }

  #end(info: CloseInfo): void {
    this.#closeInfo = info;
    this.#closed?.resolve(info);
    this.#sender?.abort(notOpen("The connection was closed"));
    this.#madeIncoming?.end();
    this.#streams?.end(info.error);
    this.#call(() => this.#handler?.close?.(this, info));
    this.#onClosed?.(this);
  }
}

function toPart(data: Message): MessagePart {
  return { type: typeof data === "string" ? "text" : "binary", data, fin: true };
}

/** Its rejection is for whoever awaits it: nobody has to. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function refused(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}
