import type {
  ExtensionInUse,
  ExtensionSendOptions,
  FrameInitSink,
} from "../extensions/extension.ts";
import { CloseCode, encodeClosePayload } from "../protocol/close_code.ts";
import type { FrameInit } from "../protocol/frame.ts";
import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { handled, rejected } from "../util/promises.ts";
import { cancelLater } from "../util/streams.ts";
import { InspectingEncoder } from "./frame_inspector.ts";
import { canWriteSome, FIRST_PART, HUGE } from "./huge_message.ts";
import { refuse } from "./overflow.ts";
import { notOpen, wasClosed } from "./ready_state.ts";
import { SegmentQueue } from "./segment_queue.ts";
import { READY, SendWaiters } from "./send_waiters.ts";
import type { SenderCore } from "./sender_core.ts";
import { frameOf, isLonger, maxByteLength, type SendOptions } from "./sendable.ts";
import type { SharedMessage } from "./shared_message.ts";
import type { SharedRun } from "./shared_run.ts";
import { StreamSender, type StreamSenderTarget } from "./stream_sender.ts";
import {
  flushAfterMicrotasks,
  flushAfterQuiet,
  noteSend,
  type ScheduledSender,
  uncorkAfterTurn,
} from "./write_scheduler.ts";

/** From this many bytes on, they are written at once if nothing else is being written. */
const LARGE = 64 * 1024;
/** From this many bytes on, the encoder's buffer becomes a segment: to grow the buffer is to copy it. */
const SEGMENT = 256 * 1024;
/** Up to this many bytes of replies wait until the other connections have processed their chunks. */
const SHORT = 32 * 1024;

/**
 * Everything that a connection sends: encodes messages and frames, passes them through the extensions,
 * gathers those of one event-loop turn, writes them at once, and applies backpressure. While a stream
 * is being sent, the messages that are sent wait behind it.
 */
export class Sender implements FrameInitSink, StreamSenderTarget, ScheduledSender {
  readonly #core: SenderCore;
  readonly #encoder: FrameEncoder;
  readonly #extensions: ExtensionInUse | undefined;
  /** Made when a stream is sent for the first time. */
  #streams: StreamSender | undefined;
  /** The bytes that the transport is writing. */
  #writing: Uint8Array<ArrayBuffer> | undefined;
  /** The bytes that are written next, before the content of the encoder: for slow peers and broadcasts. */
  #segments: SegmentQueue | undefined;
  /** The bytes of `#writing` and `#segments`. */
  #pending = 0;
  /** The number of bytes from which on the encoder has a larger buffer than at the last check. */
  #growsAt = 1;
  #waiters: SendWaiters | undefined;
  #isCorked = false;
  /** Whether it is in the scheduler's group of senders that are uncorked together. */
  #isGrouped = false;
  /** Whether the scheduler will call `flushScheduled()`. */
  #isScheduled = false;
  #isClosed = false;

  constructor(core: SenderCore, extensions: ExtensionInUse | undefined) {
    this.#core = core;
    this.#encoder = core.settings.inspect === undefined
      ? new FrameEncoder({ role: core.settings.role })
      : new InspectingEncoder(core);
    this.#extensions = extensions;
  }

