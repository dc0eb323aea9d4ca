/** Applications: the parts of a scenario that use a connection through the public API. */

import type {
  CloseInfo,
  Message,
  MessageStream,
  OutgoingMessage,
  SocketHandler,
  WebSocketConnection,
} from "../../mod.ts";
import { contentOf, Violation } from "./ledger.ts";
import type { Content, Direction, Sent, Tracked } from "./ledger.ts";
import { guarded, StreamPair } from "./stream_pair.ts";
import type { Stage } from "./stream_pair.ts";

/** The ways to read a connection. */
export type Form = "callbacks" | "iterator" | "readable" | "streams";

/** The settings of a connection that its invariants depend on. */
export interface ConnectionFacts {
  readonly outgoingHighWaterMark: number;
  readonly maxBufferedAmount: number;
  readonly overflow: "close" | "reject";
  /** The smallest message, in bytes: long enough to tell it from others, if that is necessary. */
  readonly leastSize: number;
}

/** The largest chunk of a stream that is sent, in bytes. */
export const MOST_FED = 4096;
/** How far `bufferedAmount` may exceed its maximum: by a chunk of a stream, and control frames. */
const SLACK = 3 * MOST_FED + 4096;
/** The most memory of an idle connection: buffers, and the windows of compression. */
const IDLE_MEMORY = 512 * 1024;

/** A stream that is sent as one message while the driver feeds it. */
interface Feed {
  readonly sent: Sent;
  readonly kind: "text" | "binary";
  readonly controller: ReadableStreamDefaultController<unknown>;
  isOpen: boolean;
}

