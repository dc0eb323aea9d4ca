import type { Message } from "../protocol/message.ts";
import type { Transport } from "../transport/transport.ts";
import { Timer } from "../util/timers.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import { SHORT_COPY } from "./memory_usage.ts";
import type { ConsumedConnection } from "./message_consumer.ts";
import { LOOK_AHEAD, MessageQueue } from "./message_queue.ts";
import { makeReadable } from "./message_readable.ts";
import type { StreamCore } from "./message_readable.ts";
import { MessageStreams } from "./message_streams.ts";

/**
 * The time without a reader, in milliseconds, after which more messages are received than the queue has
 * room for, to find the peer's Close frame behind them.
 */
const LOOK_AHEAD_AFTER = 250;

/** The members of a connection that its {@linkcode ConnectionReaders} use. */
export interface ReadersCore extends StreamCore, Pick<ConsumedConnection, "isOpen" | "onIdle"> {
  readonly settings: Pick<ConnectionSettings<unknown>, "limits" | "timers">;
  readonly transport: Pick<Transport, "lendsChunks">;
  /** Whether a caller processes a message. */
  readonly mayReply: boolean;
  /** How the connection has ended; `undefined` before that. */
  readonly closeInfo: CloseInfo | undefined;
}

/**
 * The ways to pull messages from a connection. Each is made when it is first used.
 *
 * A connection must notice the peer's Close even if its messages are not read. So if the queue is full and
 * nothing has read for a while, it gets more room. This object is the {@linkcode Timer} of that wait.
 */
export class ConnectionReaders extends Timer {
  readonly #core: ReadersCore;
  #queue: MessageQueue | undefined;
  #streams: MessageStreams | undefined;
  #readable: ReadableStream<Message> | undefined;

  constructor(core: ReadersCore) {
    super();
    this.#core = core;
  }

  /** The unread messages, for `for await` and `readable`. */
  get queue(): MessageQueue {
    if (this.#queue === undefined) {
      const { settings, transport } = this.#core;
      const copiedUpTo = transport.lendsChunks ? 0 : SHORT_COPY;
      this.#queue = new MessageQueue(this.#core, settings.limits, copiedUpTo);
      if (this.#core.closeInfo !== undefined) this.#queue.end();
    }
    return this.#queue;
  }

  /** The messages as streams: takes over the messages of the queue. */
  get streams(): MessageStreams {
    if (this.#streams === undefined) {
      const { settings, closeInfo } = this.#core;
      this.#streams = new MessageStreams(this.#core, settings.limits.incomingHighWaterMark);
      this.#streams.takeOver(this.queue);
      if (closeInfo !== undefined) this.#streams.onClose(closeInfo);
    }
    return this.#streams;
  }

  /** As `WebSocketConnection.readable`. */
  get readable(): ReadableStream<Message> {
    return this.#readable ??= makeReadable(this.queue, this.#core);
  }

  /** The memory usage of unread messages, in bytes. */
  get memoryUsage(): number {
    return (this.#queue?.memoryUsage ?? 0) + (this.#streams?.memoryUsage ?? 0);
  }

  /** There is no room for more messages. */
  onFull(): void {
    const { isOpen, mayReply, settings } = this.#core;
    const isWaiting = this.wheel !== undefined;
    if (isOpen && !mayReply && !isWaiting) settings.timers.start(this, LOOK_AHEAD_AFTER);
  }

  /** Timer: nothing has been read for a while, or a loop processes a message again. */
  override timeUp(): void {
    if (!this.#core.isOpen || this.#core.mayReply) return;
    (this.#streams ?? this.queue).lookAhead();
    this.#core.onIdle();
  }

  /** MemoryAccount: drops the newest unread messages, so that at most `most` bytes are left. */
  dropUnread(most: number): void {
    this.#queue?.drop(most);
  }

  /** The connection is closed. After an unclean end only the first unread messages are kept. */
  onClose(info: CloseInfo): void {
    this.stopTimer();
    if (!info.wasClean) {
      this.dropUnread(LOOK_AHEAD * this.#core.settings.limits.incomingHighWaterMark);
    }
    this.#queue?.end();
    this.#streams?.onClose(info);
  }
}
