import type { Limits } from "./limits.ts";
import type { Message } from "../protocol/message.ts";
import { AsyncQueue } from "../util/async_queue.ts";
import { PART_OVERHEAD, UnreadUsage } from "./memory_usage.ts";
import type { ConsumedConnection, MessageConsumer } from "./message_consumer.ts";

/** The memory usage at which `lookAhead()` ends, in multiples of the high-water mark. */
export const LOOK_AHEAD = 4;
/** The part of `maxConnectionMemory` that an array of messages may take. */
const BATCH_PART = 1 / 4;

/**
 * The unread messages of a connection, for consumers that pull: `for await` loops, and the stream
 * `readable`.
 */
export class MessageQueue extends AsyncQueue<Message> implements MessageConsumer {
  readonly #connection: Pick<ConsumedConnection, "onIdle">;
  readonly #limits: Readonly<Limits>;
  /** The bytes, or characters, of the messages in the queue. */
  #bytes = 0;
  /** Whether a caller may still process the last message. */
  #isBusy = false;
  #isCut = false;
  readonly #usage: UnreadUsage;
  #isLookingAhead = false;
  /** Whether a caller wants all messages at once. */
  #isGathering = false;

  /** @param copiedUpTo The largest binary message that is no view of a chunk, in bytes. */
  constructor(
    connection: Pick<ConsumedConnection, "onIdle">,
    limits: Readonly<Limits>,
    copiedUpTo = 0,
  ) {
    super();
    this.#usage = new UnreadUsage(copiedUpTo);
    this.#connection = connection;
    this.#limits = limits;
  }

  /** Whether the queue is at its high-water mark. */
  get isFull(): boolean {
    const { incomingMaxMessages, incomingHighWaterMark } = this.#limits;
    if (this.length < incomingMaxMessages && this.#bytes < incomingHighWaterMark) return false;
    if (!this.#isLookingAhead && !this.#isGathering) return true;
    const most = LOOK_AHEAD * incomingHighWaterMark;
    const { maxConnectionMemory } = this.#limits;
    const room = this.#isGathering ? Math.min(most, maxConnectionMemory * BATCH_PART) : most;
    return this.#mostUsage >= room;
  }

  /**
   * Whether all messages have been processed: the queue is empty, and the caller that took the last
   * message has asked for the next one, or has left its loop.
   */
  get isIdle(): boolean {
    return !this.#isBusy && this.length === 0;
  }

  /** Whether a message has been dropped, so that no further one is added. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Whether a caller has taken a message, and does not wait for the next one. */
  get mayReply(): boolean {
    return this.#isBusy && !this.isAwaited;
  }

  /** The memory usage of the queue, in bytes. */
  get memoryUsage(): number {
    return this.#usage.bytes;
  }

  /** Copies the newest messages if they keep a much larger chunk in memory. */
  compact(): void {
    if (!this.#usage.isWasteful) return;
    let left = this.#usage.newestViews;
    for (let i = this.length - 1; left > 0; i--) {
      const message = this.at(i)!;
      if (!this.#usage.isView(message)) continue;
      this.replace(i, message.slice());
      left--;
    }
    this.#usage.copied();
  }

  /** An upper bound of the memory usage. */
  get #mostUsage(): number {
    return 2 * this.#bytes + this.length * PART_OVERHEAD;
  }

  /** Accepts messages above the mark until one is read, since a Close frame may follow them. */
  lookAhead(): void {
    this.#isLookingAhead = true;
  }

  /** Takes a received message; returns whether there is room for more. */
  message(message: Message, connection: ConsumedConnection, chunk?: Uint8Array): boolean {
    // After our Close frame the peer is not slowed down: the first message without room and all later ones
    // are dropped, so that the queue has the first messages without a gap.
    if (!connection.isOpen) this.#isCut ||= this.isFull;
    if (!this.#isCut) this.push(message, chunk);
    return !this.isFull;
  }

  /** The application waits for the end of the connection. */
  release(): void {
    this.#isBusy = false;
  }

  /** Adds a message. `chunk` is the array that it is a view of, if it is known. */
  override push(message: Message, chunk?: Uint8Array): boolean {
    if (super.push(message)) return this.#isBusy = true;
    this.#bytes += message.length;
    this.#usage.add(message, chunk);
    return false;
  }

  /** Removes and returns all messages. */
  override takeAll(): Message[] {
    this.#bytes = 0;
    this.#usage.clear();
    return super.takeAll();
  }

  /** Drops the newest messages until the memory usage is at most `most`, in bytes. */
  drop(most: number): void {
    while (this.length > 0 && this.#usage.bytes > most) {
      const message = this.pop()!;
      this.#bytes -= message.length;
      this.#usage.removeNewest(message);
    }
  }

  /** Removes and returns the oldest message; `undefined` if there is none, even after more input. */
  override poll(): Message | undefined {
    this.#isLookingAhead = false;
    if (this.length === 0) {
      this.#isBusy = false;
      this.#connection.onIdle(); // May add messages at once.
    }
    const message = super.poll();
    if (message === undefined) {
      this.#isBusy = false;
      return undefined;
    }
    this.#isBusy = true;
    this.#bytes -= message.length;
    this.#usage.removeOldest(message);
    return message;
  }

  /**
   * Removes and returns all messages, with as many of the pending input as an array may have; `undefined` if
   * there is none.
   */
  pollAll(): Message[] | undefined {
    this.#isLookingAhead = false;
    this.#isGathering = true;
    // Not idle before the messages in the queue have been processed.
    this.#isBusy = this.length > 0;
    this.#connection.onIdle();
    this.#isGathering = false;
    this.#isBusy = this.length > 0;
    return this.#isBusy ? this.takeAll() : undefined;
  }

  /** Waits for all messages that are received next. The queue must be empty. */
  async waitForAll(): Promise<IteratorResult<Message[], undefined>> {
    this.#isGathering = true;
    const result = await this.wait();
    this.#isGathering = false;
    if (result.done) return result;
    // The other messages of the chunk are in the queue now.
    const value = this.takeAll();
    value.unshift(result.value);
    return { value, done: false };
  }

  /** Leaves the loop. Unread messages wait for the next one. */
  override return(): Promise<IteratorResult<Message, undefined>> {
    this.#isBusy = false;
    this.#connection.onIdle();
    return super.return();
  }
}
