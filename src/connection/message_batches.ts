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
    const queue = this.#queue;
    const first = queue.poll();
    if (first !== undefined) return Promise.resolve(this.#batch(first));
    // The other messages of the chunk are in the queue when the promise has resolved.
    return queue.wait().then((result) => result.done ? result : this.#batch(result.value));
  }

  /** Iterator: the caller leaves the loop. */
  return(): Promise<IteratorResult<Message[], undefined>> {
    return this.#queue.return() as Promise<IteratorReturnResult<undefined>>;
  }

  /** Iterator: itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #batch(first: Message): IteratorYieldResult<Message[]> {
    const value = this.#queue.takeAll();
    value.unshift(first);
    return { done: false, value };
  }
}
