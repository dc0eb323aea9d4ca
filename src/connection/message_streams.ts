import type { Message, MessagePart } from "../protocol/message.ts";
import { AsyncQueue } from "../util/async_queue.ts";
import { notOpen } from "./ready_state.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConsumedConnection, MessageConsumer } from "./message_consumer.ts";
import { LOOK_AHEAD } from "./message_queue.ts";
import type { MessageQueue } from "./message_queue.ts";
import { makeFeed } from "./message_stream_source.ts";
import type { MessageFeed } from "./message_stream_source.ts";

/** A message that is read while it arrives: {@linkcode WebSocketConnection.messageStreams}. */
export type MessageStream =
  | { readonly type: "text"; readonly readable: ReadableStream<string> }
  | { readonly type: "binary"; readonly readable: ReadableStream<Uint8Array<ArrayBuffer>> };

type Result = IteratorResult<MessageStream, undefined>;

/**
 * Received messages, each as a stream that is read while the message is received: the iterator of
 * {@linkcode WebSocketConnection.messageStreams}.
 */
export class MessageStreams
  implements AsyncIterableIterator<MessageStream, undefined>, MessageConsumer {
  readonly #connection: Pick<ConsumedConnection, "onIdle">;
  readonly #mark: number;
  /** Messages that no call of `next()` has taken yet. */
  readonly #queue = new AsyncQueue<MessageStream>();
  /** The sources of their streams, in the same order. */
  readonly #feeds = new Map<MessageStream, MessageFeed>();
  /** The stream of the message that is being received; `undefined` if it has been cancelled. */
  #current: MessageFeed | undefined;
  #inMessage = false;
  /** The stream of the message that `next()` has returned last. */
  #given: MessageFeed | undefined;
  /** Whether the caller of `next()` may still process that message. */
  #isBusy = false;
  /** Whether a part has been dropped. */
  #isCut = false;
  #isLookingAhead = false;

  /**
   * @param mark The high-water mark of one message's stream, in bytes or characters and the overhead of
   * each part.
   */
  constructor(connection: Pick<ConsumedConnection, "onIdle">, mark: number) {
    this.#connection = connection;
    this.#mark = mark;
  }

  /** Whether a message has not been requested, or the stream of the current one is at its mark. */
  get isFull(): boolean {
    // The next message goes to a caller that waits, however much is unread of the messages before it.
    if (this.#queue.isAwaited && !this.#inMessage) return false;
    if (this.#isLookingAhead) return this.memoryUsage >= LOOK_AHEAD * this.#mark;
    return this.#queue.length > 0 || this.#current?.isFull === true;
  }

  /**
   * Whether all messages have been processed: the caller that took the last one has asked for the next
   * one, or has left its loop.
   */
  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#inMessage && !this.#isBusy;
  }

  /** Whether a caller has taken a message, and does not wait for the next one. */
  get mayReply(): boolean {
    return this.#isBusy && !this.#queue.isAwaited;
  }

  /** The application waits for the end of the connection. */
  release(): void {
    this.#isBusy = false;
  }

  /** Accepts parts above the mark until a message is requested, as `MessageQueue` does. */
  lookAhead(): void {
    this.#isLookingAhead = true;
  }

  /** The memory usage of unread parts, in bytes. */
  get memoryUsage(): number {
    let bytes = this.#given?.memoryUsage ?? 0;
    for (const feed of this.#feeds.values()) bytes += feed.memoryUsage;
    return bytes;
  }

  /** Takes over the unread messages of a queue. */
  takeOver(queue: MessageQueue): void {
    for (const message of queue.takeAll()) this.push(toPart(message));
    if (queue.isCut) this.drop();
  }

  /** The message that was being received when the first stream was asked for. */
  message(message: Message, connection: ConsumedConnection): boolean {
    return this.part(toPart(message), connection);
  }

  /**
   * Takes the next part of a message; its bytes are copied.
   *
   * @returns Whether there is room for more.
   */
  part(part: MessagePart, connection: ConsumedConnection): boolean {
    // After our Close frame the peer is not slowed down: the first part without room and all later ones are
    // dropped, so that the parts before them have no gap.
    if (this.isFull && !connection.isOpen) this.drop();
    this.push(part);
    return !this.isFull;
  }

  /** Adds a part to the stream of its message. */
  push(part: MessagePart): void {
    if (this.#isCut) return;
    if (!this.#inMessage) {
      this.#inMessage = true;
      this.#begin(part.type);
    }
    if (part.data.length > 0) this.#current?.push(part.data);
    if (!part.fin) return;
    this.#inMessage = false;
    this.#current?.close();
    this.#current = undefined;
  }

  /** Ignores all further parts, and ends the current message. */
  drop(): void {
    this.#isCut = true;
    this.cut(notOpen("The message has not been read in time"));
  }

  /** Ends the current message: the rest of it will not be received. */
  cut(error: unknown): void {
    // There is no reply to a message that is cut.
    if (this.#current !== undefined && this.#current === this.#given) this.#isBusy = false;
    this.#current?.error(error);
    this.#current = undefined;
    this.#inMessage = false;
  }

  /** The connection has failed. */
  onError(error: unknown): void {
    this.cut(error);
  }

  /** The connection is closed: a message that has not ended errors. */
  onClose(info: Pick<CloseInfo, "error">): void {
    this.cut(info.error ?? notOpen("The connection has ended inside a message"));
    this.#queue.end();
  }

  /** Returns the next message as soon as it begins, and discards the unread rest of the last one. */
  next(): Promise<Result> {
    this.#isLookingAhead = false;
    this.#discard();
    const message = this.#queue.poll();
    if (message !== undefined) {
      this.#give(this.#feeds.get(message)!);
      this.#feeds.delete(message);
      this.#connection.onIdle();
      return Promise.resolve({ done: false, value: message });
    }
    this.#isBusy = false;
    const next = this.#queue.wait();
    if (!this.#queue.hasEnded) this.#connection.onIdle();
    return next;
  }

  /** Leaves the loop, which may be started again. The last message's stream can still be read. */
  return(): Promise<Result> {
    this.#isBusy = false;
    this.#connection.onIdle();
    return this.#queue.return();
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #begin(type: MessagePart["type"]): void {
    const feed: MessageFeed = makeFeed(type, this.#mark, {
      onEmpty: () => this.#connection.onIdle(),
      onCancel: () => {
        if (this.#current === feed) this.#current = undefined;
        this.#connection.onIdle();
      },
    });
    this.#current = feed;
    const message = { type, readable: feed.readable } as MessageStream;
    if (this.#queue.push(message)) this.#give(feed);
    else this.#feeds.set(message, feed);
  }

  #give(feed: MessageFeed): void {
    this.#given = feed;
    this.#isBusy = true;
  }

  #discard(): void {
    const given = this.#given;
    if (given === undefined) return;
    this.#given = undefined;
    if (this.#current === given) this.#current = undefined;
    given.error(new DOMException("The next message has been asked for", "AbortError"));
  }
}

/** Returns a whole message as one part. */
function toPart(data: Message): MessagePart {
  return { type: typeof data === "string" ? "text" : "binary", data, fin: true };
}
