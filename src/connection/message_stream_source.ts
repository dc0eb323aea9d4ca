import { acquireBuffer, releaseBuffer } from "../protocol/buffer_pool.ts";
import type { MessagePart } from "../protocol/message.ts";
import { PART_OVERHEAD } from "./memory_usage.ts";

/**
 * The largest part, in bytes, that is made for a reader that has brought no buffer. V8 lets tens of MiB of
 * large buffers become garbage before it looks, and looks sooner where they are small and many.
 */
const PART_SIZE = 8 * 1024;

/** The way into one message's `ReadableStream`. */
export interface MessageFeed<Data extends string | Uint8Array = string | Uint8Array> {
  readonly readable: ReadableStream<Data>;
  /** Whether as much waits to be read as may. */
  readonly isFull: boolean;
  /** How many bytes of memory that takes. */
  readonly heldBytes: number;
  /** Adds the next part, which is not empty; the caller may use its bytes again. */
  push(data: Data): void;
  /** Ends the message. */
  close(): void;
  /** The message will not end. */
  error(error: unknown): void;
}

/** Who is told how a message is read. */
export interface MessageFeedOwner {
  /** Everything that has come has been read. */
  wanted(): void;
  /** The reader wants no more of the message. */
  cancelled(): void;
}

/**
 * Makes the stream of one message.
 *
 * @param mark How many bytes may wait to be read, or how many characters, with what each part of them
 * costs beside.
 */
export function makeFeed(
  type: MessagePart["type"],
  mark: number,
  owner: MessageFeedOwner,
): MessageFeed {
  return (type === "text" ? new TextFeed(mark, owner) : new BinaryFeed(mark, owner)) as MessageFeed;
}

class TextFeed implements MessageFeed<string> {
  readonly readable: ReadableStream<string>;
  readonly #mark: number;
  #controller!: ReadableStreamDefaultController<string>;

  constructor(mark: number, owner: MessageFeedOwner) {
    this.#mark = mark;
    this.readable = new ReadableStream<string>({
      start: (controller) => void (this.#controller = controller),
      // Not for each part that has been read: a chunk of many comes at a time.
      pull: ({ desiredSize }) => {
        if (desiredSize === mark) owner.wanted();
      },
      cancel: () => owner.cancelled(),
    }, { highWaterMark: mark, size: (chunk) => chunk!.length + PART_OVERHEAD });
  }

  get isFull(): boolean {
    return (this.#controller.desiredSize ?? 0) <= 0;
  }

  /** A stream that has ended, or errored, wants nothing and holds nothing. Characters may take two bytes. */
  get heldBytes(): number {
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
 * A byte stream: what a BYOB reader waits for goes from the network's buffer into its own, and leaves
 * no garbage. What nobody waits for yet is kept in a buffer of the pool's, not in the stream's queue.
 *
 * @see {@link https://streams.spec.whatwg.org/#readable-byte-streams}
 */
class BinaryFeed implements MessageFeed<Uint8Array> {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #mark: number;
  readonly #owner: MessageFeedOwner;
  #controller!: ReadableByteStreamController;
  /** What has come and has not been read: from `#start` to `#end`. */
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #start = 0;
  #end = 0;
  #isPulled = false;
  #isClosing = false;

  constructor(mark: number, owner: MessageFeedOwner) {
    this.#mark = mark;
    this.#owner = owner;
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#pull(),
      cancel: () => {
        this.#free();
        owner.cancelled();
      },
    }, { highWaterMark: 0 });
  }

  get isFull(): boolean {
    return this.#end - this.#start >= this.#mark;
  }

  get heldBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  push(data: Uint8Array): void {
    const rest = this.#isPulled && this.#end === this.#start ? this.#give(data) : data;
    if (rest.length > 0) this.#keep(rest);
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
    if (this.#end === this.#start) return this.#owner.wanted();
    const waiting = this.#buffer!.subarray(this.#start, this.#end);
    this.#start = this.#end - this.#give(waiting).length;
    if (this.#start < this.#end) return;
    this.#free();
    if (this.#isClosing) this.#close();
  }

  /** Gives to whom waits, and gives back what is left. */
  #give(data: Uint8Array): Uint8Array {
    this.#isPulled = false;
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
    // A read that waits ends with the stream only once it has been answered.
    this.#controller.byobRequest?.respond(0);
  }
}
