import { CloseCode, decodeClosePayload, encodeClosePayload } from "../protocol/close_code.ts";
import { closeCodeOf, WebSocketError } from "../protocol/errors.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { Message, MessagePart } from "../protocol/message.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { ExtensionInUse, ExtensionSendOptions } from "../extensions/extension.ts";
import { MemoryAccount, STEP } from "./memory_budget.ts";
import type { MemoryHolder } from "./memory_budget.ts";
import { CloseHandshake, closeInfo } from "./close_handshake.ts";
import type { CloseHandshakeOwner } from "./close_handshake.ts";
import type { EndpointSettings } from "./connection_settings.ts";
import { Keepalive } from "./keepalive.ts";
import type { KeepaliveCore } from "./keepalive.ts";
import type { EndpointOwner } from "./close_info.ts";
import { ExtendedSender } from "./extended_sender.ts";
import { holdsTooMuch } from "./memory_usage.ts";
import { notOpen } from "./ready_state.ts";
import { Sender } from "./sender.ts";
import type { SenderOwner } from "./sender.ts";
import { Reading } from "./reading.ts";
import type { ReadingOwner } from "./reading.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/**
 * One end of an open connection, of either role: bytes to messages and back, pings answered, and the
 * closing handshake of RFC 6455 §7. It has no API of its own: that is WebSocketConnection's.
 */
