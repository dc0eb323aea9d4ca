import { CloseCode, decodeClosePayload, encodeClosePayload } from "./protocol/close_code.ts";
import { closeCodeOf, WebSocketError } from "./protocol/errors.ts";
import type { Frame, FrameInit, Role } from "./protocol/frame.ts";
import { FrameEncoder } from "./protocol/frame_encoder.ts";
import type { Limits } from "./protocol/limits.ts";
import type { Message, MessagePart } from "./protocol/message.ts";
import { Opcode } from "./protocol/opcode.ts";
import type {
  ExtensionInUse,
  ExtensionSendOptions,
  FrameInitSink,
} from "./extensions/extension.ts";
import { MemoryAccount, STEP } from "./budget.ts";
import type { MemoryBudget, MemoryHolder } from "./budget.ts";
import { Closing } from "./closing.ts";
import type { ClosingOwner } from "./closing.ts";
import { ControlFrames } from "./control_frames.ts";
import type { ControlFramesOwner } from "./control_frames.ts";
import type { CloseInfo, EndpointOwner } from "./endpoint_owner.ts";
import { holdsTooMuch } from "./held.ts";
import { Outgoing } from "./outgoing.ts";
import type { OutgoingOwner } from "./outgoing.ts";
import { Receiver } from "./receiver.ts";
import type { ReceiverTarget } from "./receiver.ts";
import { timers } from "./timers.ts";
import type { Timers } from "./timers.ts";
import type { Transport, TransportHandler } from "./transport/transport.ts";

export type { CloseInfo, EndpointOwner } from "./endpoint_owner.ts";

const textEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * One end of an open connection, of either role: bytes to messages and back, pings answered, and the
 * closing handshake of RFC 6455 §7. It has no API of its own: that is WebSocketConnection's.
 */
