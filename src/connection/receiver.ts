import type { ExtensionInUse } from "../extensions/extension.ts";
import { DecodedFrame, payloadSize } from "../protocol/decoded_frame.ts";
import type { Frame } from "../protocol/frame.ts";
import { FrameDecoder } from "../protocol/frame_decoder.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import { simdKernel } from "../protocol/fast_paths.ts";
import type { Message, MessagePart, PayloadMode } from "../protocol/message.ts";
import { MessageAssembler, wholeMessage } from "../protocol/message_assembler.ts";
import type { MessageSink } from "../protocol/message_sequence.ts";
import { messageTooBig } from "../protocol/message_sequence.ts";
import { MessagePartDecoder } from "../protocol/message_part_decoder.ts";
import { isControl } from "../protocol/opcode.ts";
import { allocate } from "../transport/allocate.ts";
import { type LargeBuffers, setLargeBuffers } from "../transport/large_buffers.ts";
import type { ConnectionCounters } from "./counters.ts";
import { inspectReceived } from "./frame_inspector.ts";
import { SHORT_COPY } from "./memory_usage.ts";
import type { PartConsumer, ReceiverCore } from "./receiver_core.ts";
import { RateLimiter } from "./rate_limiter.ts";

export type { ReceiverCore };

/** The value that overwrites the bytes of a borrowed message. */
const OVERWRITTEN = 0xdd;

/** The size, in bytes or characters, up to which the overhead of a queued part exceeds its content. */
const SMALL_PART = 512;

/** Large read buffers in the memory of the SIMD kernel, so that it masks the bytes without a copy. */
const kernelBuffers: LargeBuffers = {
  acquire: () => simdKernel()?.memory.acquire(),
  release: (buffer) => simdKernel()?.memory.release(buffer),
};

/**
 * Turns received bytes into messages: decodes a chunk in one synchronous call, passes the frames through
 * the extensions, and the messages to the consumer. It pauses the transport while one of three reasons
 * lasts:
 *
 * - the consumer is full: the input that it has no room for is kept, undecoded;
 * - the send queue is full, at a server: to read more would be to send more;
 * - the server's memory budget is used up.
 *
 * If the peer exceeds its `messageRate` or `byteRate`, decoding and reading wait as well.
 *
 * When the event-loop turn has spent its time on received data, the rest of the chunk waits for the next
 * turn, so that a peer that sends without end keeps no other waiting. The transport is paused until then.
 */
export class Receiver implements FrameSink {
  readonly #core: ReceiverCore;
  readonly #extensions: ExtensionInUse | undefined;
  readonly #counters: ConnectionCounters;
  readonly #maxMessageSize: number;
  /** The largest size of a message that is passed on at once; below 0 when messages are read as streams. */
  #maxWholeSize: number;
  /** The option `payload`; `"borrowed"` applies only if the consumer borrows. */
  readonly #payload: PayloadMode;
  /** Whether messages are overwritten when the consumer has taken them. */
  readonly #overwrites: boolean;
  /** The size, in bytes, up to which a binary message is copied out of its chunk. */
  readonly #copyUpTo: number;
  /** The sink of the decoder's frames: the extensions, if there are any. */
  readonly #decodedSink: FrameSink;
  /** Made with the first chunk. */
  #decoder: FrameDecoder | undefined;
  /** Made with the first message that is not a single frame, or that an extension has changed. */
  #assembler: MessageAssembler | undefined;
  #assembled: MessageSink<Message> | undefined;
  /** The decoder in place of the assembler, from the next message on, if messages are read as streams. */
  #partDecoder: MessagePartDecoder | undefined;
  #parts: PartConsumer | undefined;
  #isReadingPaused = false;
  /** Whether input was pending before the last chunk. */
  #hadPendingInput = false;
  #hasEnded = false;
  /** Whether a chunk is being decoded, and whether the consumer has asked for more meanwhile. */
  #isDecoding = false;
  #isResumed = false;
  readonly #turn: ReceiverCore["turn"];
  readonly #limiter: RateLimiter | undefined;
  /** Cancels the wait for the next turn, or for the rate limit, if there is one. */
  #cancelWait: (() => void) | undefined;
  /** Whether the time of the turn is spent, so that what is left of the chunk has to wait. */
  #isTimeSpent = false;

