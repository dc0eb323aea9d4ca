import type { ExtensionSendOptions } from "../extensions/extension.ts";
import type { FrameInit } from "../protocol/frame.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { EMPTY } from "../protocol/bytes.ts";
import { Opcode } from "../protocol/opcode.ts";
import { LoopBudget, turnBudget } from "../transport/turn_budget.ts";
import { cancelLater } from "../util/streams.ts";
import { Timer } from "../util/timers.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import { notOpen } from "./ready_state.ts";
import { byteLengthOf, toBytes } from "./sendable.ts";

/** The most bytes of a chunk in one frame: a control frame can be sent between two frames. */
const FRAME_SIZE = 64 * 1024;

/** The number of fragments of a message after which smaller chunks than {@linkcode GATHERED_SIZE} wait. */
const GATHER_AFTER = 32;

/** The size of the fragments into which small chunks are gathered, in bytes. */
const GATHERED_SIZE = 4 * 1024;

/** The maximum time that a small chunk waits for the next one, in milliseconds. */
const LONGEST_WAIT = 5;

/** The memory usage of a message behind a stream in addition to its bytes: five promises with callbacks. */
const QUEUED_OVERHEAD = 1024;

const textEncoder = /* @__PURE__ */ new TextEncoder();

/** The members of a `Sender` that its {@linkcode StreamSender} uses. */
export interface StreamSenderTarget {
  /** Whether data may be sent. */
  readonly isOpen: boolean;
  /** Pending while the send queue is full. */
  readonly queueReady: Promise<void>;
  /** Sends a message now. */
  sendMessage(message: OutgoingMessage, options?: ExtensionSendOptions): void;
  /** Sends a frame of a message. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void;
  /** Closes the connection with 1011: a message that has begun cannot be ended. */
  giveUp(): void;
  /** All streams, and the messages behind them, have been sent. */
  onIdle(): void;
}

/** The settings of a connection that a {@linkcode StreamSender} uses. */
export type StreamSenderSettings = Pick<ConnectionSettings<unknown>, "limits" | "timers">;