export class Endpoint
  implements
    TransportHandler,
    ReceiverTarget,
    OutgoingOwner,
    ClosingOwner,
    ControlFramesOwner,
    MemoryHolder {
  readonly role: Role;
  readonly transport: Transport;
  readonly outgoing: Outgoing;
  readonly timers: Timers;
  readonly #limits: Readonly<Limits>;
  readonly #owner: EndpointOwner;
  readonly #receiver: Receiver;
  readonly #extensions: ExtensionInUse | undefined;
  /** Where the extensions hand on what is to be sent; made when it's first needed. */
  #sendSink: FrameInitSink | undefined;

  /** Made with the first Close frame, of either side. */
  #closing: Closing | undefined;
  #hasEnded = false;
  #isClosed = false;
  #error: unknown;
  #isPaused = false;
  readonly #control: ControlFrames;
  readonly #budget: MemoryBudget | undefined;
  /** Made when there is first something to tell the budget. */
  #account: MemoryAccount | undefined;

  constructor(
    role: Role,
    transport: Transport,
    limits: Readonly<Limits>,
    owner: EndpointOwner,
    extensions?: ExtensionInUse,
    clock: Timers = timers,
    budget?: MemoryBudget,
  ) {
    this.role = role;
    this.transport = transport;
    this.timers = clock;
    this.#limits = limits;
    this.#owner = owner;
    this.#extensions = extensions;
    this.#budget = budget;
    budget?.join();
    const { lendsChunks } = transport;
    this.#receiver = new Receiver({ role, limits, extensions, lendsChunks }, this);
    this.outgoing = new Outgoing(
      transport,
      new FrameEncoder({ role }),
      limits,
      this,
    );
    this.#control = new ControlFrames(this, limits);
  }

  /** Whether data may be sent: our Close frame has not been, and the connection is there. */
  get isOpen(): boolean {
    return this.#closing?.isSent !== true && !this.#isClosed;
  }

  /** Whether the TCP connection has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many bytes of memory the connection holds. */
  get heldBytes(): number {
    return this.#receiver.heldBytes + this.outgoing.heldBytes + this.#owner.heldBytes +
      this.#control.heldBytes + (this.transport.heldBytes ?? 0);
  }

  /** Closing: whether the peer has ended its direction of TCP. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Closing: whether the connection has failed. */
  get hasFailed(): boolean {
    return this.#error !== undefined;
  }

  /** Closing, Outgoing: whether the owner is done with every message so far. */
  get isSettled(): boolean {
    return this.#owner.isSettled;
  }

  /** Closing: how long each of its waits may take, in milliseconds. */
  get closeTimeout(): number {
    return this.#limits.closeTimeout;
  }

  /**
   * Starts.
   *
   * @param answer Bytes to send before all others: the answer to the opening handshake.
   * @param early Bytes that came with the opening handshake.
   * @param opened Called before the first message is taken: what it sends goes out with the answer.
   */
  start(answer: Uint8Array<ArrayBuffer>, early: Uint8Array, opened: () => void): void {
    this.transport.handler = this;
    this.outgoing.hold();
    this.outgoing.sendRaw(answer);
    opened();
    this.outgoing.release();
    if (this.#closing === undefined && !this.#isClosed) this.#control.start();
    if (early.length > 0) this.data(early);
    if (!this.#isPaused && !this.#isClosed) this.transport.resume();
  }

  /** Sends a message, by way of the extensions that would change it. */
  send(message: Message, options?: ExtensionSendOptions): void {
    const extensions = this.#extensions;
    const isText = typeof message === "string";
    // At most three bytes a character: a rough answer is enough to leave the extensions out.
    if (!extensions?.changes(isText ? message.length * 3 : message.length)) {
      this.outgoing.send(message);
      return;
    }
    const payload = isText ? textEncoder.encode(message) : message;
    const opcode = isText ? Opcode.Text : Opcode.Binary;
    extensions.send({ opcode, payload }, this.#sink, options);
  }

  /** Sends a frame of the owner's own making, by way of the extensions. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void {
    if (this.#extensions === undefined) this.outgoing.send(frame);
    else this.#extensions.send(frame, this.#sink, options);
  }

  get #sink(): FrameInitSink {
    return this.#sendSink ??= { enqueue: (frame) => this.outgoing.send(frame) };
  }

  /** From the next message on, messages are handed over in parts, as they arrive. */
  streamMessages(): void {
    this.#receiver.streamMessages();
  }

  /** What the owner has begun to send can't be ended: 1011. */
  giveUp(): void {
    this.sendClose(encodeClosePayload(CloseCode.InternalError));
  }

  /** Sends a Ping; resolves to the milliseconds until its Pong. */
  ping(): Promise<number> {
    const roundTrip = this.#control.ping();
    this.queued();
    return roundTrip;
  }

  /** The milliseconds that the last Ping to be answered took; `undefined` before there is one. */
  get roundTrip(): number | undefined {
    return this.#control.roundTrip;
  }

  /** ControlFrames: whether reading has stopped, and not because the peer does not read. */
  get isHeldBack(): boolean {
    return this.#isPaused && !this.#isBehind;
  }

  /** ControlFrames: whether the peer's Close has come. */
  get hasReceivedClose(): boolean {
    return this.#closing?.received !== undefined;
  }

  /**
   * ControlFrames: the peer is gone. RFC 6455 §7.1.7: "An endpoint MAY omit sending a Close frame if it
   * believes the other side is unlikely to be able to receive and process the Close frame".
   */
  lost(error: WebSocketError): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#error = error;
    this.#owner.failed(error);
    this.transport.abort();
  }

  /**
   * Starts the closing handshake; whoever calls has checked the payload.
   *
   * RFC 6455 §7.1.2: "an endpoint MUST send a Close control frame with a status code and reason".
   */
  sendClose(payload: Uint8Array): void {
    if (!this.isOpen) return;
    const closing = this.#beginClosing();
    closing.send(payload);
    this.outgoing.flush();
    if (this.#isClosed) return;
    closing.advance();
    this.wanted();
  }

  /** The owner is done: the peer's Close is answered, where it has come, or ours is sent. */
  finish(): void {
    if (!this.isOpen) return;
    if (this.#closing?.received !== undefined) this.#closing.answer();
    else this.sendClose(encodeClosePayload(CloseCode.NormalClosure));
  }

  /** Ends the connection at once, without a closing handshake. */
  abort(error?: unknown): void {
    this.#error ??= error;
    this.transport.abort();
  }

  /**
   * The owner wants more: what was held back comes now.
   */
  wanted(): void {
    const isFull = this.#owner.isFull && this.isOpen;
    if (!isFull && (this.#isPaused || this.#receiver.holdsBack)) this.#resume();
    if (!this.#owner.isSettled) return;
    // A turn's sends are done when its messages are: no need to wait for a quiet microtask.
    this.outgoing.flush();
    // Whoever took the last message may yet answer it, within this turn.
    if (this.#closing?.received !== undefined && this.isOpen) this.#closing.settled();
    if (this.#account !== undefined) this.queued();
  }

  /** Outgoing, and who queues more: looks at what is held, after it has changed. */
  queued(): void {
    if (this.#isClosed) return;
    const all = this.heldBytes;
    if (this.#budget !== undefined && (all >= STEP || this.#account !== undefined)) {
      this.#account ??= new MemoryAccount(this, this.#budget);
      this.#account.note(all);
    }
    const max = this.#limits.maxConnectionMemory;
    if (all <= max || this.#error !== undefined) return;
    const outgoing = this.outgoing.heldBytes + this.#owner.queuedBytes + this.#control.heldBytes;
    this.#fail(holdsTooMuch({ all, outgoing, unfinished: this.#receiver.unfinishedBytes }, max));
  }

  /** MemoryAccount: reads, or doesn't. */
  regulate(): void {
    this.#regulate(false);
    if (this.#isPaused && !this.#owner.isFull) this.#resume();
  }

  /** MemoryBudget: frees what is held. */
  evict(error: unknown): void {
    const isSecond = this.#error !== undefined;
    this.#fail(error);
    // A Close frame behind what the peer doesn't read would free nothing.
    if (isSecond || this.outgoing.isFull) this.transport.abort();
    else this.queued();
  }

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    this.#control.heard();
    const heldBack = this.#receiver.holdsBack;
    this.outgoing.hold();
    this.#receive(() => this.#receiver.take(chunk));
    this.outgoing.releaseSoon();
    this.#regulate(heldBack);
    this.queued();
  }

  /** Transport: the last write is done. */
  drain(): void {
    this.progress();
    this.outgoing.drained();
    this.#control.drained();
    if (this.#account !== undefined) this.queued();
  }

  /** Transport: a part of the last write has gone out. */
  progress(): void {
    this.#closing?.progressed();
    // Where the queue is not full, all may be in the kernel's buffer, and the peer be gone.
    if (this.outgoing.isFull) this.#control.heard();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.#hasEnded = true;
    this.#control.stopTimer();
    // What came before the end, perhaps a Close, may wait behind a slow owner.
    if (!this.#receiver.holdsBack) this.#takeEnd();
  }

  /** Transport: gone. */
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing?.end();
    const received = this.#closing?.received;
    const info: CloseInfo = {
      closeCode: received?.closeCode ?? CloseCode.AbnormalClosure,
      reason: received?.reason ?? "",
      // Our Close may be written and not be sent: the peer has stopped reading.
      wasClean: received !== undefined && this.#closing?.isSent === true &&
        this.#error === undefined &&
        this.outgoing.bufferedAmount === 0,
    };
    const cause = this.#error ?? (info.wasClean ? undefined : error);
    if (cause !== undefined) info.error = cause;
    // An error takes as long to make as the rest of this: it's made for who waits, if anybody does.
    const isAwaited = this.outgoing.isAwaited || this.#control.isAwaited;
    const gone = isAwaited ? notOpen("The connection was closed") : undefined;
    this.outgoing.close(gone);
    this.#control.close(gone);
    this.#receiver.discard();
    this.#account?.close();
    this.#budget?.leave();
    this.#owner.closed(info);
  }

  #receive(run: () => void): void {
    if (this.#isClosed || this.#error !== undefined) return;
    try {
      run();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Whether to read would be to write more for a peer that has not read what there is. A server holds
   * such a peer back. A client doesn't, or the two could wait for each other: what it's sent waits in
   * its own incoming queue, which is bounded. After our Close, a full queue must not keep the peer's
   * Close, and its end, from us.
   */
  get #isBehind(): boolean {
    return this.role === "server" && this.outgoing.isFull && this.isOpen;
  }

  /** Whether the server holds too much, and this connection more than its share. */
  get #isStopped(): boolean {
    return this.#account?.isStopped === true && this.isOpen;
  }

  /** Reads or doesn't, by what waits on either side. */
  #regulate(heldBack: boolean): void {
    if (this.#isPaused || this.#isClosed) return;
    // What waits in the decoder is a part of one chunk: reading stops when a second joins it, since to
    // stop and go on for each would cost two system calls.
    // Where messages are streamed, all of the chunk has been taken, and is all that's wanted.
    const isEnough = this.#receiver.isStreaming
      ? this.#owner.isFull && this.isOpen
      : heldBack && this.#receiver.holdsBack;
    if (this.#isBehind || isEnough || this.#isStopped) {
      this.#isPaused = true;
      this.#control.paused();
      this.transport.pause();
    }
  }

  #resume(): void {
    if (this.#isBehind) return;
    if (this.#receiver.holdsBack) this.#receive(() => this.#receiver.resume());
    if (this.#receiver.holdsBack || this.#isClosed) return;
    if (this.#hasEnded) {
      this.#takeEnd();
    } else if (this.#isPaused && !this.#isStopped) {
      this.#isPaused = false;
      this.#control.resumed();
      this.transport.resume();
    }
  }

  /** Receiver: a message. */
  message(message: Message): boolean {
    // Once our own Close is sent, to wait for a slow owner would keep the peer's Close from us.
    return this.#isClosed || this.#owner.message(message) || !this.isOpen;
  }

  /** Receiver: a part of a message. */
  part(part: MessagePart): boolean {
    return this.#isClosed || this.#owner.part(part) || !this.isOpen;
  }

  /** Receiver: a control frame. */
  control(frame: Frame): void {
    if (frame.opcode === Opcode.Close) this.#takeClose(frame.payload);
    else if (!this.#isClosed) this.#control.take(frame);
  }

  #takeClose(payload: Uint8Array): void {
    const received = decodeClosePayload(payload);
    const closing = this.#beginClosing();
    closing.received = received;
    if (this.#receiver.isInStream) this.#owner.cut();
    if (!this.isOpen) return closing.advance();
    if (this.#owner.isSettled) return closing.answer();
    // The messages before the Close are delivered first, and may be answered.
    closing.waitForOwner();
  }

  /** From here on, it's the closing handshake's waits that bound how long a peer may be silent. */
  #beginClosing(): Closing {
    this.#control.stopTimer();
    return this.#closing ??= new Closing(this);
  }

  /**
   * RFC 6455 §7.1.7: _Fail the WebSocket Connection_: "the endpoint SHOULD send a Close frame with an
   * appropriate status code before proceeding to _Close the WebSocket Connection_." "An endpoint MUST
   * NOT continue to attempt to process data".
   */
  #fail(error: unknown): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#error = error;
    this.#receiver.discard();
    const closing = this.#beginClosing();
    if (this.isOpen) closing.send(encodeClosePayload(closeCodeOf(error)));
    if (this.#isPaused) {
      this.#isPaused = false;
      this.transport.resume();
    }
    this.#owner.failed(error);
    closing.advance();
  }

  #takeEnd(): void {
    // RFC 6455 §7.1.5: no Close frame came, so the code is 1006. With one, the answer still goes out.
    const closing = this.#closing;
    if (closing?.received === undefined) {
      this.#error ??= new WebSocketError("The peer ended the connection without a Close frame", {
        code: "ERR_NO_CLOSE_FRAME",
        closeCode: CloseCode.AbnormalClosure,
      });
      this.transport.close();
    } else {
      closing.advance();
    }
  }

  /** Outgoing: everything has been written, or there is room again. */
  written(wasFull: boolean): void {
    if (this.#isClosed) return;
    if (this.#closing?.isSent) return this.#closing.advance();
    if (wasFull) this.#owner.drain();
    const { isFull, isSettled } = this.#owner;
    if (!isFull && (isSettled || this.#isPaused)) this.#resume();
  }
}

/** The error of whoever wants to use a connection that is no longer open. */
export function notOpen(what: string): DOMException {
  return new DOMException(`${what}: the WebSocket is not open`, "InvalidStateError");
}