  constructor(core: ReceiverCore, extensions: ExtensionInUse | undefined) {
    this.#core = core;
    this.#extensions = extensions;
    this.#turn = core.turn;
    this.#limiter = RateLimiter.for(core.settings);
    this.#counters = core.settings.counters;
    this.#maxMessageSize = this.#maxWholeSize = core.settings.limits.maxMessageSize;
    const { payload = "shared", overwriteBorrowed = false } = core.settings;
    this.#payload = payload === "borrowed" && !core.consumer.borrows ? "shared" : payload;
    this.#overwrites = this.#payload === "borrowed" && overwriteBorrowed;
    this.#copyUpTo = this.#payload === "shared" && !core.transport.lendsChunks ? SHORT_COPY : 0;
    const sink = extensions === undefined
      ? this
      : { enqueue: (frame: Frame) => extensions.receive(frame, this) };
    const limited = this.#limiter?.limit(sink, () => this.#waitForRate()) ?? sink;
    this.#decodedSink = core.settings.inspect === undefined
      ? limited
      : inspectReceived(limited, core);
  }

  /** Whether the rest of a chunk waits: for the next event-loop turn, or for the rate limit. */
  get #isWaiting(): boolean {
    return this.#cancelWait !== undefined || this.#isTimeSpent;
  }

  /** Whether the transport is not read. */
  get isReadingPaused(): boolean {
    return this.#isReadingPaused;
  }

  /** Whether reading is paused for a reason of this end, so that received bytes may wait. */
  get isPausedLocally(): boolean {
    return this.#isReadingPaused && !this.#isSendQueueFull;
  }

  /** Whether the peer has ended its direction of TCP. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether a part of a received chunk has not been decoded, for want of room at the consumer. */
  get hasPendingInput(): boolean {
    return this.#decoder?.isPaused === true || this.#extensions?.isPaused === true;
  }

  /** The memory usage, in bytes: of unfinished messages, and of pending input. */
  get memoryUsage(): number {
    return (this.#decoder?.heldBytes ?? 0) + this.unfinishedBytes;
  }

  /** The memory usage of a message that has not ended, in bytes. */
  get unfinishedBytes(): number {
    return (this.#assembler?.heldBytes ?? 0) + (this.#extensions?.heldBytes ?? 0);
  }

  /** FrameSink: the assembler copies the parts of messages. */
  get copiesParts(): boolean {
    return true;
  }

  /** FrameSink: whether the payload of a frame is copied before `enqueue()` returns. */
  get copies(): boolean {
    return this.#partDecoder !== undefined || this.#payload === "borrowed";
  }

  /** Decodes a chunk. */
  take(chunk: Uint8Array): void {
    this.#hadPendingInput = this.hasPendingInput;
    this.#isDecoding = true;
    try {
      this.#limiter?.refill();
      const { length } = chunk; // The decoder may free the chunk.
      (this.#decoder ??= this.#makeDecoder()).transform(chunk, this.#decodedSink);
      if (this.#limiter?.takeBytes(length) === false) this.#waitForRate();
    } catch (error) {
      this.#core.fail(error);
    }
    this.#isDecoding = false;
    if (this.#isTimeSpent) this.#endTurn();
  }

  /** Pauses the transport after a chunk, if there is a reason. */
  afterChunk(): void {
    if (!this.#isReadingPaused) this.#updateFlow(this.#isWaiting || this.#isConsumerFull);
    if (!this.hasPendingInput) this.#core.consumer.compact?.();
    const isWaiting = this.#isReadingPaused || this.hasPendingInput;
    if (isWaiting && this.#core.consumer.isFull) this.#core.readers.onFull();
    if (!this.#isResumed) return;
    this.#isResumed = false;
    if (this.#isReadingPaused) this.resume();
  }

  /** Decodes the pending input and resumes the transport, as far as there is no reason not to. */
  resume(): void {
    const core = this.#core;
    // After our Close frame, the rate must not keep the peer's from us.
    if (this.#limiter !== undefined && !core.isOpen) this.#endWait();
    if (this.#isWaiting || this.#isSendQueueFull) return;
    if (this.hasPendingInput) {
      this.#decodePending();
      if (!this.hasPendingInput) core.consumer.compact?.();
    }
    if (this.hasPendingInput || core.isClosed) return;
    // The rest of the chunk may find no room.
    if (this.#isDecoding) {
      this.#isResumed = true;
      return;
    }
    if (this.#hasEnded) core.peerEnded();
    else if (this.#isReadingPaused) this.#updateFlow(false);
  }

  /** The memory budget has stopped this connection, or released it. */
  onBudgetChange(): void {
    if (!this.#isReadingPaused) this.#updateFlow(false);
    if (this.#isReadingPaused && !this.#core.consumer.isFull) this.resume();
  }

  /** The peer has ended its direction of TCP. */
  end(): void {
    this.#hasEnded = true;
    // Pending input, perhaps a Close frame, comes first.
    if (!this.hasPendingInput) this.#core.peerEnded();
  }

  /** Passes messages on as streams, from the next message on. */
  streamMessages(consumer: PartConsumer): void {
    this.#parts = consumer;
    this.#maxWholeSize = -1;
    const { maxMessageSize, maxFragments } = this.#core.settings.limits;
    this.#partDecoder ??= new MessagePartDecoder({ maxMessageSize, maxFragments });
  }

  /** Frees its memory; further input is ignored. */
  discard(): void {
    this.#endWait();
    this.#turn.release();
    (this.#decoder ??= this.#makeDecoder()).discard();
    this.#assembler?.discard();
    this.#extensions?.close();
    this.#extensions?.resume(this); // Only ends a pause: there is nothing left.
  }

  /** Reads on after `discard()`, to see the peer's end of TCP. */
  readToEnd(): void {
    if (this.#isReadingPaused) this.#updateFlow(false);
  }

  /** FrameSink: the next frame, as the extensions have changed it. */
  enqueue(frame: Frame): void {
    if (isControl(frame.opcode)) return this.#core.control(frame);
    // Not `payload.length`, which would unmask the payload before the assembler copies it.
    if ((this.#turn.work -= 1 + (payloadSize(frame) >>> 12)) < 0) this.#look();
    if (this.#partDecoder !== undefined && this.#assembler?.isIdle !== false) {
      this.#partDecoder.transform(frame, { enqueue: (part) => this.#takePart(part) });
    } else {
      const assembler = this.#assembler ??= this.#makeAssembler();
      assembler.transform(frame, this.#assembled!);
    }
  }

  /** FrameSink: a message of a single frame, on a connection without extensions. */
  enqueueWhole(first: 0x81 | 0x82, bytes: Uint8Array, start: number, end: number): void {
    // V8 inlines what follows up to the handler, as far as it is short.
    const size = end - start;
    if (size > this.#maxWholeSize) return this.#enqueueFrame(first, bytes, start, end);
    if ((this.#turn.work -= 1 + (size >>> 12)) < 0) this.#look();
    this.#deliver(wholeMessage(first === 0x81, bytes, start, end, this.#copyUpTo), bytes);
  }

  #enqueueFrame(first: 0x81 | 0x82, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > this.#maxMessageSize) throw messageTooBig(size, this.#maxMessageSize);
    this.enqueue(new DecodedFrame(first, size, 0, bytes, start, end));
  }

  /** Checks whether the time of the turn is spent. If so, the frames that follow wait for the next turn. */
  #look(): void {
    if (!this.#turn.isSpent() || this.#isWaiting) return;
    this.#pauseDecoding();
    this.#isTimeSpent = true;
  }

  /** Waits for the next turn, unless nothing is left to decode. */
  #endTurn(): void {
    this.#isTimeSpent = false;
    const isDone = !this.#decoder!.hasRest && !this.#extensions?.isPaused;
    if (!isDone || this.#core.consumer.isFull || !this.#turn.skipWait()) {
      this.#cancelWait = this.#turn.wait(() => this.#onWaited());
      return;
    }
    this.#decoder!.resume(this.#decodedSink);
  }

  #onWaited(): void {
    this.#cancelWait = undefined;
    this.#core.onTurn();
  }

  /** The peer has exceeded its rate: the frames that follow wait until it may send more. */
  #waitForRate(): void {
    if (this.#cancelWait !== undefined || !this.#core.isOpen) return;
    this.#isTimeSpent = false;
    this.#counters.rateLimited++;
    this.#decoder!.pause();
    this.#cancelWait = this.#limiter!.wait(() => this.#onWaited());
  }

  #endWait(): void {
    this.#isTimeSpent = false;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  #deliver(message: Message, chunk?: Uint8Array): void {
    const core = this.#core;
    if (core.isClosed) return;
    this.#counters.messagesReceived++;
    // After our Close frame, to wait for a slow consumer would keep the peer's Close from us.
    if (!core.consumer.message(message, core, chunk) && core.isOpen) this.#pauseDecoding();
    if (this.#overwrites) overwrite(message);
  }

  #takePart(part: MessagePart): void {
    const core = this.#core;
    if (core.isClosed) return;
    if (part.fin) this.#counters.messagesReceived++;
    if (this.#parts!.part(part, core) || !core.isOpen) return;
    // The rest of a chunk costs less in the queue of the stream than when it is kept and decoded later.
    // Except for what an extension can expand a thousandfold, for any number of messages, and for parts
    // so small that each costs more than its bytes.
    if (part.fin || part.data.length < SMALL_PART || this.#extensions !== undefined) {
      this.#pauseDecoding();
    }
  }

  #pauseDecoding(): void {
    this.#decoder?.pause();
    this.#extensions?.pause();
  }

  #decodePending(): void {
    const isWithin = this.#isDecoding;
    this.#isDecoding = true;
    try {
      if (this.#extensions?.isPaused) this.#resumeExtensions();
      if (!this.#extensions?.isPaused) this.#decoder?.resume(this.#decodedSink);
    } catch (error) {
      this.#core.fail(error);
    }
    this.#isDecoding = isWithin;
    if (this.#isTimeSpent && !isWithin) this.#endTurn();
  }

  #resumeExtensions(): void {
    try {
      this.#extensions!.resume(this);
    } catch (error) {
      // The decoder has not seen the error and would go on.
      this.#decoder?.discard();
      throw error;
    }
  }

  /**
   * Reason 1. The pending input is a part of one chunk: reading is paused when a second chunk joins it,
   * since pausing and resuming for each chunk would cost two system calls. When messages are read as
   * streams, all of the chunk has been passed on.
   */
  get #isConsumerFull(): boolean {
    const core = this.#core;
    if (this.#hadPendingInput && this.hasPendingInput) return true;
    return this.#parts !== undefined && core.isOpen && core.consumer.isFull;
  }

  /**
   * Reason 2. At a server, what is received is replied to: a peer that does not read is not read either.
   * Not at a client, or the two could wait for each other: the server's messages wait in the client's
   * queue of unread messages, which is bounded. After our Close frame, a full send queue must not keep
   * the peer's Close, and its end of TCP, from us.
   */
  get #isSendQueueFull(): boolean {
    const core = this.#core;
    return core.settings.role === "server" && core.sender.isFull && core.isOpen;
  }

  /** Pauses the transport for one of the three reasons, or resumes it if there is none. */
  #updateFlow(isInputFull: boolean): void {
    const core = this.#core;
    const shouldPause = isInputFull || this.#isSendQueueFull || core.isOverBudget;
    if (shouldPause === this.#isReadingPaused || core.isClosed) return;
    this.#isReadingPaused = shouldPause;
    if (shouldPause) {
      core.keepalive.paused();
      this.#limiter?.refill();
      core.transport.pause();
    } else {
      core.keepalive.resumed();
      this.#limiter?.resumed();
      core.transport.resume();
    }
  }

  #makeDecoder(): FrameDecoder {
    const { lendsChunks } = this.#core.transport;
    if (lendsChunks) setLargeBuffers(kernelBuffers);
    return new FrameDecoder({
      role: this.#core.settings.role,
      rsv: this.#extensions?.rsv ?? 0,
      chunks: lendsChunks ? "lent" : "given",
      payload: this.#payload,
    });
  }

  #makeAssembler(): MessageAssembler {
    this.#assembled = { enqueue: (message) => this.#deliver(message) };
    const { maxMessageSize, maxFragments } = this.#core.settings.limits;
    const payload = this.#payload;
    const options = { maxMessageSize, maxFragments, payload };
    return new MessageAssembler(options, this.#copyUpTo, allocate);
  }
}

function overwrite(message: Message): void {
  if (typeof message !== "string") message.fill(OVERWRITTEN);
}