export class Endpoint
  implements
    TransportHandler,
    ReadingOwner,
    SenderOwner,
    CloseHandshakeOwner,
    KeepaliveCore,
    MemoryHolder {
  readonly settings: EndpointSettings;
  readonly transport: Transport;
  readonly outgoing: Sender;
  readonly controlFrames: Keepalive;
  readonly #owner: EndpointOwner;
  readonly #extended: ExtendedSender | undefined;
  #reading: Reading | undefined;
  /** Made with the first Close frame, of either side. */
  #closing: CloseHandshake | undefined;
  /** Made when there is first something to tell the budget. */
  #account: MemoryAccount | undefined;
  #isClosed = false;
  #error: unknown;

  constructor(
    settings: EndpointSettings,
    transport: Transport,
    owner: EndpointOwner,
    extensions?: ExtensionInUse,
  ) {
    const { role, limits, budget } = settings;
    this.settings = settings;
    this.transport = transport;
    this.#owner = owner;
    budget?.join();
    this.outgoing = new Sender(transport, new FrameEncoder({ role }), limits, this);
    this.controlFrames = new Keepalive(this);
    if (extensions !== undefined) this.#extended = new ExtendedSender(extensions, this.outgoing);
  }

  /** Whether data may be sent: our Close frame has not been, and the connection is there. */
  get isOpen(): boolean {
    return this.#closing?.isSent !== true && !this.#isClosed;
  }

  /** The way in: made when something has come, or somebody looks. */
  get reading(): Reading {
    return this.#reading ??= new Reading(this, this.#extended?.extensions);
  }

  /** Whether the TCP connection has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many bytes of memory the connection holds. */
  get heldBytes(): number {
    return (this.#reading?.heldBytes ?? 0) + this.outgoing.heldBytes + this.#owner.heldBytes +
      this.controlFrames.heldBytes + (this.transport.heldBytes ?? 0);
  }

  /** Closing: whether the peer has ended its direction of TCP. */
  get hasEnded(): boolean {
    return this.#reading?.hasEnded === true;
  }

  /** CloseHandshake, Reading: whether the connection has failed. */
  get hasFailed(): boolean {
    return this.#error !== undefined;
  }

  /** CloseHandshake, Sender: whether the owner is done with every message so far. */
  get isSettled(): boolean {
    return this.#owner.isSettled;
  }

  /** Reading: whether the owner can take no more messages for now. */
  get isFull(): boolean {
    return this.#owner.isFull;
  }

  /** Reading: whether the server holds too much, and this connection more than its share. */
  get isStopped(): boolean {
    return this.#account?.isStopped === true && this.isOpen;
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
    if (this.#closing === undefined && !this.#isClosed) this.controlFrames.start();
    if (early.length > 0) this.data(early);
    if (!this.#reading?.isPaused && !this.#isClosed) this.transport.resume();
  }

  /** Sends a message, by way of the extensions that would change it. */
  send(message: Message, options?: ExtensionSendOptions): void {
    if (this.#extended === undefined) this.outgoing.send(message);
    else this.#extended.send(message, options);
  }

  /** Sends a frame of the owner's own making, by way of the extensions. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void {
    if (this.#extended === undefined) this.outgoing.send(frame);
    else this.#extended.sendFrame(frame, options);
  }

  /** What the owner has begun to send can't be ended: 1011. */
  giveUp(): void {
    this.sendClose(encodeClosePayload(CloseCode.InternalError));
  }

  /** Keepalive: whether reading has stopped, and not because the peer does not read. */
  get isReadingPaused(): boolean {
    return this.#reading?.isHeldBack === true;
  }

  /** Keepalive: whether the peer's Close has come. */
  get hasReceivedClose(): boolean {
    return this.#closing?.received !== undefined;
  }

  /**
   * Keepalive: the peer is gone. RFC 6455 §7.1.7: "An endpoint MAY omit sending a Close frame if it
   * believes the other side is unlikely to be able to receive and process the Close frame".
   */
  peerLost(error: WebSocketError): void {
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
    const reading = this.#reading;
    const waits = reading !== undefined && (reading.isPaused || reading.holdsBack);
    if (waits && !(this.#owner.isFull && this.isOpen)) reading.goOn();
    if (!this.#owner.isSettled) return;
    // A turn's sends are done when its messages are: no need to wait for a quiet microtask.
    this.outgoing.flush();
    // Whoever took the last message may yet answer it, within this turn.
    if (this.#closing?.received !== undefined && this.isOpen) this.#closing.settled();
    if (this.#account !== undefined) this.queued();
  }

  /** Sender, and who queues more: looks at what is held, after it has changed. */
  queued(): void {
    if (this.#isClosed) return;
    const all = this.heldBytes;
    const { budget, limits } = this.settings;
    if (budget !== undefined && (all >= STEP || this.#account !== undefined)) {
      this.#account ??= new MemoryAccount(this, budget);
      this.#account.report(all);
    }
    const max = limits.maxConnectionMemory;
    if (all <= max || this.#error !== undefined) return;
    const outgoing = this.outgoing.heldBytes + this.#owner.queuedBytes +
      this.controlFrames.heldBytes;
    const unfinished = this.#reading?.unfinishedBytes ?? 0;
    this.fail(holdsTooMuch({ all, outgoing, unfinished }, max));
  }

  /** MemoryAccount: reads, or doesn't. */
  regulate(): void {
    this.reading.regulate();
  }

  /** MemoryBudget: frees what is held. */
  evict(error: unknown): void {
    const isSecond = this.#error !== undefined;
    this.fail(error);
    // A Close frame behind what the peer doesn't read would free nothing.
    if (isSecond || this.outgoing.isFull) this.transport.abort();
    else this.queued();
  }

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    this.controlFrames.heard();
    this.reading.data(chunk);
    this.queued();
  }

  /** Transport: the last write is done. */
  drain(): void {
    this.progress();
    this.outgoing.drained();
    this.controlFrames.drained();
    if (this.#account !== undefined) this.queued();
  }

  /** Transport: a part of the last write has gone out. */
  progress(): void {
    this.#closing?.progressed();
    // Where the queue is not full, all may be in the kernel's buffer, and the peer be gone.
    if (this.outgoing.isFull) this.controlFrames.heard();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.controlFrames.stopTimer();
    this.reading.end();
  }

  /** Transport: gone. */
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing?.end();
    const info = closeInfo(this.#closing, this, this.#error, error);
    // An error takes as long to make as the rest of this: it's made for who waits, if anybody does.
    const isAwaited = this.outgoing.isAwaited || this.controlFrames.isAwaited;
    const gone = isAwaited ? notOpen("The connection was closed") : undefined;
    this.outgoing.close(gone);
    this.controlFrames.close(gone);
    this.#reading?.discard();
    this.#account?.close();
    this.settings.budget?.leave();
    this.#owner.closed(info);
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
    else if (!this.#isClosed) this.controlFrames.take(frame);
  }

  #takeClose(payload: Uint8Array): void {
    const received = decodeClosePayload(payload);
    const closing = this.#beginClosing();
    closing.received = received;
    if (this.#reading?.isInStream) this.#owner.cut();
    closing.begun();
  }

  /** From here on, it's the closing handshake's waits that bound how long a peer may be silent. */
  #beginClosing(): CloseHandshake {
    this.controlFrames.stopTimer();
    return this.#closing ??= new CloseHandshake(this);
  }

  /**
   * RFC 6455 §7.1.7: _Fail the WebSocket Connection_: "the endpoint SHOULD send a Close frame with an
   * appropriate status code before proceeding to _Close the WebSocket Connection_." "An endpoint MUST
   * NOT continue to attempt to process data".
   */
  fail(error: unknown): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#error = error;
    this.#reading?.discard();
    const closing = this.#beginClosing();
    if (this.isOpen) closing.send(encodeClosePayload(closeCodeOf(error)));
    this.#reading?.ignore();
    this.#owner.failed(error);
    closing.advance();
  }

  /** Reading: the peer's end. */
  ended(): void {
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

  /** Sender: everything has been written, or there is room again. */
  written(wasFull: boolean): void {
    if (this.#isClosed) return;
    if (this.#closing?.isSent) return this.#closing.advance();
    if (wasFull) this.#owner.drain();
    const { isFull, isSettled } = this.#owner;
    if (!isFull && (isSettled || this.#reading?.isPaused)) this.#reading?.goOn();
  }
}
