import { encodeClosePayload } from "./protocol/close_code.ts";
import type { Role } from "./protocol/frame.ts";
import type { Limits } from "./protocol/limits.ts";
import type { Message } from "./protocol/message.ts";
import { Endpoint, notOpen } from "./endpoint.ts";
import type { CloseInfo } from "./endpoint.ts";
import { Incoming } from "./incoming.ts";
import type { Addr, Transport } from "./transport/transport.ts";

export type { CloseInfo } from "./endpoint.ts";

/** The values of {@linkcode WebSocketConnection.readyState}, as of the platform's `WebSocket`. */
export const ReadyState = {
  /** Messages can be sent. */
  Open: 1,
  /** Our Close frame has been sent. */
  Closing: 2,
  /** The TCP connection has ended. */
  Closed: 3,
} as const;

/** One of the values of {@linkcode ReadyState}. */
export type ReadyState = typeof ReadyState[keyof typeof ReadyState];

/** What can be sent: text, or bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/**
 * A connection's callbacks: the fastest way to be told of messages. None is awaited; one that
 * throws, or whose promise rejects, closes the connection with 1011.
 */
export interface SocketHandler<Data = unknown> {
  /** The connection is open. */
  open?(socket: WebSocketConnection<Data>): unknown;
  /** A message has come. */
  message?(socket: WebSocketConnection<Data>, message: Message): unknown;
  /** The outgoing queue, which was above its high-water mark, is below it again. */
  drain?(socket: WebSocketConnection<Data>): unknown;
  /** The connection has ended. */
  close?(socket: WebSocketConnection<Data>, info: CloseInfo): unknown;
  /** The peer broke the protocol or a limit, or a callback has thrown; `close` follows. */
  error?(socket: WebSocketConnection<Data>, error: unknown): unknown;
}

/** What a connection is made from, by the handshake of either role. */
export interface ConnectionInit<Data> {
  role: Role;
  transport: Transport;
  limits: Readonly<Limits>;
  protocol: string;
  extensions: string;
  data: Data;
  /** Makes the opening handshake's request when somebody asks for it. */
  request: () => Request;
  onError: (error: unknown, socket: WebSocketConnection<Data>) => void;
  onClosed: ((socket: WebSocketConnection<Data>) => void) | undefined;
}

