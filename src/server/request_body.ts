import { EMPTY } from "../protocol/bytes.ts";
import type { RequestBodyDecoder } from "../http/request_body.ts";

/** The callbacks of a {@linkcode RequestBody}. */
export interface RequestBodySource {
  /** The application reads the body, and no data has been received. */
  bodyWanted(): void;
  /** The application has cancelled the body. */
  bodyCancelled(): void;
}

/** The body of a request as a stream, which is read from the connection as the application reads it. */
export class RequestBody {
  /** The body of the `Request`. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #decoder: RequestBodyDecoder;
  readonly #source: RequestBodySource;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  /** Data that was received with the head. */
  #early: Uint8Array;
  #onData: (() => void) | undefined;
  #isEnded = false;

  /**
   * Creates the stream of a body that is not complete.
   *
   * @param decoder The decoder, which has decoded `early`.
   * @param early Decoded data, which becomes the application's.
   * @param source The connection.
   */
  constructor(decoder: RequestBodyDecoder, early: Uint8Array, source: RequestBodySource) {
    this.#decoder = decoder;
    this.#early = early;
    this.#source = source;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => {
        this.#isEnded = true;
        this.#source.bodyCancelled();
      },
    }, { highWaterMark: 0 });
  }

  /** Whether the application waits for data. */
  get isWanted(): boolean {
    return this.#onData !== undefined && !this.#isEnded;
  }

  /** Whether the whole body has been received. */
  get isComplete(): boolean {
    return this.#decoder.isDone;
  }

  /** Whether the application has begun to read the body. */
  get isUsed(): boolean {
    return this.stream.locked || this.#isEnded;
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
    if (data.length > 0 && !this.#isEnded) {
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
    this.#controller.error(error);
    this.#pulled();
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
    this.#controller.close();
  }
}
