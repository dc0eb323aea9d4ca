import type { Message } from "../protocol/message.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { notOpen, ReadyState } from "../connection/ready_state.ts";
import { toBytes } from "../connection/sendable.ts";
import type { Sendable } from "../connection/sendable.ts";

/** The most that a frame's header takes, in bytes: it counts, so that small messages are bounded too. */
const MAX_HEADER = 14;

interface Item {
  readonly message: Message;
  readonly size: number;
  readonly sent: PromiseWithResolvers<void>;
}

/** What is sent while there is no connection, kept for the next one as far as there is room. */
export class ReconnectQueue {
  readonly #maxSize: number;
  #items: Item[] = [];
  #size = 0;
  #isClosed = false;

  /**
   * @param maxSize In bytes; 0 for nothing to be kept.
   * @param limit What it must not exceed: how much one connection takes at once.
   * @throws {RangeError} where it does.
   */
  constructor(maxSize: number, limit: number) {
    if (!(maxSize >= 0 && maxSize <= limit)) {
      throw new RangeError(
        `Cannot use maxQueueSize: expected a number from 0 to ${limit}, got ${maxSize}`,
      );
    }
    this.#maxSize = maxSize;
  }

  /** How many bytes wait. */
  get size(): number {
    return this.#size;
  }

  /** Keeps a message; what is returned settles as `send()` on the connection does that takes it. */
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

  /** Sends all that waits. */
  flush(connection: WebSocketConnection): void {
    // It may have been closed with the handshake's answer: then the next one will do.
    if (connection.readyState !== ReadyState.Open) return;
    for (const { message, sent } of this.#take()) {
      connection.send(message as Message & Sendable).then(sent.resolve, sent.reject);
    }
  }

  /** Refuses all that waits, and all that will come. */
  close(): void {
    this.#isClosed = true;
    for (const { sent } of this.#take()) sent.reject(notOpen("Cannot send"));
  }

  #take(): Item[] {
    const items = this.#items;
    this.#items = [];
    this.#size = 0;
    return items;
  }
}
