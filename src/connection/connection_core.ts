import type { ExtensionInUse } from "../extensions/extension.ts";
import { useExtensions } from "../extensions/negotiation.ts";
import "../protocol/provide_fast_paths.ts";
import { CloseCode, decodeClosePayload, encodeClosePayload } from "../protocol/close_code.ts";
import { closeCodeOf, type WebSocketError } from "../protocol/errors.ts";
import type { Frame } from "../protocol/frame.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";
import { type TurnBudget, turnBudget } from "../transport/turn_budget.ts";
import { CallbackConsumer } from "./callback_consumer.ts";
import {
  CloseHandshake,
  type CloseHandshakeCore,
  closeInfo,
  noCloseFrame,
} from "./close_handshake.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConnectionSettings, ConnectionStart, CoreInit } from "./connection_settings.ts";
import { ConnectionReaders } from "./connection_readers.ts";
import { Keepalive, type KeepaliveCore } from "./keepalive.ts";
import { type AccountCore, MemoryAccount } from "./memory_account.ts";
import type { MessageConsumer } from "./message_consumer.ts";
import type { MessageStreams } from "./message_streams.ts";
import { Writable, type WritableTarget } from "./message_writable.ts";
import { notOpen, ReadyState, wasClosed } from "./ready_state.ts";
import { Receiver, type ReceiverCore } from "./receiver.ts";
import type { Sendable } from "./sendable.ts";
import { Sender } from "./sender.ts";
import type { SenderCore } from "./sender_core.ts";

/** The consumer of all connections with `discardMessages`. */
const DISCARD = /* @__PURE__ */ new CallbackConsumer<unknown>({});

/**
 * The core of a `WebSocketConnection` of either role: its state, and the connections between its parts.
 *
 * ```
 * Open     messages are sent and received
 *   -> Closing  our Close frame is queued: by sendClose(), for close(), finish(), or the answer to the
 *               peer's Close, or by fail()
 * Closing  only control frames are sent; received messages are still delivered, unless the connection
 *          has failed. CloseHandshake has a phase: "flushing" our Close, "awaiting-close" of the peer,
 *          "awaiting-eof" of TCP; each takes at most closeTimeout
 *   -> Closed   the transport is closed
 * Open     -> Closed  on abort(), a reset, a lost peer, or an end of TCP without a Close frame (1006)
 * ```
 *
 * The state stays Open, though `readyState` is Closing, while our Close frame waits for a consumer that may
 * still reply (phase "awaiting-consumer"), or for the streams that are being sent.
 */
