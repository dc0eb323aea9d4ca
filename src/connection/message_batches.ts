import type { Message } from "../protocol/message.ts";
import type { MessageQueue } from "./message_queue.ts";

/** The messages of a connection for a loop over arrays: a promise for many messages, not for each. */
export class MessageBatches implements AsyncIterableIterator<Message[], undefined> {
  readonly #queue: MessageQueue;

  constructor(queue: MessageQueue) {
    this.#queue = queue;
  }

  /** Iterator: all unread messages, or if there are none, those that are received next. */
  next(): Promise<IteratorResult<Message[], undefined>> {
    const value = this.#queue.pollAll();
    return value === undefined ? this.#queue.waitForAll() : Promise.resolve({ value, done: false });
  }

  /** Iterator: the caller leaves the loop. */
  return(): Promise<IteratorResult<Message[], undefined>> {
    return this.#queue.return() as Promise<IteratorReturnResult<undefined>>;
  }

  /** Iterator: itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}