/** What a connection starts with. */
export interface ConnectionStart<Data> {
  /** Bytes to send before all others: the answer to the opening handshake. */
  answer: Uint8Array<ArrayBuffer>;
  /** Bytes that came with the opening handshake. */
  early: Uint8Array;
  /** The callbacks, if that is how it's used. */
  handler?: SocketHandler<Data> | undefined;
  /** Called once messages can be sent, before any comes. */
  opened?: () => void;
}

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
  /** The address of this end. */
  readonly localAddr: Addr;
  /** The address of the other end: the proxy's, where there is one. */
  readonly remoteAddr: Addr;
  /** What `upgrade()` attached to the connection; yours. */
  data: Data;

  readonly #endpoint: Endpoint;
  readonly #incoming: Incoming;
  readonly #maxBufferedAmount: number;
  readonly #onError: ConnectionInit<Data>["onError"];
  readonly #onClosed: ConnectionInit<Data>["onClosed"];
  #handler: SocketHandler<Data> | undefined;
  #request: Request | (() => Request);
  #closeInfo: CloseInfo | undefined;
  #closed: PromiseWithResolvers<CloseInfo> | undefined;
  #readable: ReadableStream<Message> | undefined;
  #writable: WritableStream<Sendable> | undefined;
  /** Whether a write to `writable` waits for room. */
  #isWriting = false;

  static {
    openConnection = (init) => new WebSocketConnection(init);
    startConnection = (connection, { answer, early, handler, opened }) => {
      connection.#handler = handler;
      connection.#endpoint.start(answer, early, () => {
        connection.#call(() => handler?.open?.(connection));
        opened?.();
      });
    };
    finishConnection = (connection) => connection.#endpoint.finish();
    failConnection = (connection, error) => connection.#fail(error);
  }

  private constructor(init: ConnectionInit<Data>) {
    const { role, transport, limits } = init;
    this.protocol = init.protocol;
    this.extensions = init.extensions;
    this.data = init.data;
    this.localAddr = transport.localAddr;
    this.remoteAddr = transport.remoteAddr;
    this.#request = init.request;
    this.#onError = init.onError;
    this.#onClosed = init.onClosed;
    this.#maxBufferedAmount = limits.maxBufferedAmount;
    const isSettled = () =>
      this.#handler !== undefined || (this.#incoming.isSettled && !this.#isWriting);
    const isFull = () => this.#handler === undefined && this.#incoming.isFull;
    this.#endpoint = new Endpoint(role, transport, limits, {
      get isSettled() {
        return isSettled();
      },
      get isFull() {
        return isFull();
      },
      message: (message) => this.#take(message),
      drain: () => this.#call(() => this.#handler?.drain?.(this)),
      failed: (error) => this.#report(error),
      closed: (info) => this.#end(info),
    });
    this.#incoming = new Incoming(this.#endpoint, limits);
  }

  /** `Open`, `Closing` or `Closed`, of {@linkcode ReadyState}. */
  get readyState(): ReadyState {
    if (this.#endpoint.isOpen) return ReadyState.Open;
    return this.#endpoint.isClosed ? ReadyState.Closed : ReadyState.Closing;
  }

  /** The request of the opening handshake. */
  get request(): Request {
    if (typeof this.#request === "function") this.#request = this.#request();
    return this.#request;
  }

  /** How many bytes have been sent and wait for the peer, frame headers included. */
  get bufferedAmount(): number {
    return this.#endpoint.outgoing.bufferedAmount;
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
   * @returns a promise that resolves at once, or when the queue is below its high-water mark again:
   * await it, and a slow peer slows you down. It rejects with an `InvalidStateError` where the
   * connection is not open; nobody has to look at that.
   * @throws {TypeError} where `data` is something else.
   */
  send(data: Sendable): Promise<void> {
    const message = typeof data === "string" ? data : toBytes(data);
    // RFC 6455 §6.1: "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
    if (!this.#endpoint.isOpen) return refused(notOpen("Cannot send"));
    const { outgoing } = this.#endpoint;
    if (isLonger(message, this.#maxBufferedAmount - outgoing.bufferedAmount)) {
      const error = notOpen(
        `Cannot send: the peer has stopped reading, ${outgoing.bufferedAmount} bytes wait, at ` +
          `most ${this.#maxBufferedAmount} may`,
      );
      // RFC 6455 §7.4.1, by IANA's registry: 1013, try again later.
      this.#endpoint.sendClose(encodeClosePayload(1013));
      return refused(error);
    }
    outgoing.send(message);
    return outgoing.ready;
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
    this.#endpoint.sendClose(encodeClosePayload(code, reason));
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
   * The messages as a stream: it ends with the connection, and errors where that was not clean.
   * Cancelling it closes the connection.
   */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= new ReadableStream<Message>({
      pull: async (controller) => {
        const { done, value } = await this.#incoming.next();
        if (!done) return controller.enqueue(value);
        const { wasClean, closeCode, error } = await this.closed;
        if (wasClean) return controller.close();
        controller.error(
          error ?? notOpen(`The connection was lost (${closeCode})`),
        );
      },
      cancel: async () => {
        this.#endpoint.finish();
        await this.closed;
      },
    }, { highWaterMark: 0 });
  }

  /**
   * Where messages are sent as a stream, with backpressure. Closing it closes the connection with
   * 1000, aborting it drops the connection with 1011.
   */
  get writable(): WritableStream<Sendable> {
    return this.#writable ??= new WritableStream<Sendable>({
      write: (data) => this.#write(data),
      close: async () => {
        this.#endpoint.finish();
        await this.closed;
      },
      abort: async () => void await this.close(1011),
    }, { highWaterMark: 64 });
  }

  #write(data: Sendable): Promise<void> | void {
    const sent = this.send(data);
    // A promise costs the stream a turn: none where there is room.
    if (this.#endpoint.isOpen && !this.#endpoint.outgoing.isFull) return;
    this.#isWriting = true;
    return sent.finally(() => {
      this.#isWriting = false;
      this.#endpoint.wanted();
    });
  }

  /** Whether there is room for more. */
  #take(message: Message): boolean {
    const handler = this.#handler;
    if (handler === undefined) {
      // After our Close there is no holding back: what nobody has room for is dropped.
      if (this.#endpoint.isOpen || !this.#incoming.isFull) this.#incoming.push(message);
      return !this.#incoming.isFull;
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
    this.#incoming.end();
    this.#call(() => this.#handler?.close?.(this, info));
    this.#onClosed?.(this);
  }
}

function toBytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError(
    `Cannot send: expected a string, an ArrayBuffer or a view of one, got ${describe(data)}`,
  );
}

/** Whether a message has more bytes than that; text is looked at only where it could. */
function isLonger(message: Message, max: number): boolean {
  if (message.length > max || typeof message !== "string") return message.length > max;
  return message.length * 3 > max && new TextEncoder().encode(message).length > max;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "an object" : typeof value;
}

/** A rejection that nobody has to look at. */
function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}
