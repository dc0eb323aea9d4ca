/** Applications on the two other clients: `WebSocketStream` and `ReconnectingWebSocket`. */

import type {
  CloseInfo,
  ReconnectEvent,
  ReconnectingWebSocket,
  WebSocketStream,
} from "../../mod.ts";
import { StreamPair } from "./stream_pair.ts";
import type { Stage } from "./stream_pair.ts";
import { contentOf, Violation } from "./ledger.ts";
import type { Content, Direction, Outbox, Tracked } from "./ledger.ts";

/** An application on a `WebSocketStream`. */
export class StreamActor {
  readonly name: string;
  readonly in: Direction;
  readonly out: Direction;
  streams: StreamPair | undefined;
  isAuto = false;
  readonly #stage: Stage;
  readonly #stream: WebSocketStream;
  readonly #closed: Tracked;
  #count = 0;

  constructor(
    name: string,
    stage: Stage,
    directions: { in: Direction; out: Direction },
    stream: WebSocketStream,
  ) {
    this.name = name;
    this.in = directions.in;
    this.out = directions.out;
    this.#stage = stage;
    this.#stream = stream;
    this.#track("opened", stream.opened, ({ state, value }) => {
      if (state !== "resolved") return;
      const { readable, writable } = value as Awaited<WebSocketStream["opened"]>;
      this.streams = new StreamPair(name, stage, directions, () => readable, () => writable);
      if (this.isAuto) this.#readAll();
    });
    this.#closed = this.#track("closed", stream.closed);
  }

  message(kind: "text" | "binary", size: number): Content {
    return contentOf(`${this.name}.${this.#count++}|`, kind, size);
  }

  close(code: number | undefined, reason: string): void {
    this.#stream.close(code === undefined ? {} : { closeCode: code, reason });
  }

  auto(): void {
    if (this.isAuto) return;
    this.isAuto = true;
    this.#readAll();
  }

  /** What holds while the network is quiet, and all messages are read. */
  checkQuiet(): void {
    if (this.#closed.state === "pending") checkCalls(this.#stage, this.name, /write\(\)$/);
  }

  #readAll(): void {
    if (this.streams !== undefined) this.#track("reading to the end", this.streams.readAll());
  }

  #track(what: string, promise: Promise<unknown>, settled?: (own: Tracked) => void): Tracked {
    return this.#stage.promises.track(`${this.name} ${what}`, promise, settled);
  }
}

/** No call of the application is pending. */
function checkCalls(stage: Stage, name: string, calls: RegExp): void {
  const pending = stage.promises.pending((what) => what.startsWith(`${name} `) && calls.test(what));
  if (pending.length > 0) {
    throw new Violation("a quiet connection keeps no call waiting", pending.join(", "));
  }
}

/** An application on a `ReconnectingWebSocket`. */
export class ReconnectActor {
  readonly name: string;
  readonly outbox: Outbox;
  isAuto = false;
  hasEnded = false;
  hasClosed = false;
  readonly #stage: Stage;
  readonly #socket: ReconnectingWebSocket;
  readonly #received: (content: Content) => void;
  #count = 0;
  #isLast = false;

  /** @param received Called with each message. */
  constructor(
    name: string,
    stage: Stage,
    outbox: Outbox,
    socket: ReconnectingWebSocket,
    received: (content: Content) => void,
  ) {
    this.name = name;
    this.outbox = outbox;
    this.#stage = stage;
    this.#socket = socket;
    this.#received = received;
    this.#track("closed", socket.closed, ({ state }) => {
      if (state === "rejected") throw new Violation("closed never rejects", name);
    });
  }

  send(kind: "text" | "binary", size: number): void {
    const content = contentOf(`${this.name}.${this.#count++}|`, kind, size);
    this.outbox.add(content, this.#track("send()", this.#socket.send(content)));
  }

  next(): void {
    this.#track("next()", this.#socket[Symbol.asyncIterator]().next(), ({ state, value }) => {
      if (state === "rejected") throw new Violation("next() never rejects", this.name);
      const { done, value: event } = value as IteratorResult<ReconnectEvent, undefined>;
      if (done) this.hasEnded = true;
      else this.#took(event);
    });
  }

  return(): void {
    this.#track("return()", this.#socket[Symbol.asyncIterator]().return!());
  }

  close(code: number | undefined, reason: string): void {
    this.hasClosed = true;
    const closed: Promise<CloseInfo> = code === undefined
      ? this.#socket.close()
      : this.#socket.close(code, reason);
    this.#track("close()", closed);
  }

  auto(): void {
    if (this.isAuto) return;
    this.isAuto = true;
    const work = async () => {
      for await (const event of this.#socket) this.#guard(() => this.#took(event));
      this.hasEnded = true;
    };
    this.#track("reading to the end", work());
  }

  check(): void {
    if (!(this.#socket.bufferedAmount >= 0)) {
      throw new Violation(
        "bufferedAmount stays below its maximum",
        `${this.#socket.bufferedAmount}`,
      );
    }
  }

  /** What holds while the network is quiet, and all messages are read. */
  checkQuiet(): void {
    const { connection, bufferedAmount } = this.#socket;
    if (connection?.readyState !== 1) return;
    checkCalls(this.#stage, this.name, /send\(\)$/);
    if (bufferedAmount !== 0) {
      throw new Violation(
        "a quiet connection has sent everything",
        `${this.name}: ${bufferedAmount}`,
      );
    }
  }

  #took(event: ReconnectEvent): void {
    if (this.#isLast) throw new Violation("the last close event is the last one", event.type);
    if (event.type === "message") this.#received(event.data);
    if (event.type === "close") this.#isLast = event.retryIn === undefined;
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#stage.violated(error);
    }
  }

  #track(what: string, promise: Promise<unknown>, settled?: (own: Tracked) => void): Tracked {
    return this.#stage.promises.track(
      `${this.name} ${what}`,
      promise,
      (own) => this.#guard(() => settled?.(own)),
    );
  }
}
