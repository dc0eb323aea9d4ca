import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { FrameInit } from "../protocol/frame.ts";
import type { Limits } from "./limits.ts";
import type { Message } from "../protocol/message.ts";
import type { Transport } from "../transport/transport.ts";
import { notQuiet, whenLate, whenQuiet } from "./write_scheduler.ts";
import type { Waiting } from "./write_scheduler.ts";
import { afterTurn } from "../transport/event_loop.ts";

/** Above this many bytes, what has been encoded is put aside as it is: to grow the buffer is to copy it. */
const SEGMENT = 64 * 1024;

/**
 * Up to how many bytes a turn's replies wait until the other connections have had their turn. A kernel
 * that wakes many peers one right after the other does it with less.
 */
const SHORT = 16 * 1024;
/** How many connections' replies wait at most. */
const GROUP = 64;

const READY: Promise<void> = Promise.resolve();

/** Who an {@linkcode Sender} works for. */
export interface SenderOwner {
  /** More memory is held than when this was last called, and the transport is not done with a write. */
  queued(): void;
  /**
   * Everything has been written out, or the queue is below its mark again.
   *
   * @param wasFull Whether somebody has waited for that.
   */
  written(wasFull: boolean): void;
  /** Whether nobody is at work on a message that has come. */
  readonly isSettled: boolean;
}

/** A promise and its functions, for whoever waits for room in the queue. */
type Waiter = PromiseWithResolvers<void>;

/**
 * The outgoing half of a connection: encodes, gathers what is sent in one turn of the event loop,
 * writes it once, and tells when there is room for more.
 */
