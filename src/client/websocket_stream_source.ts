import type { ClosePayload } from "../protocol/close_code.ts";
import type { WebSocketError } from "../protocol/errors.ts";
import type { Message } from "../protocol/message.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** How it ended: `error` where that was not clean. */
export interface End extends ClosePayload {
  readonly error: WebSocketError | undefined;
}

/**
 * A connection's messages as the source of a stream that settles as soon as it can: its end needs no
 * reader. {@linkcode WebSocketConnection.readable} waits for one, since the last message may yet be
 * answered.
 */
export class MessageSource implements UnderlyingDefaultSource<Message> {
  readonly cancel: (reason: unknown) => Promise<void>;
  readonly #messages: AsyncIterableIterator<Message, undefined>;
  readonly #ended: Promise<End>;
  #controller!: ReadableStreamDefaultController<Message>;
  #isPulling = false;
  #end: End | undefined;
  #isDone = false;
  #finishing: Promise<void> | undefined;

  constructor(
    connection: WebSocketConnection,
    ended: Promise<End>,
    closeFor: (reason: unknown) => Promise<void>,
  ) {
    this.#messages = connection[Symbol.asyncIterator]();
    this.#ended = ended;
    this.cancel = (reason) => {
      this.#isDone = true;
      return closeFor(reason);
    };
  }

  start(controller: ReadableStreamDefaultController<Message>): void {
    this.#controller = controller;
  }

  async pull(): Promise<void> {
    if (this.#end !== undefined) return await this.#finish(this.#end);
    this.#isPulling = true;
    const { done, value } = await this.#messages.next();
    this.#isPulling = false;
    if (this.#isDone) return;
    if (done) return await this.#finish(await this.#ended);
    this.#controller.enqueue(value);
    // Who reads a stream need not read on to be told of the end: a Close is answered now.
    void this.#messages.return!();
    if (this.#end !== undefined) await this.#finish(this.#end);
  }

  /** The connection has ended: so does the stream, after what came before. */
  end(end: End): void {
    this.#end = end;
    if (!this.#isPulling) void this.#finish(end);
  }

  #finish(end: End): Promise<void> {
    return this.#finishing ??= this.#drain(end).finally(() => this.#finishing = undefined);
  }

  async #drain({ error }: End): Promise<void> {
    // An error drops what waits in the stream: then it follows once that has been read.
    while (!this.#isDone && (error === undefined || this.#controller.desiredSize === 0)) {
      const { done, value } = await this.#messages.next();
      if (this.#isDone) return;
      if (!done) {
        this.#controller.enqueue(value);
        continue;
      }
      this.#isDone = true;
      if (error === undefined) this.#controller.close();
      else this.#controller.error(error);
    }
  }
}
