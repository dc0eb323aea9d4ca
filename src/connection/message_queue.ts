import type { Limits } from "./limits.ts";
import type { Message } from "../protocol/message.ts";
import { AsyncQueue } from "../util/async_queue.ts";
import { bytesOf, PART_OVERHEAD, pinsTooMuch } from "./memory_usage.ts";
import type { ConsumedConnection, MessageConsumer } from "./message_consumer.ts";

/** The memory usage at which `lookAhead()` ends, in multiples of the high-water mark. */
export const LOOK_AHEAD = 4;

/** With more messages than this, they are counted again when an eighth of them has changed. */
const MAX_COUNTED = 256;

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
  readonly #copiedUpTo: number;
  /** The memory usage when the messages were last counted, and what they were then. */
  #counted: { usage: number; length: number; bytes: number } | undefined;
  #isLookingAhead = false;

  /** @param copiedUpTo The largest binary message that is no view of a chunk, in bytes. */
  constructor(
    connection: Pick<ConsumedConnection, "onIdle">,
    limits: Readonly<Limits>,
    copiedUpTo = 0,
  ) {
    super();
    this.#copiedUpTo = copiedUpTo;
    this.#connection = connection;
    this.#limits = limits;
  }

  /** Whether the queue is at its high-water mark. */
  get isFull(): boolean {
    const { incomingMaxMessages, incomingHighWaterMark } = this.#limits;
    if (this.#isLookingAhead) return this.#mostUsage >= LOOK_AHEAD * incomingHighWaterMark;
    return this.length >= incomingMaxMessages || this.#bytes >= incomingHighWaterMark;
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
    const count = this.length;
    if (count === 0) return 0;
    if (count <= MAX_COUNTED) return bytesOf(this, this.#copiedUpTo);
    let counted = this.#counted;
    if (counted === undefined || Math.abs(count - counted.length) > count / 8) {
      const usage = bytesOf(this, this.#copiedUpTo);
      counted = this.#counted = { usage, length: count, bytes: this.#bytes };
    }
    const more = 2 * (this.#bytes - counted.bytes) + (count - counted.length) * PART_OVERHEAD;
    return Math.max(counted.usage + more, count * PART_OVERHEAD);
  }

  /** Copies the newest messages if they keep a much larger chunk in memory. */
  compact(): void {
    const buffer = this.length === 0 ? undefined : pinsTooMuch(this, this.#copiedUpTo);
    if (buffer === undefined) return;
    for (let i = this.length - 1; i >= 0; i--) {
      const message = this.at(i)!;
      if (typeof message !== "string" && message.buffer === buffer) {
        this.replace(i, message.slice());
      }
    }
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
  message(message: Message, connection: ConsumedConnection): boolean {
    // After our Close frame the peer is not slowed down: the first message without room and all later ones
    // are dropped, so that the queue has the first messages without a gap.
    this.#isCut ||= this.isFull && !connection.isOpen;
    if (!this.#isCut) this.push(message);
    return !this.isFull;
  }

  /** The application waits for the end of the connection. */
  release(): void {
    this.#isBusy = false;
  }

  /** Adds a message. */
  override push(message: Message): boolean {
    const isTaken = super.push(message);
    if (isTaken) this.#isBusy = true;
    else this.#bytes += message.length;
    return isTaken;
  }

  /** Removes and returns all messages. */
  override takeAll(): Message[] {
    this.#bytes = 0;
    return super.takeAll();
  }

  /** Drops the newest messages until the memory usage is at most `most`, in bytes. */
  drop(most: number): void {
    while (this.length > 0 && this.memoryUsage > most) this.#bytes -= this.pop()!.length;
  }

  /** Removes and returns the oldest message; `undefined` if there is none, even after more input. */
  override poll(): Message | undefined {
    this.#isLookingAhead = false;
    if (this.length === 0) {
      this.#isBusy = false;
      this.#connection.onIdle(); // May add messages at once.
    }
    const message = super.poll();
    this.#isBusy = message !== undefined;
    if (message !== undefined) this.#bytes -= message.length;
    return message;
  }

  /** Leaves the loop. Unread messages wait for the next one. */
  override return(): Promise<IteratorResult<Message, undefined>> {
    this.#isBusy = false;
    this.#connection.onIdle();
    return super.return();
  }
}
