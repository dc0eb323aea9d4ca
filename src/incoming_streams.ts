import type { MessagePart } from "./protocol/message.ts";
import { notOpen } from "./endpoint.ts";
import type { IncomingSource } from "./incoming.ts";

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
export class IncomingStreams implements AsyncIterableIterator<MessageStream, undefined> {
  readonly #source: IncomingSource;
  readonly #mark: number;
  /** Messages that nobody has asked for yet. */
  #ready: MessageStream[] = [];
  #waiting: ((result: Result) => void)[] = [];
  /** Where the message goes that arrives now. */
  #current: ReadableStreamDefaultController<string | Uint8Array> | undefined;
  /** Whether whoever has the message that arrives now wants no more of it. */
  #isDiscarding = false;
  #inMessage = false;
  #hasEnded = false;

  /** @param mark How many bytes, or characters, of a message may wait to be read. */
  constructor(source: IncomingSource, mark: number) {
    this.#source = source;
    this.#mark = mark;
  }

  /** Whether what has arrived has not been read. */
  get isFull(): boolean {
    return this.#ready.length > 0 ||
      (this.#current !== undefined && (this.#current.desiredSize ?? 0) <= 0);
  }

  /** Whether everything has been delivered, and the next message has been asked for. */
  get isSettled(): boolean {
    return this.#waiting.length > 0 && !this.#inMessage;
  }

  /** Takes the next part; its bytes are the streams' own. */
  push(part: MessagePart): void {
    if (!this.#inMessage) {
      this.#inMessage = true;
      this.#begin(part.type);
    }
    if (!this.#isDiscarding && part.data.length > 0) this.#current?.enqueue(part.data);
    if (!part.fin) return;
    this.#inMessage = false;
    if (!this.#isDiscarding) this.#current?.close();
    this.#isDiscarding = false;
    this.#current = undefined;
  }

  /** Nothing more will come: a message that has not ended errors. */
  end(error: unknown): void {
    this.#hasEnded = true;
    if (!this.#isDiscarding) {
      this.#current?.error(error ?? notOpen("The connection ended inside a message"));
    }
    this.#current = undefined;
    for (const waiting of this.#waiting.splice(0)) waiting(DONE);
  }

  /**
   * The next message, as soon as it begins; what has not been read of the one before it is discarded.
   */
  next(): Promise<Result> {
    const ready = this.#ready.shift();
    if (ready !== undefined) {
      this.#source.wanted();
      return Promise.resolve({ done: false, value: ready });
    }
    if (this.#inMessage) this.#discard();
    if (this.#hasEnded) return Promise.resolve(DONE);
    const next = new Promise<Result>((resolve) => this.#waiting.push(resolve));
    this.#source.wanted();
    return next;
  }

  /** The consumer leaves; it may come back. */
  return(): Promise<Result> {
    return Promise.resolve(DONE);
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #begin(type: MessagePart["type"]): void {
    const readable = new ReadableStream<string | Uint8Array>({
      start: (controller) => {
        this.#current = controller;
      },
      pull: () => this.#source.wanted(),
      cancel: () => {
        this.#isDiscarding = true;
        this.#source.wanted();
      },
    }, { highWaterMark: this.#mark, size: (chunk) => chunk?.length ?? 0 });
    const message = { type, readable } as MessageStream;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#ready.push(message);
    else waiting({ done: false, value: message });
  }

  #discard(): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    this.#current?.error(notOpen("The next message has been asked for"));
  }
}
