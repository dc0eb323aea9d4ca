import { acquireBuffer, releaseBuffer } from "../protocol/fast_paths.ts";
import type { MessagePart } from "../protocol/message.ts";
import { PART_OVERHEAD } from "./memory_usage.ts";

/**
 * The largest part, in bytes, for a reader without a buffer of its own. V8 collects many small buffers
 * earlier than a few large ones, which it leaves as tens of MiB of garbage.
 */
const PART_SIZE = 8 * 1024;

/** The source of the `ReadableStream` of one message. */
export interface MessageFeed<Data extends string | Uint8Array = string | Uint8Array> {
  readonly readable: ReadableStream<Data>;
  /** Whether the unread parts are at the high-water mark. */
  readonly isFull: boolean;
  /** The memory usage of the unread parts, in bytes. */
  readonly memoryUsage: number;
  /** Adds the next part, which is not empty; its bytes are copied. */
  push(data: Data): void;
  /** Ends the message. */
  close(): void;
  /** Errors the stream: the message will not end. */
  error(error: unknown): void;
}

/** The callbacks of a {@linkcode MessageFeed}. */
export interface MessageFeedEvents {
  /** All parts have been read, and the reader waits for more. */
  onEmpty(): void;
  /** The reader has cancelled the stream. */
  onCancel(): void;
}

/**
 * Creates the stream of one message.
 *
 * @param mark The high-water mark, in bytes or characters and the overhead of each part.
 */
export function makeFeed(
  type: MessagePart["type"],
  mark: number,
  events: MessageFeedEvents,
): MessageFeed {
  return (type === "text"
    ? new TextFeed(mark, events)
    : new BinaryFeed(mark, events)) as MessageFeed;
}

class TextFeed implements MessageFeed<string> {
  readonly readable: ReadableStream<string>;
  readonly #mark: number;
  #controller!: ReadableStreamDefaultController<string>;

  constructor(mark: number, events: MessageFeedEvents) {
    this.#mark = mark;
    this.readable = new ReadableStream<string>({
      start: (controller) => void (this.#controller = controller),
      // Not for each part: the parts of one chunk are added at once.
      pull: ({ desiredSize }) => {
        if (desiredSize === mark) events.onEmpty();
      },
      cancel: () => events.onCancel(),
    }, { highWaterMark: mark, size: (chunk) => chunk!.length + PART_OVERHEAD });
  }

  get isFull(): boolean {
    return (this.#controller.desiredSize ?? 0) <= 0;
  }

  /** A stream that has ended, or errored, has no unread parts. Characters may take two bytes. */
  get memoryUsage(): number {
    const { desiredSize } = this.#controller;
    return desiredSize === null || desiredSize === 0 ? 0 : 2 * (this.#mark - desiredSize);
  }

  push(data: string): void {
    this.#controller.enqueue(data);
  }

  close(): void {
    this.#controller.close();
  }

  error(error: unknown): void {
    this.#controller.error(error);
  }
}

/**
 * A byte stream: a BYOB reader that waits gets the bytes copied from the chunk into its own buffer,
 * which leaves no garbage. Bytes that no reader waits for are kept in a buffer of the pool, not in the
 * queue of the stream.
 *
 * @see {@link https://streams.spec.whatwg.org/#readable-byte-streams}
 */
class BinaryFeed implements MessageFeed<Uint8Array> {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #mark: number;
  readonly #events: MessageFeedEvents;
  #controller!: ReadableByteStreamController;
  /** The unread bytes, from `#start` to `#end`. */
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #start = 0;
  #end = 0;
  /** Whether a read waits for bytes. */
  #isPulled = false;
  /** Whether bytes are being passed on: they include the bytes that a pull then requests. */
  #isGiving = false;
  #isClosing = false;

  constructor(mark: number, events: MessageFeedEvents) {
    this.#mark = mark;
    this.#events = events;
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#pull(),
      cancel: () => {
        this.#free();
        events.onCancel();
      },
    }, { highWaterMark: 0 });
  }

  get isFull(): boolean {
    return this.#end - this.#start >= this.#mark;
  }

  get memoryUsage(): number {
    return this.#buffer?.length ?? 0;
  }

  push(data: Uint8Array): void {
    const rest = this.#end === this.#start ? this.#give(data) : data;
    if (rest.length > 0) this.#keep(rest);
    else if (this.#isPulled) this.#events.onEmpty();
  }

  close(): void {
    this.#isClosing = true;
    if (this.#end === this.#start) this.#close();
  }

  error(error: unknown): void {
    this.#free();
    this.#controller.error(error);
  }

  #pull(): void {
    this.#isPulled = true;
    if (this.#isGiving) return;
    if (this.#end === this.#start) return this.#events.onEmpty();
    const rest = this.#give(this.#buffer!.subarray(this.#start, this.#end));
    this.#start = this.#end - rest.length;
    if (this.#start < this.#end) return;
    this.#free();
    if (this.#isClosing) this.#close();
    else if (this.#isPulled) this.#events.onEmpty();
  }

  /** Passes bytes to the reads that wait, one after the other, and returns the rest of them. */
  #give(data: Uint8Array): Uint8Array {
    let rest = data;
    this.#isGiving = true;
    while (this.#isPulled && rest.length > 0) {
      this.#isPulled = false; // The stream pulls again within the call if another read waits.
      rest = this.#giveOne(rest);
    }
    this.#isGiving = false;
    return rest;
  }

  #giveOne(data: Uint8Array): Uint8Array {
    const request = this.#controller.byobRequest;
    if (request === null) {
      this.#controller.enqueue(data.slice(0, PART_SIZE));
      return data.subarray(PART_SIZE);
    }
    const { buffer, byteOffset, byteLength } = request.view!;
    const size = Math.min(byteLength, data.length);
    new Uint8Array(buffer, byteOffset, size).set(data.subarray(0, size));
    request.respond(size);
    return data.subarray(size);
  }

  #keep(data: Uint8Array): void {
    const length = this.#end - this.#start;
    if (this.#buffer !== undefined && length + data.length <= this.#buffer.length) {
      if (this.#end + data.length > this.#buffer.length) {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#start = 0;
        this.#end = length;
      }
    } else {
      const larger = acquireBuffer(length + data.length);
      if (this.#buffer !== undefined) larger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#free();
      this.#buffer = larger;
      this.#end = length;
    }
    this.#buffer.set(data, this.#end);
    this.#end += data.length;
  }

  #free(): void {
    if (this.#buffer !== undefined) releaseBuffer(this.#buffer);
    this.#buffer = undefined;
    this.#start = this.#end = 0;
  }

  #close(): void {
    this.#controller.close();
    // A pending BYOB read ends with the stream only after a response.
    this.#controller.byobRequest?.respond(0);
  }
}
