import { EMPTY } from "../protocol/bytes.ts";
import { joinChunks } from "../transport/join_chunks.ts";
import type { RequestBodyDecoder } from "../http/request_body.ts";

/** The callbacks of a {@linkcode RequestBody}. */
export interface RequestBodySource {
  /** The application reads the body, and no data has been received. */
  bodyWanted(): void;
  /** The application has cancelled the body. */
  bodyCancelled(): void;
}

/** The factor by which the buffer of a collected body grows. */
const GROWTH = 16;

/** A body that the application reads as a whole. */
interface Collection {
  /** Received chunks that are this object's own. */
  readonly chunks: Uint8Array[];
  /** The size of the chunks together, in bytes. */
  chunksSize: number;
  /** What has been received in other chunks, in its first `size` bytes. */
  buffer: Uint8Array<ArrayBuffer>;
  size: number;
  readonly done: PromiseWithResolvers<Uint8Array<ArrayBuffer>>;
}

/**
 * The body of a request, which is read from the connection as the application reads it: as a stream, or
 * as a whole.
 */
export class RequestBody {
  readonly #decoder: RequestBodyDecoder;
  readonly #source: RequestBodySource;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #collection: Collection | undefined;
  /** Data that was received with the head. */
  #early: Uint8Array;
  #onData: (() => void) | undefined;
  #isEnded = false;
  #error: unknown;

  /**
   * Creates the body, which is not complete.
   *
   * @param decoder The decoder, which has decoded `early`.
   * @param early Decoded data, which becomes the application's.
   * @param source The connection.
   */
  constructor(decoder: RequestBodyDecoder, early: Uint8Array, source: RequestBodySource) {
    this.#decoder = decoder;
    this.#early = early;
    this.#source = source;
  }

  /** The body as a stream. */
  get stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#stream ??= new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        if (this.#isEnded) controller.error(this.#error);
      },
      pull: () => this.#pull(),
      cancel: () => {
        this.#isEnded = true;
        this.#source.bodyCancelled();
      },
    }, { highWaterMark: 0 });
  }

  /** Returns the whole body, when it is complete. The stream cannot be used after this. */
  collect(): Promise<Uint8Array<ArrayBuffer>> {
    const done = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    if (this.#isEnded) {
      done.reject(this.#error);
      return done.promise;
    }
    const early = this.#early as Uint8Array<ArrayBuffer>;
    this.#early = EMPTY;
    this.#collection = { chunks: [], chunksSize: 0, buffer: early, size: early.length, done };
    this.#source.bodyWanted();
    return done.promise;
  }

  /** Whether the application waits for data. */
  get isWanted(): boolean {
    return (this.#onData !== undefined || this.#collection !== undefined) && !this.#isEnded;
  }

  /** Whether the whole body has been received. */
  get isComplete(): boolean {
    return this.#decoder.isDone;
  }

  /** Whether the application has begun to read the body. */
  get isUsed(): boolean {
    return this.#collection !== undefined || this.#stream?.locked === true || this.#isEnded;
  }

  /** The memory of received data that the application has not read, in bytes. */
  get bufferedBytes(): number {
    return this.#early.length;
  }

  /**
   * Takes received data.
   *
   * @param chunk The data.
   * @param isOwn Whether this object may keep the chunk.
   * @returns The data after the end of the body.
   * @throws {HandshakeError} If the body is malformed, or over a limit.
   */
  receive(chunk: Uint8Array, isOwn: boolean): Uint8Array {
    const used = this.#decoder.push(chunk);
    const { data } = this.#decoder;
    if (this.#collection !== undefined) {
      if (!this.#isEnded) this.#collect(this.#collection, data, isOwn);
    } else if (data.length > 0 && !this.#isEnded) {
      // A view of a larger chunk is copied, too, if the rest of the chunk belongs to other data.
      const isWhole = isOwn && data.length === chunk.length;
      this.#controller.enqueue((isWhole ? data : data.slice()) as Uint8Array<ArrayBuffer>);
    }
    const { isDone } = this.#decoder;
    if (isDone) this.#end();
    if (data.length > 0 || isDone) this.#pulled();
    return used === -1 ? EMPTY : chunk.subarray(used);
  }

  /** Ends the body with an error, unless it is complete. */
  fail(error: unknown): void {
    this.#early = EMPTY;
    if (this.#isEnded || this.#decoder.isDone) return;
    this.#isEnded = true;
    this.#error = error;
    this.#collection?.done.reject(error);
    if (this.#stream !== undefined) this.#controller.error(error);
    this.#pulled();
  }

  #collect(collection: Collection, data: Uint8Array, isOwn: boolean): void {
    // A small part of a chunk must not keep the whole chunk in memory.
    if (isOwn && data.length * 2 >= data.buffer.byteLength) {
      collection.chunks.push(data);
      collection.chunksSize += data.length;
    } else if (data.length > 0) {
      if (collection.chunks.length > 0) join(collection);
      this.#append(collection, data);
    }
    if (!this.#decoder.isDone) return;
    if (collection.chunks.length > 0) join(collection);
    collection.done.resolve(collection.buffer.subarray(0, collection.size));
  }

  #append(collection: Collection, data: Uint8Array): void {
    const size = collection.size + data.length;
    if (size > collection.buffer.length) {
      // The announced length is not allocated before a part of it has been received.
      const length = size + (this.#decoder.missing ?? size);
      const grown = new Uint8Array(Math.min(length, size * GROWTH));
      grown.set(collection.buffer.subarray(0, collection.size));
      collection.buffer = grown;
    }
    collection.buffer.set(data, collection.size);
    collection.size = size;
  }

  #pull(): Promise<void> | void {
    if (this.#early.length > 0) {
      const early = this.#early as Uint8Array<ArrayBuffer>;
      this.#early = EMPTY;
      return this.#controller.enqueue(early);
    }
    return new Promise((resolve) => {
      this.#onData = resolve;
      this.#source.bodyWanted();
    });
  }

  #pulled(): void {
    const onData = this.#onData;
    this.#onData = undefined;
    onData?.();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#collection === undefined) this.#controller.close();
  }
}

/** Moves what has been received to one buffer. */
function join(collection: Collection): void {
  const { chunks, buffer, size } = collection;
  const received = size === 0 ? chunks : [buffer.subarray(0, size), ...chunks];
  const total = size + collection.chunksSize;
  collection.buffer = received.length === 1
    ? received[0] as Uint8Array<ArrayBuffer>
    : joinChunks(received, total);
  collection.size = total;
  collection.chunks.length = 0;
  collection.chunksSize = 0;
}
