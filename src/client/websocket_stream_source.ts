import type { WebSocketConnection } from "../connection/connection.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import type { WebSocketError } from "../protocol/errors.ts";
import type { Message } from "../protocol/message.ts";

/** How a WebSocketStream has ended: with an `error` if that was not clean. */
export interface StreamEnd extends ClosePayload {
  readonly error: WebSocketError | undefined;
}

/**
 * The messages of a connection, as the underlying source of `readable` of a WebSocketStream. In contrast
 * to {@linkcode WebSocketConnection.readable} it lets the connection answer a Close at once, with or
 * without a reader, and it drops messages once the application has closed, as the standard says.
 */
export class WebSocketStreamSource implements UnderlyingDefaultSource<Message> {
  readonly cancel: (reason: unknown) => Promise<void>;
  readonly #messages: AsyncIterableIterator<Message, undefined>;
  readonly #ended: Promise<StreamEnd>;
  #controller!: ReadableStreamDefaultController<Message>;
  #isPulling = false;
  #isDiscarding = false;
  #end: StreamEnd | undefined;
  #isDone = false;
  #finishing: Promise<void> | undefined;

  /**
   * @param ended Resolves when the connection has ended.
   * @param close Closes the connection; resolves when it has ended.
   */
  constructor(
    connection: WebSocketConnection,
    ended: Promise<StreamEnd>,
    close: (reason: unknown) => Promise<void>,
  ) {
    this.#messages = connection[Symbol.asyncIterator]();
    this.#ended = ended;
    this.cancel = (reason) => {
      this.#isDone = true;
      return close(reason);
    };
  }

  /** Source: the stream is there. */
  start(controller: ReadableStreamDefaultController<Message>): void {
    this.#controller = controller;
  }

  /** Source: the stream has a reader for the next message. */
  async pull(): Promise<void> {
    // "To pull bytes from a WebSocketStream stream, if stream is currently applying backpressure, release
    // backpressure."
    if (this.#end !== undefined) return await this.#finish(this.#end);
    this.#isPulling = true;
    const { done, value } = await this.#messages.next();
    this.#isPulling = false;
    if (this.#isDone) return;
    if (done) return await this.#finish(await this.#ended);
    this.#enqueue(value);
    // The reader may read nothing else: the connection need not wait for it to answer a Close.
    void this.#messages.return!();
    if (this.#end !== undefined) await this.#finish(this.#end);
  }

  /** The application has closed: drops all further messages. */
  async discard(): Promise<void> {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    while (!(await this.#messages.next()).done);
  }

  /** The connection has ended: so does the stream, after the messages that are left. */
  end(end: StreamEnd): void {
    this.#end = end;
    if (!this.#isPulling) void this.#finish(end);
  }

  #enqueue(message: Message): void {
    // "If stream's ready state is not OPEN (1), then return."
    if (this.#isDiscarding) return;
    // "type indicates that the data is Text: a new DOMString containing data. type indicates that the
    // data is Binary: a new Uint8Array object [...] whose contents are data."
    this.#controller.enqueue(message);
  }

  #finish(end: StreamEnd): Promise<void> {
    return this.#finishing ??= this.#drain(end).finally(() => this.#finishing = undefined);
  }

  async #drain({ error }: StreamEnd): Promise<void> {
    // An error drops the chunks that the stream holds: it follows once they have been read.
    while (!this.#isDone && (error === undefined || this.#controller.desiredSize === 0)) {
      const { done, value } = await this.#messages.next();
      if (this.#isDone) return;
      if (!done) {
        this.#enqueue(value);
        continue;
      }
      this.#isDone = true;
      // "If the connection was closed cleanly, Close stream's readable stream." "Otherwise, [...] Error
      // stream's readable stream with error."
      if (error === undefined) this.#controller.close();
      else this.#controller.error(error);
    }
  }
}