export class Sender implements Waiting {
  readonly #transport: Transport;
  readonly #encoder: FrameEncoder;
  readonly #mark: number;
  readonly #owner: SenderOwner;
  /** What the transport is working on. */
  #writing: Uint8Array<ArrayBuffer> | undefined;
  /** What comes after that, before what the encoder holds: made for a peer that is slow to read. */
  #segments: Uint8Array<ArrayBuffer>[] | undefined;
  /** How many bytes the encoder holds no more, and the transport has not taken. */
  #pending = 0;
  /** How much memory the segments' buffers are. */
  #segmentsHeld = 0;
  /** From how many bytes in the encoder on it has another buffer than when that was last looked at. */
  #tellAt = 1;
  #waiter: Waiter | undefined;
  #isHeld = false;
  /** Whether it's among those that are released when the turn of all has ended. */
  #isGrouped = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(
    transport: Transport,
    encoder: FrameEncoder,
    limits: Readonly<Limits>,
    owner: SenderOwner,
  ) {
    this.#transport = transport;
    this.#encoder = encoder;
    this.#mark = limits.outgoingHighWaterMark;
    this.#owner = owner;
  }

  /** How many bytes the runtime has not taken yet, frame headers included. */
  get bufferedAmount(): number {
    return this.#encoder.length + this.#pending;
  }

  /** How many bytes of memory that takes: the buffers are larger than what is in them. */
  get heldBytes(): number {
    return this.#encoder.heldBytes + this.#segmentsHeld + (this.#writing?.buffer.byteLength ?? 0);
  }

  /** Whether the queue is above its high-water mark. */
  get isFull(): boolean {
    return this.bufferedAmount > this.#mark;
  }

  /** Pending while the queue is above its mark; rejects where the connection is closed before that. */
  get ready(): Promise<void> {
    if (!this.isFull || this.#isClosed) return READY;
    this.#waiter ??= handled(Promise.withResolvers<void>());
    return this.#waiter.promise;
  }

  /** Whether somebody waits for that. */
  get isAwaited(): boolean {
    return this.#waiter !== undefined;
  }

  /** Encodes a message or a frame; it's written at the end of the turn. */
  send(message: Message | FrameInit): void {
    this.#encoder.write(message);
    if (this.#encoder.length >= this.#tellAt) this.#grown();
    this.#schedule();
  }

  /** Sends bytes as they are, before any message: written at `release()`, with those, as one. */
  sendRaw(bytes: Uint8Array): void {
    // A copy of so little takes less than to have a buffer of its own go its way.
    this.#encoder.writeRaw(bytes);
    if (this.#encoder.length >= this.#tellAt) this.#grown();
  }

  /** Writes nothing until `release()`: whoever holds will send more in this turn. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Undoes `hold()`, and writes. */
  release(): void {
    this.#isHeld = false;
    this.#flush();
  }

  /**
   * Undoes `hold()`, and writes, once the other connections that something has come for at the same
   * moment have had their turn.
   */
  releaseSoon(): void {
    if (this.#isGrouped) return;
    const length = this.bufferedAmount;
    if (length === 0 || length > SHORT || this.#writing !== undefined) return this.release();
    this.#isGrouped = true;
    if (group.push(this) === GROUP) releaseGroup();
    else if (group.length === 1) afterTurn(releaseGroup);
  }

  /** Releases those whose turn has ended. */
  static releaseAll(outgoings: readonly Sender[]): void {
    for (const outgoing of outgoings) {
      outgoing.#isGrouped = false;
      outgoing.release();
    }
  }

  /** Writes what there is, now, unless a write is under way. */
  flush(): void {
    this.#flush();
    if (this.#writing !== undefined && !this.#isHeld) this.#owner.queued();
  }

  /** Without a word to the owner of what is held: it looks for itself. */
  #flush(): void {
    while (this.#writing === undefined && !this.#isClosed) {
      const bytes = this.#next();
      if (bytes === undefined) break;
      // Set before: a transport that fails within the call has not sent them.
      this.#writing = bytes;
      if (!this.#transport.write(bytes) || this.#isClosed) break;
      this.#written(bytes);
    }
    const { isFull } = this;
    const waiter = this.#waiter;
    if (waiter === undefined || isFull) {
      if (this.bufferedAmount === 0) this.#owner.written(false);
      return;
    }
    this.#waiter = undefined;
    waiter.resolve();
    this.#owner.written(true);
  }

  /** The transport has written what it kept. */
  drained(): void {
    const written = this.#writing;
    if (written === undefined) return;
    this.#written(written);
    this.#flush();
  }

  #written(bytes: Uint8Array<ArrayBuffer>): void {
    this.#writing = undefined;
    this.#pending -= bytes.length;
    FrameEncoder.recycle(bytes);
  }

  /** The connection is gone: nothing more is written, and whoever waits for room is told. */
  close(error: unknown): void {
    this.#isClosed = true;
    this.#segments = undefined;
    this.#pending = this.#segmentsHeld = 0;
    if (this.#encoder.length > 0) this.#encoder.take();
    // The transport may still hold the buffer of a write that was under way: it's not reused.
    this.#writing = undefined;
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  #next(): Uint8Array<ArrayBuffer> | undefined {
    const segment = this.#segments?.shift();
    if (segment !== undefined) {
      this.#segmentsHeld -= segment.buffer.byteLength;
      return segment;
    }
    return this.#encoder.length > 0 ? this.#take() : undefined;
  }

  #take(): Uint8Array<ArrayBuffer> {
    this.#tellAt = 1;
    this.#pending += this.#encoder.length;
    return this.#encoder.take();
  }

  #grown(): void {
    this.#tellAt = Math.min(SEGMENT, this.#encoder.heldBytes + 1);
    if (this.#encoder.length >= SEGMENT) this.#putAside();
    // Whoever holds looks for itself when it's done.
    if (this.#writing !== undefined && !this.#isHeld) this.#owner.queued();
  }

  #putAside(): void {
    if (this.#writing === undefined && !this.#isHeld) return this.flush();
    const segment = this.#take();
    // A long queue of buffers that are half empty would take twice the memory that it's allowed.
    const isLoose = segment.length * 4 < segment.buffer.byteLength * 3;
    if (!isLoose || !this.isFull) return this.#addSegment(segment);
    this.#addSegment(segment.slice());
    FrameEncoder.recycle(segment);
  }

  #addSegment(segment: Uint8Array<ArrayBuffer>): void {
    (this.#segments ??= []).push(segment);
    this.#segmentsHeld += segment.buffer.byteLength;
  }

  #schedule(): void {
    if (this.#isScheduled) return notQuiet();
    if (this.#isHeld || this.#writing !== undefined) return;
    this.#isScheduled = true;
    // Whoever has taken a message will ask for the next, which writes. This is for when he waits for
    // something else first.
    if (this.#owner.isSettled) whenQuiet(this);
    else whenLate(this);
  }

  /** Waiting: nothing more is sent in this turn. */
  settled(): void {
    this.#isScheduled = false;
    this.flush();
  }
}

let group: Sender[] = [];

function releaseGroup(): void {
  const all = group;
  group = [];
  Sender.releaseAll(all);
}

/** Its rejection is for whoever awaits it: nobody has to. */
function handled(waiter: Waiter): Waiter {
  waiter.promise.catch(() => {});
  return waiter;
}
