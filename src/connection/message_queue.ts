import type { Limits } from "./limits.ts";
import type { Message } from "../protocol/message.ts";
import { bytesOf, PART_OVERHEAD } from "./memory_usage.ts";

/** What the queue asks of the endpoint that fills it. */
export interface IncomingSource {
  /** The consumer has taken all there is and wants more. */
  wanted(): void;
}

type Result = IteratorResult<Message, undefined>;

/** Up to how many messages are looked at to tell what they hold; with more, an upper bound will do. */
const MOST_COUNTED = 256;

const DONE: Result = Object.freeze({ done: true, value: undefined });

/**
 * The incoming half of a connection, for the consumers that pull: an async iterator over a queue.
 * Written by hand, since an async generator takes two to three times as long for each message.
 */
export class MessageQueue implements AsyncIterableIterator<Message, undefined> {
  readonly #source: IncomingSource;
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  #queue: Message[] = [];
  /** Where the queue starts: what stands before has been taken. */
  #head = 0;
  #bytes = 0;
  #waiting: ((result: Result) => void)[] = [];
  #isBusy = false;
  #hasEnded = false;

  constructor(source: IncomingSource, limits: Readonly<Limits>) {
    this.#source = source;
    this.#maxBytes = limits.incomingHighWaterMark;
    this.#maxMessages = limits.incomingMaxMessages;
  }

  /** Whether the queue is at its high-water mark. */
  get isFull(): boolean {
    return this.#queue.length - this.#head >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /**
   * Whether everything has been delivered, and whoever took the last message is done with it, as far
   * as one can see: it has asked for the next one, or it has left.
   */
  get isSettled(): boolean {
    return this.#queue.length === this.#head && !this.#isBusy;
  }

  /** How many bytes of memory the queue holds. */
  get heldBytes(): number {
    const count = this.#queue.length - this.#head;
    if (count === 0) return 0;
    if (count > MOST_COUNTED) return 2 * this.#bytes + count * PART_OVERHEAD;
    return bytesOf(this.#queue, this.#head);
  }

  /** Adds a message. */
  push(message: Message): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#isBusy = true;
      waiting({ done: false, value: message });
      return;
    }
    this.#queue.push(message);
    this.#bytes += message.length;
  }

  /** Gives away all that wait. */
  takeAll(): Message[] {
    const all = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    this.#bytes = 0;
    return all;
  }

  /** No further message will come; those in the queue are still delivered. */
  end(): void {
    this.#hasEnded = true;
    for (const waiting of this.#waiting.splice(0)) waiting(DONE);
  }

  /** The next message; done once the connection has closed and all before that has been delivered. */
  next(): Promise<Result> {
    if (this.#hasNext()) return Promise.resolve({ done: false, value: this.#take() });
    return this.wait();
  }

  /** The next message, where it's there already. */
  poll(): Message | undefined {
    return this.#hasNext() ? this.#take() : undefined;
  }

  /** The next message, where `poll()` has found none. */
  wait(): Promise<Result> {
    if (this.#hasEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The consumer leaves. What has not been delivered waits for the next one. */
  return(): Promise<Result> {
    this.#isBusy = false;
    if (this.#head === this.#queue.length) this.#source.wanted();
    return Promise.resolve(DONE);
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #hasNext(): boolean {
    if (this.#head === this.#queue.length) {
      this.#isBusy = false;
      this.#source.wanted(); // May fill the queue at once.
    }
    return this.#isBusy = this.#head < this.#queue.length;
  }

  #take(): Message {
    const message = this.#queue[this.#head];
    this.#bytes -= message.length;
    if (++this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    return message;
  }
}