export class ConnectionCore<Socket extends WritableTarget>
  implements
    TransportHandler,
    ReceiverCore,
    SenderCore,
    CloseHandshakeCore,
    KeepaliveCore,
    AccountCore {
  readonly socket: Socket;
  readonly settings: ConnectionSettings<Socket>;
  readonly transport: Transport;
  readonly sender: Sender;
  readonly keepalive: Keepalive;
  /** The index of the connection in its server's `DenseSet`. */
  index = -1;
  readonly #extensions: ExtensionInUse | undefined;
  #state: ReadyState = ReadyState.Open;
  /** Whether `close()` has been called, or the closing handshake has begun. */
  isClosing = false;
  /** Whether a handler function is running. */
  isHandled = false;
  /** The error with which the connection has failed. */
  #failure: unknown;
  /** How the connection has ended. */
  closeInfo: CloseInfo | undefined;
  // The parts below are created when they are first needed: an idle connection has none of them.
  #receiver: Receiver | undefined;
  #consumer: MessageConsumer<Socket> | undefined;
  #readers: ConnectionReaders | undefined;
  #closeHandshake: CloseHandshake | undefined;
  #account: MemoryAccount | undefined;
  #writable: Writable | undefined;
  #whenClosed: PromiseWithResolvers<CloseInfo> | undefined;

  constructor(socket: Socket, { settings, transport, agreements }: CoreInit<Socket>) {
    this.socket = socket;
    this.settings = settings;
    this.transport = transport;
    const { maxMessageSize } = settings.limits;
    this.#extensions = agreements.length === 0
      ? undefined
      : useExtensions(agreements, { maxMessageSize });
    this.sender = new Sender(this, this.#extensions);
    this.keepalive = new Keepalive(this);
    settings.budget?.join(); // Last, since an extension may throw.
  }

  /** Starts reading and writing. */
  start({ answer, early, consumer, opened }: ConnectionStart<Socket>): void {
    this.#consumer = consumer ?? (this.settings.discardMessages ? DISCARD : undefined);
    this.transport.handler = this;
    this.sender.cork();
    this.sender.sendRaw(answer);
    consumer?.onOpen?.(this);
    opened?.();
    this.sender.uncork();
    if (this.#closeHandshake === undefined && !this.isClosed) this.keepalive.start();
    if (early.length > 0) this.data(early);
    if (!this.#receiver?.isReadingPaused && !this.isClosed) this.transport.resume();
  }

  /** As `WebSocketConnection.readyState`. */
  get readyState(): ReadyState {
    return this.isOpen && this.isClosing ? ReadyState.Closing : this.#state;
  }

  // Members that the parts use: their interfaces explain them.

  get isOpen(): boolean {
    return this.#state === ReadyState.Open;
  }
  get isClosed(): boolean {
    return this.#state === ReadyState.Closed;
  }
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }
  get hasEnded(): boolean {
    return this.#receiver?.hasEnded === true;
  }
  get hasReceivedClose(): boolean {
    return this.#closeHandshake?.received !== undefined;
  }
  get isPausedLocally(): boolean {
    return this.#receiver?.isPausedLocally === true;
  }
  get isOverBudget(): boolean {
    return this.#account?.isStopped === true && this.isOpen;
  }
  get isIdle(): boolean {
    return this.#consumer?.isIdle !== false && !this.#isSending;
  }
  get mayReply(): boolean {
    return this.#consumer?.mayReply === true || this.#isSending;
  }

  /** Whether a stream is being sent, or a loop waits for a write; callbacks have no loop. */
  get #isSending(): boolean {
    return this.sender.isStreaming ||
      (this.#writable?.isWriting === true && !(this.#consumer instanceof CallbackConsumer));
  }

  /** The receiver, created with the first chunk. */
  get receiver(): Receiver {
    return this.#receiver ??= new Receiver(this, this.#extensions);
  }

  /** The ways to pull messages. */
  get readers(): ConnectionReaders {
    return this.#readers ??= new ConnectionReaders(this);
  }

  /** Receiver: the consumer of messages: the queue, unless there are callbacks, or streams are read. */
  get consumer(): MessageConsumer<Socket> {
    return this.#consumer ??= this.readers.queue;
  }

  /** As `WebSocketConnection.messageStreams()`. */
  messageStreams(): MessageStreams {
    if (this.#consumer instanceof CallbackConsumer) {
      throw new DOMException(
        "Cannot stream messages: the connection's callbacks, or its option discardMessages, take them",
        "InvalidStateError",
      );
    }
    const { streams } = this.readers;
    this.#consumer = streams;
    this.receiver.streamMessages(streams);
    return streams;
  }

  /** As `WebSocketConnection.writable`. */
  get writable(): WritableStream<Sendable> {
    return (this.#writable ??= new Writable(this.socket, this)).stream;
  }

  /** Starts the closing handshake, after the streams that are being sent. */
  startClose(payload: Uint8Array): void {
    this.isClosing = true;
    this.sender.finish(() => this.sendClose(payload));
  }

  /** Answers the peer's Close, or closes with 1000, after the streams that are being sent. */
  finish(): void {
    this.isClosing = true;
    this.sender.finish(() => {
      if (!this.isOpen) return;
      if (this.#closeHandshake !== undefined) this.#closeHandshake.answer();
      else this.sendClose(encodeClosePayload(CloseCode.NormalClosure));
    });
  }

  /** Sends our Close frame, unless it has been. RFC 6455 §7.1.2: "MUST send a Close control frame". */
  sendClose(payload: Uint8Array): void {
    if (!this.isOpen) return;
    const handshake = this.#queueClose(payload);
    this.sender.flush();
    if (this.isClosed) return;
    handshake.advance();
    this.onIdle();
  }

  #queueClose(payload: Uint8Array): CloseHandshake {
    const handshake = this.#startCloseHandshake();
    if (!this.isOpen) return handshake;
    this.#state = ReadyState.Closing;
    handshake.send(payload);
    return handshake;
  }

  /** From here on, the waits of the closing handshake limit how long a peer may be silent. */
  #startCloseHandshake(): CloseHandshake {
    this.isClosing = true;
    this.keepalive.stopTimer();
    return this.#closeHandshake ??= new CloseHandshake(this);
  }

  /**
   * Receiver, MemoryAccount: the peer has broken a rule or a limit. The messages before that may still be
   * replied to, unless memory must be freed. RFC 6455 §7.1.7: _Fail the WebSocket Connection_: "the endpoint SHOULD send a Close frame with an
   * appropriate status code before proceeding to _Close the WebSocket Connection_." "An endpoint MUST
   * NOT continue to attempt to process data".
   */
  fail(error: unknown, isMemory = false): void {
    if (this.isClosed || this.hasFailed) return;
    this.#failure = error;
    this.#receiver?.discard();
    this.#consumer?.cut?.(error);
    const handshake = this.#startCloseHandshake();
    const payload = encodeClosePayload(closeCodeOf(error));
    if (!this.mayReply || isMemory) this.#queueClose(payload);
    else if (this.isOpen) handshake.reply(payload);
    this.#receiver?.readToEnd();
    this.#consumer?.onError?.(error, this);
    this.reportError(error);
    handshake.advance();
  }

  /** Keepalive: the peer does not respond. RFC 6455 §7.1.7 allows to omit the Close frame. */
  peerLost(error: WebSocketError): void {
    if (this.isClosed || this.hasFailed) return;
    this.#failure = error;
    this.#consumer?.onError?.(error, this);
    this.reportError(error);
    this.transport.abort();
  }

  /** The application has thrown. RFC 6455 §7.4.1: 1011. */
  handlerFailed(error: unknown): void {
    const isNotOpen = error instanceof DOMException && error.name === "InvalidStateError";
    // Not reported: the use of a connection that the peer has closed meanwhile, and the error that the
    // connection has ended with, which `readable` rejects with and which has been reported.
    const isEnd = error !== undefined && error === (this.#failure ?? this.closeInfo?.error);
    if (!(isNotOpen && !this.isOpen) && !isEnd) {
      if (this.#consumer instanceof CallbackConsumer) this.#consumer.onError(error, this);
      this.reportError(error);
    }
    this.sendClose(encodeClosePayload(CloseCode.InternalError));
  }

  /** Passes an error to the option `onError`. */
  reportError(error: unknown): void {
    this.settings.onError(error, this.socket);
  }

  /** The application waits for the end: it replies to no message any more. */
  release(): void {
    if (!this.#consumer?.mayReply) return;
    this.#consumer.release?.();
    this.onIdle();
  }

  /** As `WebSocketConnection.closed`. */
  get whenClosed(): Promise<CloseInfo> {
    this.#whenClosed ??= Promise.withResolvers();
    if (this.closeInfo !== undefined) this.#whenClosed.resolve(this.closeInfo);
    return this.#whenClosed.promise;
  }

  /** Receiver: a control frame. */
  control(frame: Frame): void {
    if (frame.opcode === Opcode.Close) {
      const received = decodeClosePayload(frame.payload);
      this.#consumer?.cut?.(notOpen("The peer has closed inside a message"));
      this.#startCloseHandshake().receive(received);
    } else if (!this.isClosed) {
      this.keepalive.take(frame);
    }
  }

  /** Receiver: the peer has ended TCP, and everything before that has been decoded. */
  peerEnded(): void {
    if (this.hasReceivedClose) return this.#closeHandshake!.advance();
    if (this.hasFailed && this.isOpen) return; // Our Close frame waits for the consumer.
    this.#failure ??= noCloseFrame();
    return this.mayReply ? this.#startCloseHandshake().peerEnded() : this.transport.close();
  }

  /** The consumer is idle, or has room: resumes reading, writes, and answers the peer's Close. */
  onIdle(): void {
    const receiver = this.#receiver;
    if (receiver !== undefined && (receiver.isReadingPaused || receiver.hasPendingInput)) {
      if (this.consumer.isFull && this.isOpen) this.readers.onFull();
      else receiver.resume();
    }
    if (this.#closeHandshake !== undefined && this.isOpen && !this.mayReply) {
      this.#closeHandshake.onIdle();
    }
    if (!this.isIdle) return;
    // The replies to all messages of a turn are queued: no need to wait for a quiet microtask.
    this.sender.scheduleFlush();
    if (this.#account !== undefined || this.sender.queuedBytes > 0) this.updateMemoryUsage();
  }

  /** Receiver: the time for received data in one event-loop turn, of all connections. */
  get turn(): TurnBudget {
    return turnBudget;
  }

  /** Receiver: continues with the pending input, in the next event-loop turn. */
  onTurn(): void {
    if (this.isClosed) return;
    this.sender.cork();
    this.onIdle();
    this.sender.scheduleFlush();
    this.updateMemoryUsage();
  }

  /** Sender: the send queue is empty, or below its mark again. */
  onWritten(wasFull: boolean): void {
    if (this.isClosed) return;
    this.keepalive.onDrain(); // A transport that writes at once has no drain().
    if (!this.isOpen) return this.#closeHandshake!.advance();
    if (wasFull) this.#consumer?.onDrain?.(this);
    const receiver = this.#receiver;
    if (receiver === undefined || this.#consumer?.isFull) return;
    if (receiver.isReadingPaused || this.isIdle) receiver.resume();
  }

  data(chunk: Uint8Array): void {
    const receiver = this.receiver;
    this.settings.counters.bytesReceived += chunk.length;
    this.keepalive.onActivity();
    this.sender.cork();
    if (!this.isClosed && !this.hasFailed) receiver.take(chunk);
    this.sender.scheduleFlush();
    receiver.afterChunk();
    this.updateMemoryUsage();
  }

  drain(): void {
    this.progress();
    this.sender.onDrain();
    this.keepalive.onDrain();
    if (this.#account !== undefined) this.updateMemoryUsage();
  }

  progress(): void {
    this.#closeHandshake?.onProgress();
    this.sender.onProgress();
    // If the queue is not full, the kernel may have taken everything, and the peer nothing.
    if (this.sender.isFull) this.keepalive.onActivity();
  }

  end(): void {
    this.keepalive.stopTimer();
    this.receiver.end();
  }

  close(error?: unknown): void {
    if (this.isClosed) return;
    this.#state = ReadyState.Closed;
    this.#closeHandshake?.close();
    const info = closeInfo(this.#closeHandshake, this.sender.queuedBytes, this.#failure, error);
    // Creating an error takes as long as the rest of this, so it is created only if a promise waits for it.
    const closed = this.sender.isAwaited || this.keepalive.isAwaited ? wasClosed() : undefined;
    try {
      this.sender.close(closed);
      this.keepalive.close(closed);
      this.#receiver?.discard();
    } catch (thrown) { // A stream or an extension: `closed` and the server must not wait without end.
      this.reportError(thrown);
    }
    this.settings.budget?.leave();
    this.closeInfo = info;
    this.#whenClosed?.resolve(info);
    this.#readers?.onClose(info);
    this.updateMemoryUsage();
    // Before the callback `close`, in which the server's `connections` does not have the socket.
    this.settings.onClosed?.(this.socket);
    this.#consumer?.onClose?.(info, this);
  }

  /** The memory usage of the connection, in bytes. After the end, of what a handler may read. */
  get memoryUsage(): number {
    if (this.isClosed) return this.isHandled ? this.#readers?.memoryUsage ?? 0 : 0;
    return (this.#receiver?.memoryUsage ?? 0) + this.sender.memoryUsage +
      (this.#readers?.memoryUsage ?? 0) + this.keepalive.memoryUsage +
      (this.transport.heldBytes ?? 0);
  }

  /** Reports the memory usage to the account, which limits it. */
  updateMemoryUsage(): void {
    const usage = this.memoryUsage;
    if (this.#account === undefined && !MemoryAccount.isNeeded(usage, this.settings)) return;
    (this.#account ??= new MemoryAccount(this)).update(usage);
  }
}