  /** The bytes that have been sent and not written yet, those behind a stream included. */
  get bufferedAmount(): number {
    return this.queuedBytes + (this.#streams?.waitingBytes ?? 0);
  }

  /** The encoded bytes that the transport has not written yet. */
  get queuedBytes(): number {
    return this.#encoder.length + this.#pending + (this.#segments?.openBytes ?? 0);
  }

  /** The memory usage, in bytes: the buffers are larger than their content. */
  get memoryUsage(): number {
    const writing = this.#segments?.isShared
      ? this.#writing?.length ?? 0
      : this.#writing?.buffer.byteLength ?? 0;
    return this.#encoder.heldBytes + (this.#segments?.memoryUsage ?? 0) + writing +
      (this.#streams?.memoryUsage ?? 0);
  }

  /** Whether the send queue is above its high-water mark. */
  get isFull(): boolean {
    return this.queuedBytes > this.#core.settings.limits.outgoingHighWaterMark;
  }

  /** As `WebSocketConnection.ready`: pending while more than the high-water mark waits to be written. */
  get ready(): Promise<void> {
    const streams = this.#streams;
    if (streams === undefined || streams.waitingBytes === 0) return this.queueReady;
    const isBelow = this.bufferedAmount <= this.#core.settings.limits.outgoingHighWaterMark;
    if (isBelow || this.#isClosed) return READY;
    return handled(streams.idle.then(() => this.#isClosed ? rejected(wasClosed()) : this.ready));
  }

  /** Pending while the send queue is full; rejects if the connection is closed before it has room. */
  get queueReady(): Promise<void> {
    if (!this.isFull || this.#isClosed) return READY;
    return (this.#waiters ??= new SendWaiters()).whenRoom;
  }

  /** Whether a caller waits for the send queue. */
  get isAwaited(): boolean {
    return this.#waiters?.isAwaited === true;
  }

  /** Whether `send()` would take a message; true if it would refuse it even with an empty queue. */
  hasRoomFor(message: OutgoingMessage): boolean {
    const { maxBufferedAmount } = this.#core.settings.limits;
    return !isLonger(message, maxBufferedAmount - this.bufferedAmount) ||
      isLonger(message, maxBufferedAmount);
  }

  /** Resolves when everything has been written; rejects if the connection is closed before that. */
  async whenEmpty(): Promise<void> {
    while (this.bufferedAmount > 0) {
      if (this.isStreaming) await this.#streams!.idle;
      else await (this.#waiters ??= new SendWaiters()).whenEmpty;
    }
    if (this.#isClosed) throw wasClosed();
  }

  /** Whether a stream is being sent, so that messages wait behind it. */
  get isStreaming(): boolean {
    return this.#streams?.isBusy === true;
  }

  /** Whether `finish()` has been called: nothing more may be sent. */
  get isFinishing(): boolean {
    return this.#streams?.isFinishing === true;
  }

  /** StreamSender: whether data may be sent. */
  get isOpen(): boolean {
    return this.#core.isOpen;
  }

  /** Sends a message; as `WebSocketConnection.send()`. */
  send(message: OutgoingMessage, options?: SendOptions): Promise<void> {
    const streams = this.#streams;
    // RFC 6455 §6.1: "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
    if (!this.#core.isOpen || streams?.isFinishing) return rejected(notOpen("Cannot send"));
    const { maxBufferedAmount } = this.#core.settings.limits;
    if (isLonger(message, maxBufferedAmount - this.bufferedAmount)) {
      return rejected(refuse(message, this.#core, this.bufferedAmount));
    }
    if (streams?.isBusy) {
      const sent = handled(streams.sendMessage(message, options));
      this.#core.updateMemoryUsage();
      return sent;
    }
    this.sendMessage(message, options);
    return this.isFull ? this.ready : READY;
  }

  /**
   * Sends a message of a broadcast, from bytes that other connections write as well.
   * @param mark If given, a send queue above this number of bytes is left as it is.
   * @param run The run that the message begins: the connection joins it if others may add frames to it.
   * @returns Whether it was sent, or the reason why not.
   */
  sendShared(message: SharedMessage, mark?: number, run?: SharedRun): "sent" | "full" | "closed" {
    const { isOpen, settings } = this.#core;
    if (!isOpen || this.isFinishing) return "closed";
    if (mark !== undefined && this.bufferedAmount > mark) return "full";
    const extensions = this.#extensions;
    const isChanged = extensions !== undefined && message.isChangedBy(extensions);
    // A client masks its frames.
    const isOwn = settings.role === "client" || settings.inspect !== undefined ||
      (isChanged && extensions.shared === undefined);
    if (isOwn || this.isStreaming) {
      handled(this.send(message.data, { compress: message.compress }));
      return "sent";
    }
    const transformed = isChanged ? message.transformedBy(extensions.shared!) : undefined;
    const { frame } = transformed ?? message;
    const { maxBufferedAmount } = settings.limits;
    const queued = this.queuedBytes + frame.end - frame.start;
    if (queued > maxBufferedAmount) {
      refuse(message.data, this.#core, this.bufferedAmount);
      return "full";
    }
    if (transformed !== undefined) extensions!.sentShared?.(transformed.context);
    const segments = this.#segments ??= new SegmentQueue();
    this.#endRun();
    if (this.#encoder.length > 0) segments.push(this.#take());
    settings.counters.messagesSent++;
    const room = Math.min(mark ?? LARGE, maxBufferedAmount) - queued;
    if (extensions === undefined && run?.join(settings.counters, room)) segments.open(run);
    else {
      segments.pushShared(frame);
      this.#pending += frame.end - frame.start;
    }
    if (queued >= LARGE && !this.#isCorked) this.flush();
    else this.#schedule();
    return "sent";
  }

  /** Sends a stream as a message; as `WebSocketConnection.send()`. */
  sendStream(stream: ReadableStream<unknown>, options?: SendOptions): Promise<void> {
    if (!this.#core.isOpen || this.isFinishing) {
      const error = notOpen("Cannot send");
      cancelLater(stream, error);
      return rejected(error);
    }
    this.#endRun();
    this.#streams ??= new StreamSender(this, this.#core.settings);
    return handled(this.#streams.sendStream(stream, options));
  }

  /** StreamSender: sends a message now, through the extensions that would change it. */
  sendMessage(message: OutgoingMessage, options?: ExtensionSendOptions): void {
    const extensions = this.#extensions;
    this.#core.settings.counters.messagesSent++;
    if (extensions === undefined) {
      if (message.length < HUGE || !this.#sendHuge(message)) this.enqueue(message);
    } else if (extensions.changes(maxByteLength(message))) {
      extensions.send(frameOf(message), this, options);
    } else this.enqueue(message);
  }

  /** StreamSender: sends a frame of a message through the extensions. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void {
    if (frame.fin) this.#core.settings.counters.messagesSent++;
    if (this.#extensions === undefined) this.enqueue(frame);
    else this.#extensions.send(frame, this, options);
  }

  /** Encodes a message or a frame as it is, and schedules the write. */
  enqueue(message: OutgoingMessage | FrameInit): void {
    if (this.#segments !== undefined) this.#endRun();
    this.#encoder.write(message);
    if (this.#encoder.length >= this.#growsAt) this.#onGrown();
    this.#schedule();
  }

  /** Writes a message without a copy of what the kernel accepts at once, and returns whether that is possible. */
  #sendHuge(message: OutgoingMessage): boolean {
    const { transport, settings } = this.#core;
    this.#endRun();
    if (this.#writing !== undefined || this.#segments?.isEmpty === false) return false;
    if (!canWriteSome(message, this.#core)) return false;
    this.#encoder.writeFirst(message, FIRST_PART);
    const first = this.#writing = this.#next()!;
    let written = FIRST_PART;
    // A callback before the end of the frame could send another one inside it.
    if (transport.write(first) && !this.#isClosed) {
      this.#afterWrite(first);
      written += transport.writeSome!(message.subarray(FIRST_PART));
      settings.counters.bytesSent += written - FIRST_PART;
    }
    if (this.#isClosed) return true;
    if (written < message.length) this.sendRaw(message.subarray(written));
    if (!this.#isCorked) this.flush();
    return true;
  }

  /** Sends bytes as they are: written at `uncork()`, together with the messages after them. */
  sendRaw(bytes: Uint8Array): void {
    // To copy so few bytes takes less time than to write a buffer of their own.
    this.#encoder.writeRaw(bytes);
    if (this.#encoder.length >= this.#growsAt) this.#onGrown();
  }

  /** Closes the connection by `close`, after the streams that are being sent. */
  finish(close: () => void): void {
    if (this.#streams?.isBusy) this.#streams.finish(close);
    else close();
  }

  /** StreamSender: a message that has begun cannot be ended. */
  giveUp(): void {
    this.#core.sendClose(encodeClosePayload(CloseCode.InternalError));
  }

  /** StreamSender: all streams, and the messages behind them, have been sent. */
  onIdle(): void {
    this.#core.onIdle();
  }

  /** Stops writing until `uncork()` or `scheduleFlush()`: more will be sent in this event-loop turn. */
  cork(): void {
    this.#isCorked = true;
  }

  /** Ends `cork()` and writes. */
  uncork(): void {
    this.#isCorked = false;
    this.#write();
  }

  /** Writes, and ends `cork()`, when the other connections have processed what they received just now. */
  scheduleFlush(): void {
    if (this.#isGrouped) return;
    const length = this.queuedBytes;
    if (length === 0 || length > SHORT || this.#writing !== undefined) return this.uncork();
    this.#isGrouped = this.#isCorked = true;
    uncorkAfterTurn(this);
  }

  /** Writes the send queue, unless a write is under way. */
  flush(): void {
    this.#write();
    if (this.#writing !== undefined && !this.#isCorked) this.#core.updateMemoryUsage();
  }

  /** Scheduler: the end of `scheduleFlush()`. */
  uncorkScheduled(): void {
    this.#isGrouped = false;
    this.uncork();
  }

  /** Scheduler: nothing more is sent in this event-loop turn. */
  flushScheduled(): void {
    this.#isScheduled = false;
    this.flush();
  }

  /** The transport has written a part of the last write. */
  onProgress(): void {
    this.#streams?.onProgress();
  }

  /** The transport has written all bytes of the last write. */
  onDrain(): void {
    const written = this.#writing;
    if (written === undefined) return;
    this.#afterWrite(written);
    this.#write();
  }

  /** The connection is closed: drops the send queue and the streams, and rejects `ready`. */
  close(error: unknown): void {
    this.#isClosed = true;
    this.#streams?.abort(wasClosed());
    this.#endRun();
    this.#segments = undefined;
    this.#pending = 0;
    if (this.#encoder.length > 0) this.#encoder.take();
    // The transport may still hold the buffer of a write that was under way: it is not recycled.
    this.#writing = undefined;
    this.#waiters?.reject(error);
  }

  /** Writes without a recount of the memory usage: the core does it afterwards. */
  #write(): void {
    while (this.#writing === undefined && !this.#isClosed) {
      const bytes = this.#next();
      if (bytes === undefined) break;
      // Set before the call: a transport that fails within it has not written them.
      this.#writing = bytes;
      if (!this.#core.transport.write(bytes) || this.#isClosed) break;
      this.#afterWrite(bytes);
    }
    const isEmpty = this.queuedBytes === 0;
    if (isEmpty) this.#waiters?.onEmpty();
    const wasAwaited = !this.isFull && this.#waiters?.onRoom() === true;
    if (isEmpty || wasAwaited) this.#core.onWritten(wasAwaited);
  }

  #afterWrite(bytes: Uint8Array<ArrayBuffer>): void {
    this.#writing = undefined;
    this.#pending -= bytes.length;
    this.#core.settings.counters.bytesSent += bytes.length;
    if (!this.#segments?.isShared) FrameEncoder.recycle(bytes);
  }

  /** What is sent from here on comes behind the frames of the open run. */
  #endRun(): void {
    if (this.#segments !== undefined) this.#pending += this.#segments.endRun();
  }

  #next(): Uint8Array<ArrayBuffer> | undefined {
    const segments = this.#segments;
    if (segments !== undefined) {
      const { openBytes } = segments;
      const segment = segments.shift();
      this.#pending += openBytes - segments.openBytes;
      if (segment !== undefined) return segment;
      segments.isShared = false;
    }
    return this.#encoder.length > 0 ? this.#take() : undefined;
  }

  #take(): Uint8Array<ArrayBuffer> {
    this.#growsAt = 1;
    this.#pending += this.#encoder.length;
    return this.#encoder.take();
  }

  #onGrown(): void {
    const { length } = this.#encoder;
    if (length >= LARGE && this.#writing === undefined && !this.#isCorked) return this.flush();
    this.#growsAt = Math.min(length < LARGE ? LARGE : SEGMENT, this.#encoder.heldBytes + 1);
    if (length >= SEGMENT) {
      this.#segments ??= new SegmentQueue();
      this.#segments.push(this.#take(), this.isFull);
    }
    if (this.#writing !== undefined && !this.#isCorked) this.#core.updateMemoryUsage();
  }

  #schedule(): void {
    if (this.#isScheduled) return noteSend();
    if (this.#isCorked || this.#writing !== undefined) return;
    this.#isScheduled = true;
    // A consumer that has a message will ask for the next one, which flushes.
    if (this.#core.isIdle) flushAfterQuiet(this);
    else flushAfterMicrotasks(this);
  }
}
