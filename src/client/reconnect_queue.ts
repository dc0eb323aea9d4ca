import type { Message } from "../protocol/message.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { notOpen, ReadyState } from "../connection/ready_state.ts";
import { toBytes } from "../connection/sendable.ts";
import type { Sendable } from "../connection/sendable.ts";

/** The longest frame header, in bytes. It is added to each message, so that short ones are bounded. */
const MAX_HEADER = 14;

interface Item {
  readonly message: Message;
  readonly size: number;
  readonly sent: PromiseWithResolvers<void>;
}

/** A bounded queue of the messages that are sent while there is no connection. */
export class ReconnectQueue {
  readonly #maxSize: number;
  #items: Item[] = [];
  #size = 0;
  #isClosed = false;

  /**
   * @param maxSize The capacity in bytes; with 0 every message is rejected.
   * @param limit The upper bound of `maxSize`: what the send queue of one connection holds.
   * @throws {RangeError} If `maxSize` is out of range.
   */
  constructor(maxSize: number, limit: number) {
    if (!(maxSize >= 0 && maxSize <= limit)) {
      throw new RangeError(
        `Cannot use maxQueueSize: expected a number from 0 to ${limit}, got ${maxSize}`,
      );
    }
    this.#maxSize = maxSize;
  }

  /** The size of the queued messages in bytes, frame headers included. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a message.
   *
   * @returns A promise that settles as the `send()` of the connection that takes the message. It
   * rejects if the queue is full or closed.
   */
  add(data: Sendable): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : toBytes(data);
    const size = bytes.length + MAX_HEADER;
    const sent = Promise.withResolvers<void>();
    sent.promise.catch(() => {});
    if (this.#isClosed || this.#maxSize === 0) {
      sent.reject(notOpen("Cannot send"));
    } else if (size > this.#maxSize - this.#size) {
      const waits = `${this.#size} bytes wait for a connection, at most ${this.#maxSize} may`;
      sent.reject(notOpen(`Cannot send: ${waits}`));
    } else {
      const message = typeof data === "string" ? data : bytes.slice();
      this.#items.push({ message, size, sent });
      this.#size += size;
    }
    return sent.promise;
  }

  /** Sends all messages on a connection; keeps them if it is not open. */
  flush(connection: WebSocketConnection): void {
    // A Close frame may have come in the same chunk as the handshake's response.
    if (connection.readyState !== ReadyState.Open) return;
    for (const { message, sent } of this.#takeAll()) {
      connection.send(message as Message & Sendable).then(sent.resolve, sent.reject);
    }
  }

  /** Rejects all messages that are queued, and all that are added later. */
  close(): void {
    this.#isClosed = true;
    for (const { sent } of this.#takeAll()) sent.reject(notOpen("Cannot send"));
  }

  #takeAll(): Item[] {
    const items = this.#items;
    this.#items = [];
    this.#size = 0;
    return items;
  }
}