/** An application on a {@linkcode WebSocketConnection}. */
export class SocketActor {
  readonly name: string;
  readonly form: Form;
  readonly in: Direction;
  readonly out: Direction;
  readonly streams: StreamPair;
  /** How the connection closed, once it has. */
  closeInfo: CloseInfo | undefined;
  /** Whether this end has asked for the close. */
  hasClosed = false;
  /** The code of its first call of `close()`, unless it was closed already. */
  readonly codes: number[] = [];
  /** Whether it has ended the connection in another way than by `close()`. */
  #hasFailed = false;
  /** Whether it reads everything that is received. */
  isAuto = false;
  /** Whether its reader has been told of the end, or its `close` callback was called. */
  hasEnded = false;
  /** Ends the handler function of a server's connection. */
  readonly handled: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #stage: Stage;
  readonly #facts: ConnectionFacts;
  readonly #feeds: Feed[] = [];
  #socket: WebSocketConnection | undefined;
  #count = 0;
  #readyState = 1;
  #current:
    | { stream: MessageStream; parts: Content[]; reader?: Reader; isOver: boolean }
    | undefined;
  #hasOpened = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(
    name: string,
    form: Form,
    stage: Stage,
    directions: { in: Direction; out: Direction },
    facts: ConnectionFacts,
  ) {
    this.name = name;
    this.form = form;
    this.in = directions.in;
    this.out = directions.out;
    this.#stage = stage;
    this.#facts = facts;
    this.streams = new StreamPair(
      name,
      stage,
      directions,
      () => this.socket.readable,
      () => this.socket.writable as WritableStream<OutgoingMessage>,
    );
  }

  get isOpened(): boolean {
    return this.#socket !== undefined;
  }

  get socket(): WebSocketConnection {
    return this.#socket!;
  }

  /** The connection is open. */
  opened(socket: WebSocketConnection): void {
    if (this.#socket !== undefined) return;
    this.#socket = socket;
    this.#track("closed", socket.closed, ({ state, value }) => {
      if (state === "rejected") throw new Violation("closed never rejects", this.name);
      this.closeInfo = value as CloseInfo;
      if (socket.readyState !== 3) {
        throw new Violation("readyState is Closed once closed has resolved", this.name);
      }
    });
  }

  /** The callbacks, for the form of that name. */
  readonly handler: SocketHandler = {
    open: (socket) => {
      this.#expect(!this.#hasOpened, "open is called once");
      this.#hasOpened = true;
      this.opened(socket);
    },
    message: (_socket, message) => {
      this.#expect(this.#hasOpened, "open is called before message");
      this.#expect(!this.hasEnded, "close is the last callback", "message came after it");
      guarded(this.#stage, () => this.in.receive(message))();
    },
    drain: () => this.#expect(!this.hasEnded, "close is the last callback", "drain came after it"),
    error: () => this.#expect(!this.hasEnded, "close is the last callback", "error came after it"),
    close: () => {
      this.#expect(!this.hasEnded, "close is called once");
      this.hasEnded = true;
    },
  };

  /** A message for this end to send. */
  message(kind: "text" | "binary", size: number): Content {
    return contentOf(`${this.name}.${this.#count++}|`, kind, size);
  }

  send(kind: "text" | "binary", size: number, isAttended: boolean): void {
    const content = this.message(kind, size);
    const wasOpen = this.socket.readyState === 1;
    const promise = this.socket.send(content);
    // The send queue has no room, with `overflow: "close"`.
    if (wasOpen && this.socket.readyState !== 1) this.#fail();
    if (!isAttended) {
      this.out.add("send", content, { state: "unattended" });
      return;
    }
    // Behind a stream, a message waits for its own turn, not for those behind it.
    const checkRoom = this.#feeds.length === 0 ? this.#roomCheck("send()") : undefined;
    const tracked = this.#track("send()", promise, (own) => {
      this.#checkError(own, ["InvalidStateError", "QuotaExceededError"]);
      if (own.state === "resolved") checkRoom?.();
    });
    this.out.add("send", content, tracked);
  }

  sendStream(kind: "text" | "binary"): void {
    let controller!: ReadableStreamDefaultController<unknown>;
    const stream = new ReadableStream<string | Uint8Array>({
      start: (own) => void (controller = own),
      cancel: () => void (feed.isOpen = false),
    }, { highWaterMark: 0 });
    const tracked = this.#track(
      "send(stream)",
      this.socket.send(stream as ReadableStream<string>),
    );
    const empty = kind === "text" ? "" : new Uint8Array(0);
    const sent = this.out.add("send", empty, tracked, false);
    const feed: Feed = { sent, kind, controller, isOpen: this.socket.readyState === 1 };
    this.#feeds.push(feed);
  }

  /** How many of its streams are being sent. */
  get openFeeds(): number {
    return this.#feeds.filter(({ isOpen }) => isOpen).length;
  }

  /** Has a stream produce a chunk. */
  feed(index: number, size: number): void {
    const feed = this.#openFeed(index);
    if (feed === undefined) return;
    const { sent, kind, controller } = feed;
    const isFirst = sent.content.length === 0;
    const chunk = this.message(kind, isFirst ? Math.max(size, this.#facts.leastSize) : size);
    sent.content = typeof chunk === "string"
      ? sent.content + chunk
      : join(sent.content as Uint8Array, chunk);
    controller.enqueue(chunk);
  }

  /** Ends a stream. */
  endFeed(index: number): void {
    const feed = this.#openFeed(index);
    if (feed === undefined) return;
    if (feed.sent.content.length < this.#facts.leastSize) this.feed(index, this.#facts.leastSize);
    feed.isOpen = false;
    // RFC 6455 has no empty text in place of a stream without a chunk: it is sent as binary.
    if (feed.sent.content.length === 0) feed.sent.content = new Uint8Array(0);
    feed.sent.isWhole = true;
    feed.controller.close();
  }

  /** Fails a stream. */
  failFeed(index: number): void {
    const feed = this.#openFeed(index);
    if (feed === undefined) return;
    feed.isOpen = false;
    // A message that has begun cannot be taken back: the connection closes.
    this.#fail();
    feed.controller.error(new Error("The source has failed"));
  }

  #openFeed(index: number): Feed | undefined {
    return this.#feeds.filter(({ isOpen }) => isOpen)[index];
  }

  ready(): void {
    const checkRoom = this.#roomCheck("ready");
    this.#track("ready", this.socket.ready, ({ state }) => {
      if (state === "resolved") checkRoom?.();
    });
  }

  ping(): void {
    this.#track("ping()", this.socket.ping(), (own) => {
      this.#checkError(own, ["InvalidStateError"]);
      if (own.state === "resolved" && !((own.value as number) >= 0)) {
        throw new Violation("ping() resolves to a time", `${this.name}: ${own.value}`);
      }
    });
  }

  close(code: number | undefined, reason: string): void {
    this.hasClosed = true;
    // While the peer's Close waits for its answer, a code of this end is the answer.
    if (this.socket.readyState !== 3 && this.codes.length === 0) this.codes.push(code ?? 1005);
    const promise = code === undefined ? this.socket.close() : this.socket.close(code, reason);
    this.#track("close()", promise);
  }

  abort(): void {
    this.#fail();
    this.socket.abort();
  }

  next(): void {
    this.#track("next()", this.socket[Symbol.asyncIterator]().next(), ({ state, value }) => {
      if (state === "rejected") throw new Violation("next() never rejects", this.name);
      const { done, value: message } = value as IteratorResult<Message, undefined>;
      if (done) this.hasEnded = true;
      else this.in.receive(message);
    });
  }

  return(): void {
    this.#track("return()", this.socket[Symbol.asyncIterator]().return!());
  }

  /** Asks for the next message as a stream, which discards what is unread of the one before it. */
  nextStream(): void {
    this.#leaveStream();
    this.#track("messageStreams().next()", this.socket.messageStreams().next(), (own) => {
      if (own.state === "rejected") throw new Violation("next() never rejects", this.name);
      const { done, value } = own.value as IteratorResult<MessageStream, undefined>;
      if (done) this.hasEnded = true;
      else this.#enterStream(value);
    });
  }

  /** Reads a part of the message; into a buffer of `size` bytes, unless it is 0. */
  readStream(size: number): Promise<unknown> | undefined {
    const current = this.#current;
    if (current === undefined || current.isOver) return undefined;
    const { stream } = current;
    const isByob = size > 0 && stream.type === "binary" && current.reader === undefined;
    current.reader ??= isByob
      ? stream.readable.getReader({ mode: "byob" } as never) as unknown as Reader
      : stream.readable.getReader() as unknown as Reader;
    const { reader } = current;
    const promise = reader instanceof ReadableStreamBYOBReader
      ? reader.read(new Uint8Array(Math.max(1, size)))
      : (reader as ReadableStreamDefaultReader<Content>).read();
    this.#track("stream.read()", promise, ({ state, value }) => {
      if (current !== this.#current || current.isOver) return;
      const result = value as ReadableStreamReadResult<Content>;
      if (state === "rejected") {
        current.isOver = true;
        this.in.receive(this.#read(current), true);
      } else if (result.done) {
        current.isOver = true;
        this.in.receive(this.#read(current));
      } else {
        current.parts.push(typeof result.value === "string" ? result.value : result.value.slice());
      }
    });
    return promise;
  }

  cancelStream(): void {
    const current = this.#current;
    if (current === undefined || current.isOver) return;
    const reader = current.reader ??= current.stream.readable.getReader() as unknown as Reader;
    this.#leaveStream();
    this.#track("stream.cancel()", reader.cancel(new Error("cancelled")));
  }

  #enterStream(stream: MessageStream): void {
    // A second next() that waited has discarded the message before this one.
    this.#leaveStream();
    this.#current = { stream, parts: [], isOver: false };
    // The loop that reads everything has asked for the next message, which comes after this one.
    if (this.isAuto) {
      this.#current = undefined;
      this.#track("reading to the end", this.#readWhole(stream));
    }
  }

  /** Accounts for the part of the message that has been read, if it is not read to its end. */
  #leaveStream(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined && !current.isOver) this.in.receive(this.#read(current), true);
  }

  #read({ stream, parts }: { stream: MessageStream; parts: Content[] }): Content {
    if (stream.type === "text") return parts.join("");
    return join(...parts as Uint8Array[]);
  }

  /** Reads everything from now on, in the form that the connection is read in. */
  auto(): void {
    if (this.isAuto || !this.isOpened) return;
    this.isAuto = true;
    const work = this.form === "iterator"
      ? this.#iterate()
      : this.form === "readable"
      ? this.streams.readAll()
      : this.form === "streams"
      ? this.#readStreams()
      : undefined;
    if (work !== undefined) {
      this.#track("reading to the end", work, (own) => {
        if (own.state === "rejected") throw own.error;
      });
    }
  }

  async #iterate(): Promise<void> {
    for await (const message of this.socket) {
      guarded(this.#stage, () => this.in.receive(message))();
    }
    this.hasEnded = true;
  }

  async #readStreams(): Promise<void> {
    // To ask for the next message would discard what is unread of this one, and end its reads.
    while (this.#current !== undefined && !this.#current.isOver) {
      if (await this.readStream(1000)?.catch(() => undefined) === undefined) break;
    }
    for await (const stream of this.socket.messageStreams()) await this.#readWhole(stream);
    this.hasEnded = true;
  }

  /** Reads a message, after those before it. */
  #readWhole(stream: MessageStream): Promise<void> {
    return this.#reading = this.#reading.then(() => this.#readNow(stream));
  }

  async #readNow({ type, readable }: MessageStream): Promise<void> {
    const parts: Content[] = [];
    let isCut = false;
    try {
      for await (const part of readable as ReadableStream<Content>) parts.push(part);
    } catch {
      isCut = true;
    }
    const content = type === "text" ? parts.join("") : join(...parts as Uint8Array[]);
    guarded(this.#stage, () => this.in.receive(content, isCut))();
  }

  /** Ends the streams that are being sent. */
  endFeeds(): void {
    while (this.openFeeds > 0) this.endFeed(0);
  }

  /** What holds at all times. */
  check(): void {
    if (this.#socket === undefined) return;
    const { bufferedAmount, heldBytes, readyState } = this.#socket;
    const most = this.#facts.maxBufferedAmount + SLACK;
    if (!(bufferedAmount >= 0 && bufferedAmount <= most)) {
      throw new Violation(
        "bufferedAmount stays below its maximum",
        `${this.name}: ${bufferedAmount}`,
      );
    }
    if (!(heldBytes >= 0)) throw new Violation("heldBytes is not negative", `${heldBytes}`);
    if (readyState < this.#readyState) {
      throw new Violation("readyState never goes back", `${this.#readyState} to ${readyState}`);
    }
    this.#readyState = readyState;
    if (readyState === 3 && heldBytes !== 0) {
      throw new Violation("a closed connection holds no memory", `${this.name}: ${heldBytes}`);
    }
  }

  /** What holds while the network is quiet, all messages are read, and no stream is being sent. */
  checkQuiet(peer: SocketActor | undefined): void {
    if (this.#socket?.readyState !== 1 || (peer !== undefined && peer.socket.readyState !== 1)) {
      return;
    }
    const { bufferedAmount, heldBytes } = this.#socket;
    if (bufferedAmount !== 0) {
      throw new Violation(
        "a quiet connection has sent everything",
        `${this.name}: ${bufferedAmount}`,
      );
    }
    if (heldBytes > IDLE_MEMORY) {
      throw new Violation("a quiet connection holds little memory", `${this.name}: ${heldBytes}`);
    }
    if (this.isAuto || this.form === "callbacks") this.checkComplete("quiet");
    const waits = /(send|send\(stream|ping|write|stream\.read)\(?\)$|ready$/;
    const pending = this.#stage.promises.pending((what) =>
      what.startsWith(`${this.name} `) && waits.test(what)
    );
    if (pending.length > 0) {
      throw new Violation("a quiet connection keeps no call waiting", pending.join(", "));
    }
  }

  /** What holds once the connection is closed and everything has been read. */
  checkClosed(peer: SocketActor | undefined): void {
    if (this.#socket === undefined) return;
    const { closeInfo } = this;
    if (closeInfo === undefined) throw new Violation("a connection closes in the end", this.name);
    const { wasClean } = closeInfo;
    if (this.streams.finished.length > 0 && !wasClean) {
      throw new Violation(
        "a stream's end resolves only if the connection closed cleanly",
        `${this.name} ${this.streams.finished}, closed with ${closeInfo.closeCode}`,
      );
    }
    if (wasClean && !this.#hasAskedToClose) this.checkComplete("a clean close");
    // RFC 6455 §5.5.1: the answer "typically echos the status code it received".
    const codes = [...this.codes, ...peer?.codes ?? []];
    const isByCode = codes.length > 0 && this.closesByCode && peer?.closesByCode;
    if (wasClean && isByCode && !codes.includes(closeInfo.closeCode)) {
      throw new Violation(
        "a clean close has the code of one end",
        `${this.name}: ${closeInfo.closeCode}, of ${codes}`,
      );
    }
  }

  /** Every message that was accepted has been received. */
  checkComplete(when: string): void {
    const { missing } = this.in;
    if (missing.length > 0) {
      throw new Violation(
        `all messages arrive (${when})`,
        `${this.in.name} lacks ${missing.slice(0, 5).join(", ")}${
          missing.length > 5 ? " ..." : ""
        }`,
      );
    }
  }

  get #hasAskedToClose(): boolean {
    return this.hasClosed || this.streams.hasClosed;
  }

  /** Whether it has closed by calls of `close()` alone, if at all. */
  get closesByCode(): boolean {
    // A stream that makes no progress is given up, with 1011.
    return !this.#hasFailed && !this.streams.hasClosed && this.#feeds.length === 0;
  }

  #fail(): void {
    this.hasClosed = true;
    this.#hasFailed = true;
  }

  get #isFull(): boolean {
    return this.socket.bufferedAmount > this.#facts.outgoingHighWaterMark;
  }

  /**
   * For a call that finds the send queue above its high-water mark: checks that it does not resolve before
   * the network has taken something, unless more is sent meanwhile.
   */
  #roomCheck(what: string): (() => void) | undefined {
    if (!this.#isFull) return undefined;
    const { netEvents } = this.#stage;
    const count = this.#count;
    return () => {
      if (netEvents !== this.#stage.netEvents || count !== this.#count) return;
      if (this.socket.readyState !== 1 || !this.#isFull) return;
      throw new Violation(
        "a call that waits for room resolves when there is room",
        `${this.name} ${what} resolved with ${this.socket.bufferedAmount} bytes queued`,
      );
    };
  }

  #checkError({ what, state, error }: Tracked, names: string[]): void {
    if (state !== "rejected") return;
    const { name, message } = error as Error;
    // A message over `maxBufferedAmount` by itself is refused with either `overflow`.
    const mayRefuse = this.#facts.overflow === "reject" || message.includes("a message of");
    const isAllowed = names.includes(name) && (name !== "QuotaExceededError" || mayRefuse);
    if (!isAllowed) {
      throw new Violation("calls reject with the documented error", `${what}: ${error}`);
    }
  }

  #expect(condition: boolean, invariant: string, detail = ""): void {
    if (!condition) this.#stage.violated(new Violation(invariant, `${this.name} ${detail}`));
  }

  #track(what: string, promise: Promise<unknown>, settled?: (own: Tracked) => void): Tracked {
    return this.#stage.promises.track(
      `${this.name} ${what}`,
      promise,
      settled && guarded(this.#stage, settled),
    );
  }
}

type Reader = ReadableStreamDefaultReader<Content> | ReadableStreamBYOBReader;

function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
