import type { MessagePart } from "../protocol/message.ts";
import { notOpen } from "./ready_state.ts";
import type { IncomingSource } from "./message_queue.ts";
import { makeFeed } from "./message_stream_source.ts";
import type { MessageFeed } from "./message_stream_source.ts";

/** A message that is read while it arrives: {@linkcode WebSocketConnection.messageStreams}. */
export type MessageStream =
  | { readonly type: "text"; readonly readable: ReadableStream<string> }
  | { readonly type: "binary"; readonly readable: ReadableStream<Uint8Array> };

type Result = IteratorResult<MessageStream, undefined>;

const DONE: Result = Object.freeze({ done: true, value: undefined });

/**
 * The incoming half of a connection, for messages that are read while they arrive, one after the
 * other.
 */
export class MessageStreams implements AsyncIterableIterator<MessageStream, undefined> {
  readonly #source: IncomingSource;
  readonly #mark: number;
  /** Messages that nobody has asked for yet. */
  #ready: { message: MessageStream; feed: MessageFeed }[] = [];
  #waiting: ((result: Result) => void)[] = [];
  /** Where the message goes that arrives now; nowhere, if whoever has it wants no more of it. */
  #current: MessageFeed | undefined;
  #inMessage = false;
  /** The message that was handed over last. */
  #given: MessageFeed | undefined;
  /** Whether whoever has that may not be done with it. */
  #isBusy = false;
  #hasEnded = false;

  /**
   * @param mark How many bytes, or characters, of a message may wait to be read, with what each part
   * costs beside them.
   */
  constructor(source: IncomingSource, mark: number) {
    this.#source = source;
    this.#mark = mark;
  }

  /** Whether what has arrived has not been read. */
  get isFull(): boolean {
    return this.#ready.length > 0 || this.#current?.isFull === true;
  }

  /**
   * Whether everything has been delivered, and whoever took the last message is done with it, as far
   * as one can see: it has asked for the next one, or it has left.
   */
  get isSettled(): boolean {
    return this.#ready.length === 0 && !this.#inMessage && !this.#isBusy;
  }

  /** How many bytes of memory wait to be read. */
  get heldBytes(): number {
    let bytes = this.#given?.heldBytes ?? 0;
    for (const { feed } of this.#ready) bytes += feed.heldBytes;
    return bytes;
  }

  /** Takes the next part; its bytes are copied. */
  push(part: MessagePart): void {
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

  /** Takes no notice of the next part, nor of what follows of its message. */
  drop(part: MessagePart): void {
    this.cut(notOpen("The message has not been read in time"));
    this.#inMessage = !part.fin;
  }

  /** The message that has begun will not end. */
  cut(error: unknown): void {
    this.#current?.error(error);
    this.#current = undefined;
    this.#inMessage = false;
  }

  /** Nothing more will come: a message that has not ended errors. */
  end(error: unknown): void {
    this.#hasEnded = true;
    this.cut(error ?? notOpen("The connection has ended inside a message"));
    for (const waiting of this.#waiting.splice(0)) waiting(DONE);
  }

  /**
   * The next message, as soon as it begins; what has not been read of the one before it is discarded.
   */
  next(): Promise<Result> {
    this.#discard();
    const ready = this.#ready.shift();
    if (ready !== undefined) {
      this.#give(ready.feed);
      this.#source.wanted();
      return Promise.resolve({ done: false, value: ready.message });
    }
    this.#isBusy = false;
    if (this.#hasEnded) return Promise.resolve(DONE);
    const next = new Promise<Result>((resolve) => this.#waiting.push(resolve));
    this.#source.wanted();
    return next;
  }

  /** The consumer leaves; it may come back. What it has of a message it may read on. */
  return(): Promise<Result> {
    this.#isBusy = false;
    this.#source.wanted();
    return Promise.resolve(DONE);
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #begin(type: MessagePart["type"]): void {
    const feed: MessageFeed = makeFeed(type, this.#mark, {
      wanted: () => this.#source.wanted(),
      cancelled: () => {
        if (this.#current === feed) this.#current = undefined;
        this.#source.wanted();
      },
    });
    this.#current = feed;
    const message = { type, readable: feed.readable } as MessageStream;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#ready.push({ message, feed });
    } else {
      this.#give(feed);
      waiting({ done: false, value: message });
    }
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
