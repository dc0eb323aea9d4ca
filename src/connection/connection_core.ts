import { useExtensions } from "../extensions/negotiation.ts";
import { encodeClosePayload } from "../protocol/close_code.ts";
import type { Message, MessagePart } from "../protocol/message.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import type { ConnectionInit, ConnectionStart } from "./connection_settings.ts";
import { Endpoint } from "./endpoint.ts";
import type { CloseInfo, EndpointOwner } from "./close_info.ts";
import { MessageQueue } from "./message_queue.ts";
import { MessageStreams } from "./message_streams.ts";
import { notOpen } from "./ready_state.ts";
import { makeReadable } from "./message_readable.ts";
import { isLonger } from "./sendable.ts";
import type { Sendable, SendOptions } from "./sendable.ts";
import type { Callbacks } from "./socket_handler.ts";
import { StreamSender } from "./stream_sender.ts";
import { Writable } from "./message_writable.ts";
import type { WritableTarget } from "./message_writable.ts";

/**
 * The inside of a WebSocketConnection, between its endpoint and whoever uses it: gives what comes to
 * the callbacks, or to those who pull; has what is sent wait for a stream that is being sent; and lets
 * all of them know how the connection has ended. It has no API of its own.
 */
export class ConnectionCore<Socket extends WritableTarget> implements EndpointOwner {
  readonly settings: ConnectionSettings<Socket>;
  readonly endpoint: Endpoint;
  readonly #socket: Socket;
  #handler: Callbacks<Socket> | undefined;
  /** Made when it's first needed: callbacks do without. */
  #incoming: MessageQueue | undefined;
  /** In the place of `#incoming`, where messages are read as they arrive. */
  #streams: MessageStreams | undefined;
  /** Made when a stream is sent for the first time. */
  #sender: StreamSender | undefined;
  #readable: ReadableStream<Message> | undefined;
  #writable: Writable | undefined;
  #closeInfo: CloseInfo | undefined;
  /** Made when it's first asked for. */
  #whenClosed: PromiseWithResolvers<CloseInfo> | undefined;

  constructor(
    socket: Socket,
    init: Pick<ConnectionInit<Socket, unknown>, "settings" | "transport" | "agreements">,
  ) {
    const { settings, transport, agreements } = init;
    const { maxMessageSize } = settings.limits;
    this.#socket = socket;
    this.settings = settings;
    const extensions = useExtensions(agreements, { maxMessageSize });
    this.endpoint = new Endpoint(settings, transport, this, extensions);
  }

  /** Starts reading and writing. */
  start({ answer, early, handler, opened }: ConnectionStart<Socket>): void {
    this.#handler = handler;
    this.endpoint.start(answer, early, () => {
      this.#call(() => handler?.open?.(this.#socket));
      opened?.();
    });
  }

  /** Whether a message may be sent: no close has been asked for, and the connection is there. */
  get isOpen(): boolean {
    return this.endpoint.isOpen && this.#sender?.isFinishing !== true;
  }

  /** As of the connection. */
  get bufferedAmount(): number {
    return this.endpoint.outgoing.bufferedAmount + (this.#sender?.queuedBytes ?? 0);
  }

  /** Sends a message; as of the connection. */
  send(message: Message, options: SendOptions | undefined): Promise<void> {
    const { endpoint } = this;
    const sender = this.#sender;
    // RFC 6455 §6.1: "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
    if (!endpoint.isOpen || sender?.isFinishing) return refused(notOpen("Cannot send"));
    if (isLonger(message, this.settings.limits.maxBufferedAmount - this.bufferedAmount)) {
      return refused(this.#overflowed());
    }
    if (sender?.isBusy) {
      const sent = handled(sender.sendMessage(message, options));
      endpoint.queued();
      return sent;
    }
    endpoint.send(message, options);
    return endpoint.outgoing.ready;
  }

  /** Sends a stream as a message; as of the connection. */
  sendStream(stream: ReadableStream<unknown>, options: SendOptions | undefined): Promise<void> {
    if (!this.isOpen) {
      const error = notOpen("Cannot send");
      stream.cancel(error).catch(() => {});
      return refused(error);
    }
    this.#sender ??= new StreamSender(this.endpoint);
    return handled(this.#sender.sendStream(stream, options));
  }

  /** The outgoing queue has no room for a message. */
  #overflowed(): DOMException {
    const text =
      `Cannot send: the peer has stopped reading, ${this.bufferedAmount} bytes wait, at most ` +
      `${this.settings.limits.maxBufferedAmount} may`;
    if (this.settings.overflow === "reject") return new DOMException(text, "QuotaExceededError");
    const error = notOpen(text);
    // RFC 6455 §7.4.1, by IANA's registry: 1013, try again later.
    this.endpoint.sendClose(encodeClosePayload(1013));
    return error;
  }

  /** As of the connection. */
  ping(): Promise<number> {
    return this.endpoint.isOpen
      ? this.endpoint.controlFrames.ping()
      : refused(notOpen("Cannot ping"));
  }

  /** What has come and waits for those who pull. */
  get incoming(): MessageQueue {
    if (this.#incoming === undefined) {
      this.#incoming = new MessageQueue(this.endpoint, this.settings.limits);
      if (this.#closeInfo !== undefined) this.#incoming.end();
    }
    return this.#incoming;
  }

  /** From the next message on, what comes is for those who read it as it arrives. */
  messageStreams(): MessageStreams {
    if (this.#handler !== undefined) {
      throw new DOMException(
        "Cannot stream messages: the connection's callbacks take them",
        "InvalidStateError",
      );
    }
    if (this.#streams === undefined) {
      this.#streams = new MessageStreams(
        this.endpoint,
        this.settings.limits.incomingHighWaterMark,
      );
      for (const data of this.incoming.takeAll()) this.#streams.push(toPart(data));
      if (this.#closeInfo !== undefined) this.#streams.end(this.#closeInfo.error);
      this.endpoint.reading.streamMessages();
    }
    return this.#streams;
  }

  /** As of the connection. */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= makeReadable(
      this.incoming,
      () => this.whenClosed,
      () => this.#streamEnded(),
    );
  }

  /** As of the connection. */
  get writable(): WritableStream<Sendable> {
    this.#writable ??= new Writable(this.#socket, {
      hasRoom: () => this.isOpen && !this.endpoint.outgoing.isFull && !this.#sender?.isBusy,
      written: () => this.endpoint.wanted(),
      finish: () => this.#streamEnded(),
    });
    return this.#writable.stream;
  }

