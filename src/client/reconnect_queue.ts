import { notOpen } from "../connection/ready_state.ts";
import { byteLengthOf, isLonger, toBytes, tooLong } from "../connection/sendable.ts";
import type { Sendable } from "../connection/sendable.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { checkNumber } from "../protocol/options.ts";
import { AsyncQueue } from "../util/async_queue.ts";
import { handled, rejected } from "../util/promises.ts";
import type { ReconnectTarget } from "./reconnect_target.ts";

/** The longest frame header, in bytes. It is added to each message, so that short ones are bounded. */
const MAX_HEADER = 14;

const WRITTEN: Promise<void> = /* @__PURE__ */ Promise.resolve();

interface Item {
  readonly message: OutgoingMessage;
  readonly size: number;
  readonly sent: PromiseWithResolvers<void>;
}

/** The limits of a {@linkcode ReconnectQueue}, in bytes, frame headers included. */
export interface ReconnectQueueLimits {
  /** The capacity while there is no connection that takes messages; with 0 each message is rejected. */
  readonly maxQueueSize: number;
  /** The capacity together with the send queue of the connection. */
  readonly maxBufferedAmount: number;
}

/**
 * The messages of a ReconnectingWebSocket that no connection has taken yet, in order.
 *
 * A message is passed to the connection while that is open, its send queue is below the high-water mark,
 * and no Close frame of the peer has been received. So at most one high-water mark of messages, 64 KiB by
 * default, is under way to a peer that closes; all others wait for the next connection. Messages are
 * flushed in a microtask: no Close can be received between the send and the write.
 */
export class ReconnectQueue {
  readonly #limits: ReconnectQueueLimits;
  readonly #items = new AsyncQueue<Item>();
  #size = 0;
  #target: ReconnectTarget<unknown> | undefined;
  /** Settles when all messages that the connection has taken are written, or it has closed. */
  #written: Promise<void> | undefined;
  #isClosed = false;

  /** @throws {RangeError} If `maxQueueSize` is not a number from 0 to `maxBufferedAmount`. */
  constructor(limits: ReconnectQueueLimits) {
    const { maxQueueSize, maxBufferedAmount } = limits;
    const isValid = maxQueueSize >= 0 && maxQueueSize <= maxBufferedAmount;
    checkNumber("maxQueueSize", maxQueueSize, isValid, `from 0 to ${maxBufferedAmount}`);
    this.#limits = limits;
  }

  /** The size of the messages, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** The connection, if it takes messages. */
  get #open(): ReconnectTarget<unknown> | undefined {
    return this.#target?.takesMessages ? this.#target : undefined;
  }

  /**
   * Sends a message on the connection, or queues it.
   *
   * @returns A promise that resolves when the message is written to a connection on which no Close had
   * been received. It rejects with an `InvalidStateError` if the message is not sent, and with a
   * `NetworkError` if the connection closed before the message was known to be written.
   * @throws {TypeError} If `data` is not a message.
   */
  send(data: Sendable): Promise<void> {
    const message = typeof data === "string" ? data : toBytes(data);
    const target = this.#open;
    if (target === undefined) return this.#add(message, this.#limits.maxQueueSize);
    const { maxBufferedAmount } = this.#limits;
    // Refused by the connection for its size.
    if (isLonger(message, maxBufferedAmount)) return target.send(data);
    if (this.#items.length === 0 && target.hasRoomFor(message)) {
      return this.#pass(target, message);
    }
    const room = maxBufferedAmount - target.bufferedAmount;
    // A message without room is treated according to the option `overflow`.
    if (isLonger(message, room - this.#size - MAX_HEADER)) return this.#overflow(target);
    void this.#writing(target);
    return this.#add(message, maxBufferedAmount);
  }

  /** A connection has opened: sends the queued messages. */
  attach(target: ReconnectTarget<unknown>): void {
    this.#target = target;
    this.#passAll();
  }

  /** The connection has closed: keeps the messages for which there is room. */
  detach(): void {
    this.#target = undefined;
    this.#written = undefined;
    const items = this.#items.takeAll();
    this.#size = 0;
    for (const item of items) {
      if (this.#size + item.size <= this.#limits.maxQueueSize) this.#push(item);
      else item.sent.reject(notOpen("Cannot send"));
    }
  }

  /** Rejects all messages that are queued, and all that are sent later. */
  close(): void {
    this.#isClosed = true;
    this.#size = 0;
    for (const { sent } of this.#items.takeAll()) sent.reject(notOpen("Cannot send"));
  }

  #add(message: OutgoingMessage, capacity: number): Promise<void> {
    const length = byteLengthOf(message);
    const size = length + MAX_HEADER;
    if (this.#isClosed) return rejected(notOpen("Cannot send"));
    const { maxBufferedAmount } = this.#limits;
    // No connection would take it.
    if (length > maxBufferedAmount) return rejected(tooLong(length, maxBufferedAmount));
    if (size > capacity - this.#size) {
      const waits = `${this.#size} bytes wait, maxQueueSize is ${capacity}`;
      return rejected(notOpen(`Cannot send a message of ${length} bytes: ${waits}`));
    }
    const sent = Promise.withResolvers<void>();
    this.#push({ message: typeof message === "string" ? message : message.slice(), size, sent });
    return handled(sent.promise);
  }

  #push(item: Item): void {
    this.#items.push(item);
    this.#size += item.size;
  }

  /** Passes messages to the connection, while it takes them. */
  #passAll(): void {
    while (this.#items.length > 0) {
      const target = this.#open;
      if (target === undefined) return;
      if (!target.hasRoomFor(this.#items.at(0)!.message)) {
        return void this.#writing(target);
      }
      const { message, size, sent } = this.#items.poll()!;
      this.#size -= size;
      this.#pass(target, message).then(sent.resolve, sent.reject);
    }
  }

  #pass(target: ReconnectTarget<unknown>, message: OutgoingMessage): Promise<void> {
    void target.send(message as Sendable);
    // A long message is written at once, if the system takes it.
    if (target.bufferedAmount === 0) return WRITTEN;
    return this.#writing(target);
  }

  /** Settles as `#written`; the next messages are passed to the connection then. */
  #writing(target: ReconnectTarget<unknown>): Promise<void> {
    return this.#written ??= handled(this.#write(target));
  }

  /** Writes the messages that the connection has taken; resolves when all are written. */
  async #write(target: ReconnectTarget<unknown>): Promise<void> {
    await null; // The messages of one turn are written at once.
    try {
      await target.whenWritten();
    } catch {
      throw maybeLost();
    }
    // Written after the peer's Close: the peer may have dropped it.
    if (this.#open !== target) throw maybeLost();
    this.#written = undefined;
    this.#passAll();
  }

  #overflow(target: ReconnectTarget<unknown>): Promise<void> {
    const { bufferedAmount } = target;
    const text = "Cannot send: the peer has stopped reading, " +
      `${bufferedAmount + this.#size} bytes wait, at most ${this.#limits.maxBufferedAmount} may`;
    if (target.closeForOverflow === undefined) {
      return rejected(new DOMException(text, "QuotaExceededError"));
    }
    target.closeForOverflow();
    return rejected(notOpen(text));
  }
}

function maybeLost(): DOMException {
  return new DOMException(
    "Cannot tell whether the message was sent: the connection closed",
    "NetworkError",
  );
}