/**
 * Sends streams, each as one message in fragments while the stream is produced, and keeps the messages
 * that are sent meanwhile until the streams have ended.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class StreamSender {
  readonly #target: StreamSenderTarget;
  readonly #settings: StreamSenderSettings;
  /** Settles when everything that is to be sent so far has been sent. */
  #tail: Promise<unknown> = Promise.resolve();
  /** The number of streams, messages and closes that are to be sent. */
  #pending = 0;
  #waitingBytes = 0;
  #reader: ReadableStreamDefaultReader<unknown> | undefined;
  /** The message that is being sent. */
  #message: Fragments | undefined;
  /** Made by `finish()`: runs while no progress is made. */
  #progressTimeout: ProgressTimeout | undefined;
  #aborted: unknown;
  readonly #budget = new LoopBudget(turnBudget);

  /** @param settings The timers, and `closeTimeout`: for how long `finish()` waits for progress. */
  constructor(target: StreamSenderTarget, settings: StreamSenderSettings) {
    this.#target = target;
    this.#settings = settings;
  }

  /** Whether a stream is being sent, so that messages have to wait. */
  get isBusy(): boolean {
    return this.#pending > 0;
  }

  /** The bytes, or characters, of the messages that wait behind a stream. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The memory usage of those messages, in bytes. */
  get memoryUsage(): number {
    // Characters may take two bytes.
    return 2 * this.#waitingBytes + this.#pending * QUEUED_OVERHEAD;
  }

  /** Settles when everything that is to be sent so far has been sent; it never rejects. */
  get idle(): Promise<unknown> {
    return this.#tail;
  }

  /** Whether `finish()` has been called: nothing more may be sent. */
  get isFinishing(): boolean {
    return this.#progressTimeout !== undefined;
  }

  /**
   * Sends a stream, after the streams before it.
   *
   * @throws {TypeError} If the stream is locked to another reader.
   */
  sendStream(stream: ReadableStream<unknown>, options?: ExtensionSendOptions): Promise<void> {
    const reader = stream.getReader();
    return this.#after(() => this.#sendStream(reader, options));
  }

  /** Sends a message, after the streams before it. The bytes are copied. */
  sendMessage(message: OutgoingMessage, options?: ExtensionSendOptions): Promise<void> {
    const own = typeof message === "string" ? message : message.slice();
    const size = byteLengthOf(own);
    this.#waitingBytes += size;
    return this.#after(() => {
      this.#waitingBytes -= size;
      if (this.#aborted !== undefined || !this.#target.isOpen) throw notOpen("Cannot send");
      this.#target.sendMessage(own, options);
      return this.#target.queueReady;
    });
  }

  /**
   * Closes the connection by `close`, after everything that is to be sent so far. If no fragment is sent,
   * and the peer reads nothing, for `closeTimeout`, the streams are cancelled: they must not keep the
   * connection open for good.
   */
  finish(close: () => void): void {
    if (this.#progressTimeout !== undefined) return;
    const timeout = this.#progressTimeout = new ProgressTimeout(() => {
      this.abort(notOpen("The connection is being closed"));
      close();
    });
    this.#settings.timers.start(timeout, this.#settings.limits.closeTimeout);
    this.#after(() => {
      timeout.stopTimer();
      close();
    }).catch(() => {});
  }

  /** A fragment has been sent, or the transport has written bytes. */
  onProgress(): void {
    if (this.#progressTimeout?.wheel === undefined) return;
    this.#settings.timers.start(this.#progressTimeout, this.#settings.limits.closeTimeout);
  }

  /** Cancels everything that is to be sent. */
  abort(error: unknown): void {
    this.#progressTimeout?.stopTimer();
    this.#aborted ??= error;
    this.#budget.end();
    if (this.#reader !== undefined) cancelLater(this.#reader, error);
    this.#message?.discard();
    if (this.#message?.hasBegun) this.#target.giveUp();
  }

  /** Calls `run` after everything that is to be sent so far. */
  #after(run: () => Promise<void> | void): Promise<void> {
    this.#pending++;
    const done = this.#tail.then(run).finally(() => {
      if (--this.#pending === 0) this.#target.onIdle();
    });
    this.#tail = done.catch(() => {});
    return done;
  }

  async #sendStream(
    reader: ReadableStreamDefaultReader<unknown>,
    options: ExtensionSendOptions | undefined,
  ): Promise<void> {
    this.#reader = reader;
    const message = new Fragments(this.#target, options);
    this.#message = message;
    try {
      this.#check();
      while (true) {
        const { done, value } = await reader.read();
        this.#check();
        if (done) break;
        for (const part of message.split(value)) {
          message.add(part);
          this.onProgress();
          await this.#target.queueReady;
          // A source that is always ready, and a peer that is faster, must not block the event loop.
          await this.#budget.spend(1 + (part.length >>> 12));
          this.#check();
        }
      }
      message.end();
      await this.#target.queueReady;
    } catch (error) {
      cancelLater(reader, error);
      // A message that has begun cannot be taken back.
      if (message.hasBegun) this.#target.giveUp();
      throw error;
    } finally {
      message.discard();
      this.#reader = this.#message = undefined;
    }
  }

  #check(): void {
    if (this.#aborted !== undefined) throw this.#aborted;
    if (!this.#target.isOpen) throw notOpen("Cannot send");
  }
}

/** The wait of `finish()` for progress. */
class ProgressTimeout extends Timer {
  readonly #onTimeUp: () => void;

  constructor(onTimeUp: () => void) {
    super();
    this.#onTimeUp = onTimeUp;
  }

  override timeUp(): void {
    this.#onTimeUp();
  }
}

/**
 * One message, in fragments, one for each chunk of a short stream. Later, a small chunk is sent at once
 * only if no fragment has been sent for {@linkcode LONGEST_WAIT}. Otherwise it is gathered with those
 * that follow: many small frames would be slow, and could exceed the peer's limit of fragments.
 */
class Fragments {
  readonly #target: StreamSenderTarget;
  readonly #options: ExtensionSendOptions | undefined;
  /** The bytes that have been gathered, and how many there are. */
  #gathered: Uint8Array = EMPTY;
  #length = 0;
  /** When the last fragment was sent. */
  #sentAt = 0;
  /** Sends the gathered bytes if no further chunk follows. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #opcode: Opcode | undefined;
  /** The number of fragments that have been sent. */
  #count = 0;
  /** The first half of a surrogate pair that two chunks have cut. */
  #surrogate = "";
  /** The buffer that text is encoded into. */
  #buffer: Uint8Array | undefined;

  constructor(target: StreamSenderTarget, options: ExtensionSendOptions | undefined) {
    this.#target = target;
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#count > 0;
  }

  /** Returns the bytes of a chunk in parts for one frame each; a part is valid until the next. */
  split(chunk: unknown): Iterable<Uint8Array> {
    const isText = typeof chunk === "string";
    const bytes = isText ? undefined : toBytes(chunk as ArrayBuffer | ArrayBufferView);
    this.#opcode ??= isText ? Opcode.Text : Opcode.Binary;
    if (isText !== (this.#opcode === Opcode.Text)) {
      throw new TypeError("Cannot send stream: expected all chunks to be strings, or all bytes");
    }
    return bytes === undefined ? this.#encode(this.#whole(chunk as string)) : cut(bytes);
  }

  /** Sends the next bytes, or gathers them. */
  add(payload: Uint8Array): void {
    const waited = this.#count < GATHER_AFTER ? Infinity : performance.now() - this.#sentAt;
    if (payload.length >= GATHERED_SIZE) {
      this.#flush();
      this.#sendFragment(payload);
    } else if (this.#length === 0 && waited >= LONGEST_WAIT) {
      this.#sendFragment(payload);
    } else {
      this.#gather(payload);
      if (this.#length >= GATHERED_SIZE || waited >= LONGEST_WAIT) this.#flush();
      else this.#timer ??= setTimeout(() => this.#timeUp(), LONGEST_WAIT - waited);
    }
  }

  /** Sends the last fragment. */
  end(): void {
    this.discard();
    if (this.#surrogate !== "") this.#gather(textEncoder.encode(this.#surrogate));
    const opcode = this.#count === 0 ? this.#opcode ?? Opcode.Binary : Opcode.Continuation;
    this.#target.sendFrame(
      { opcode, fin: true, payload: this.#gathered.subarray(0, this.#length) },
      this.#options,
    );
  }

  /** Stops the timer, so that the gathered bytes are not sent by it. */
  discard(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #timeUp(): void {
    if (this.#target.isOpen) this.#flush();
  }

  #gather(payload: Uint8Array): void {
    if (this.#gathered.length === 0) this.#gathered = new Uint8Array(2 * GATHERED_SIZE);
    this.#gathered.set(payload, this.#length);
    this.#length += payload.length;
  }

  #flush(): void {
    this.discard();
    const length = this.#length;
    this.#length = 0;
    if (length > 0) this.#sendFragment(this.#gathered.subarray(0, length));
  }

  #sendFragment(payload: Uint8Array): void {
    // RFC 6455 §5.4: "a single frame with the FIN bit clear and an opcode other than 0, followed by
    // zero or more frames with the FIN bit clear and the opcode set to 0".
    const opcode = this.#count++ === 0 ? this.#opcode! : Opcode.Continuation;
    this.#target.sendFrame({ opcode, fin: false, payload }, this.#options);
    this.#sentAt = performance.now();
  }

  /** Encodes text as UTF-8, into one buffer for all parts, which spares garbage. */
  *#encode(text: string): Generator<Uint8Array> {
    if (text.length > 0) this.#buffer ??= new Uint8Array(FRAME_SIZE);
    for (let start = 0; start < text.length;) {
      let end = Math.min(start + FRAME_SIZE, text.length);
      if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
      const { read, written } = textEncoder.encodeInto(text.slice(start, end), this.#buffer!);
      start += read;
      yield this.#buffer!.subarray(0, written);
    }
  }

  /** Returns the chunk with the half pair that the last one has left, and keeps back its own. */
  #whole(chunk: string): string {
    const text = this.#surrogate + chunk;
    const isCut = isHighSurrogate(text.charCodeAt(text.length - 1));
    this.#surrogate = isCut ? text.slice(-1) : "";
    return isCut ? text.slice(0, -1) : text;
  }
}

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += FRAME_SIZE) {
    yield bytes.subarray(start, start + FRAME_SIZE);
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