  /** `readable` has been cancelled, or `writable` closed. */
  async #streamEnded(): Promise<void> {
    this.finish();
    await this.whenClosed;
  }

  /** Endpoint: a message; whether there is room for more. */
  message(message: Message): boolean {
    const handler = this.#handler;
    // The message that was under way when the first stream was asked for.
    if (this.#streams !== undefined) return this.part(toPart(message));
    if (handler === undefined) {
      const { incoming } = this;
      // After our Close there is no holding back: what nobody has room for is dropped.
      if (this.endpoint.isOpen || !incoming.isFull) incoming.push(message);
      return !incoming.isFull;
    }
    if (handler.message === undefined) return true;
    try {
      const result = handler.message(this.#socket, message);
      if (result instanceof Promise) result.catch((error) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  /** Endpoint: a part of a message; as `message()`. */
  part(part: MessagePart): boolean {
    const streams = this.#streams!;
    if (this.endpoint.isOpen || !streams.isFull) streams.push(part);
    else streams.drop(part);
    return !streams.isFull;
  }

  /** Endpoint: the rest of a message won't come. */
  cut(): void {
    this.#streams?.cut(notOpen("The peer has closed inside a message"));
  }

  /** Endpoint: whether there is no room for more messages. */
  get isFull(): boolean {
    return this.#handler === undefined && (this.#streams ?? this.incoming).isFull;
  }

  /** Endpoint: whether whoever uses it is done with every message so far. */
  get isSettled(): boolean {
    if (this.#sender?.isBusy) return false;
    if (this.#handler !== undefined) return true;
    return (this.#streams ?? this.incoming).isSettled && !this.#writable?.isWriting;
  }

  /** Endpoint: how many bytes of memory messages hold here. */
  get heldBytes(): number {
    return (this.#incoming?.heldBytes ?? 0) + (this.#streams?.heldBytes ?? 0) + this.queuedBytes;
  }

  /** Endpoint: how many of those wait to be sent. */
  get queuedBytes(): number {
    return this.#sender?.heldBytes ?? 0;
  }

  /** Endpoint: there is room to send again. */
  drain(): void {
    this.#call(() => this.#handler?.drain?.(this.#socket));
  }

  /** Starts the closing handshake, after the streams that are being sent. */
  close(payload: Uint8Array): void {
    this.#afterStreams(() => this.endpoint.sendClose(payload));
  }

  /** Closes, in the same way: whoever uses the connection is done with it. */
  finish(): void {
    this.#afterStreams(() => this.endpoint.finish());
  }

  #afterStreams(close: () => void): void {
    if (this.#sender?.isBusy) this.#sender.finish(close);
    else close();
  }

  /** Resolves when the connection has ended, to how. */
  get whenClosed(): Promise<CloseInfo> {
    this.#whenClosed ??= Promise.withResolvers();
    if (this.#closeInfo !== undefined) this.#whenClosed.resolve(this.#closeInfo);
    return this.#whenClosed.promise;
  }

  /** Endpoint: the connection is gone. */
  closed(info: CloseInfo): void {
    this.#closeInfo = info;
    this.#whenClosed?.resolve(info);
    this.#sender?.abort(notOpen("The connection was closed"));
    this.#incoming?.end();
    this.#streams?.end(info.error);
    // Before `close`, in which the server's `connections` has the socket no longer.
    this.settings.onClosed?.(this.#socket);
    this.#call(() => this.#handler?.close?.(this.#socket, info));
  }

  /** Endpoint: the peer, or the transport, has broken the connection. */
  failed(error: unknown): void {
    this.#streams?.cut(error);
    this.#report(error);
  }

  /** A handler has thrown: RFC 6455 §7.4.1: 1011. */
  fail(error: unknown): void {
    const isOurs = error instanceof DOMException && error.name === "InvalidStateError";
    // To use a connection that the peer has closed meanwhile is no fault of the handler's.
    // Nor is how it ended, which `readable` rejects with: `closed` has it, and who breaks the protocol
    // has been reported.
    const isEnd = this.#closeInfo !== undefined && error === this.#closeInfo.error;
    if (!(isOurs && !this.endpoint.isOpen) && !isEnd) this.#report(error);
    this.endpoint.sendClose(encodeClosePayload(1011));
  }

  /** Calls a callback of the handler's, whatever it does. */
  #call(callback: () => unknown): void {
    try {
      const result = callback();
      if (result instanceof Promise) result.catch((error) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Tells of what went wrong; a callback that fails over it is one thing more to tell of. */
  #report(error: unknown): void {
    try {
      const result = this.#handler?.error?.(this.#socket, error);
      if (result instanceof Promise) {
        result.catch((error) => this.settings.onError(error, this.#socket));
      }
    } catch (thrown) {
      this.settings.onError(thrown, this.#socket);
    }
    this.settings.onError(error, this.#socket);
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
