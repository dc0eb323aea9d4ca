/** The two streams of a connection, as an application uses them. */

import type { Message, OutgoingMessage } from "../../mod.ts";
import type { Content, Direction, Promises, Tracked } from "./ledger.ts";

/** What an application needs of its scenario. */
export interface Stage {
  readonly promises: Promises;
  /** A count of the events of the network. */
  readonly netEvents: number;
  /** Reports a broken invariant from within a callback. */
  violated(error: unknown): void;
}

/** Calls the function, and reports what it throws. */
export function guarded<Args extends unknown[]>(stage: Stage, run: (...args: Args) => void) {
  return (...args: Args): void => {
    try {
      run(...args);
    } catch (error) {
      stage.violated(error);
    }
  };
}

/** The reader of one stream of messages and the writer of another, of one connection. */
export class StreamPair {
  readonly #name: string;
  readonly #stage: Stage;
  readonly #in: Direction;
  readonly #out: Direction;
  readonly #readable: () => ReadableStream<Message>;
  readonly #writable: () => WritableStream<OutgoingMessage>;
  #reader: ReadableStreamDefaultReader<Message> | undefined;
  #writer: WritableStreamDefaultWriter<OutgoingMessage> | undefined;
  #hasEnded = false;
  isPiped = false;
  /** The calls that have resolved, which says that the connection has closed cleanly. */
  readonly finished: string[] = [];
  /** Whether the application has ended the connection by one of its streams. */
  hasClosed = false;

  constructor(
    name: string,
    stage: Stage,
    directions: { in: Direction; out: Direction },
    readable: () => ReadableStream<Message>,
    writable: () => WritableStream<OutgoingMessage>,
  ) {
    this.#name = name;
    this.#stage = stage;
    this.#in = directions.in;
    this.#out = directions.out;
    this.#readable = readable;
    this.#writable = writable;
  }

  /** Whether the reader has been told of the end. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  read(): void {
    if (this.isPiped) return;
    this.#getReader();
    const promise = this.#reader!.read();
    this.#track("read()", promise, ({ state, value }) => {
      if (state === "rejected" || (value as ReadableStreamReadResult<Message>).done) {
        this.#hasEnded = true;
      } else {
        this.#in.receive((value as { value: Message }).value);
      }
    });
  }

  cancel(): void {
    if (this.isPiped) return;
    this.hasClosed = true;
    this.#getReader();
    this.#track("cancel()", this.#reader!.cancel(new Error("cancelled")));
  }

  write(content: Content): void {
    if (this.isPiped) return;
    this.#getWriter();
    const tracked = this.#track("write()", this.#writer!.write(content));
    this.#out.add("writable", content, tracked);
  }

  closeWriter(): void {
    if (this.isPiped) return;
    this.hasClosed = true;
    this.#getWriter();
    this.#track("writer.close()", this.#writer!.close(), (own) => {
      if (own.state === "resolved") this.finished.push("writer.close()");
    });
  }

  abortWriter(): void {
    if (this.isPiped) return;
    this.hasClosed = true;
    this.#getWriter();
    this.#track("writer.abort()", this.#writer!.abort(new Error("aborted")));
  }

  /** Sends everything that is received back. */
  pipe(): void {
    if (this.isPiped || this.#reader !== undefined || this.#writer !== undefined) return;
    this.isPiped = true;
    const tracked = { state: "pending" as Tracked["state"] };
    const through = new TransformStream<Message, Message>({
      transform: (message, controller) => {
        guarded(this.#stage, () => this.#in.receive(message))();
        this.#out.add("pipe", message, tracked);
        controller.enqueue(message);
      },
    });
    const reading = this.#readable().pipeTo(through.writable);
    this.#track("readable.pipeTo()", reading, () => this.#hasEnded = true);
    this.#track("pipeTo(writable)", through.readable.pipeTo(this.#writable()), ({ state }) => {
      tracked.state = state;
      if (state === "resolved") this.finished.push("pipeTo(writable)");
      // A write that is refused cancels the source of the pipe, which closes the connection.
      else this.hasClosed = true;
    });
  }

  /** Reads to the end. */
  async readAll(): Promise<void> {
    if (this.isPiped) return;
    this.#getReader();
    try {
      while (true) {
        const { done, value } = await this.#reader!.read();
        if (done) break;
        guarded(this.#stage, () => this.#in.receive(value))();
      }
    } catch {
      // The connection did not close cleanly.
    }
    this.#hasEnded = true;
  }

  #getReader(): void {
    if (this.#reader !== undefined) return;
    this.#reader = this.#readable().getReader();
    this.#track("reader.closed", this.#reader.closed);
  }

  #getWriter(): void {
    if (this.#writer !== undefined) return;
    this.#writer = this.#writable().getWriter();
    this.#track("writer.closed", this.#writer.closed);
    this.#writer.ready.catch(() => {});
  }

  #track(what: string, promise: Promise<unknown>, settled?: (own: Tracked) => void): Tracked {
    return this.#stage.promises.track(
      `${this.#name} ${what}`,
      promise,
      guarded(this.#stage, (own) => {
        if (isOverflow(own)) this.hasClosed = true;
        settled?.(own);
      }),
    );
  }
}

/** Whether a call found no room in the send queue, which closes the connection by default. */
function isOverflow({ error }: Tracked): boolean {
  return error instanceof Error && error.message.includes("the peer has stopped reading");
}
