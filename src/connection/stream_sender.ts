import type { ExtensionSendOptions } from "../extensions/extension.ts";
import type { FrameInit } from "../protocol/frame.ts";
import type { Limits } from "./limits.ts";
import type { Message } from "../protocol/message.ts";
import { EMPTY } from "../protocol/bytes.ts";
import { Opcode } from "../protocol/opcode.ts";
import { notOpen } from "./ready_state.ts";
import { toBytes } from "./sendable.ts";

/** The most bytes of a chunk that go into one frame: a Ping, or a Close, can come in between. */
const FRAME_SIZE = 64 * 1024;

/** For how many milliseconds a stream is sent before the event loop has its turn. */
const LONGEST_TURN = 10;

/** What a message that waits for a stream's end costs beside its bytes: five promises and what they call. */
const QUEUED_OVERHEAD = 1024;

const textEncoder = /* @__PURE__ */ new TextEncoder();

/** The connection that a {@linkcode StreamSender} sends on. */
export interface StreamSenderTarget {
  /** Whether data may be sent. */
  readonly isOpen: boolean;
  /** The send queue. */
  readonly outgoing: { readonly ready: Promise<void> };
  /** The limits, of which `closeTimeout` applies. */
  readonly settings: { readonly limits: Readonly<Limits> };
  /** Sends a message. */
  send(message: Message, options?: ExtensionSendOptions): void;
  /** Sends a frame. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void;
  /** Closes the connection because a message that has begun cannot be ended. */
  giveUp(): void;
  /** Nothing is left to send. */
  wanted(): void;
}

/**
 * Sends messages that come as streams, each as a series of fragments while it's produced, and holds
 * what is sent meanwhile until they're done.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class StreamSender {
  readonly #endpoint: StreamSenderTarget;
  /** Ends with the last of what is to be sent. */
  #tail: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #queuedBytes = 0;
  #reader: ReadableStreamDefaultReader<unknown> | undefined;
  /** The message that is being sent. */
  #message: Fragments | undefined;
  /** A number that changes whenever something of a stream has been sent. */
  #progress = 0;
  #isFinishing = false;
  #aborted: unknown;

  constructor(endpoint: StreamSenderTarget) {
    this.#endpoint = endpoint;
  }

  /** Whether a stream is being sent, so that whatever else is to be sent has to wait. */
  get isBusy(): boolean {
    return this.#pending > 0;
  }

  /** How many bytes of messages wait for the streams before them. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** How many bytes of memory they hold. */
  get heldBytes(): number {
    // Characters may take two bytes.
    return 2 * this.#queuedBytes + this.#pending * QUEUED_OVERHEAD;
  }

  /** Whether `finish()` has been called: nothing more may be sent. */
  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  /**
   * Sends a stream, after those before it.
   *
   * @throws {TypeError} where somebody else reads the stream.
   */
  sendStream(stream: ReadableStream<unknown>, options?: ExtensionSendOptions): Promise<void> {
    const reader = stream.getReader();
    return this.#after(() => this.#sendStream(reader, options));
  }

  /** Sends a message, after the streams before it. The bytes are copied. */
  sendMessage(message: Message, options?: ExtensionSendOptions): Promise<void> {
    const own = typeof message === "string" ? message : message.slice();
    this.#queuedBytes += own.length;
    return this.#after(() => {
      this.#queuedBytes -= own.length;
      if (this.#aborted !== undefined || !this.#endpoint.isOpen) throw notOpen("Cannot send");
      this.#endpoint.send(own, options);
      return this.#endpoint.outgoing.ready;
    });
  }

  /**
   * Closes the connection, by `close`, after all that is to be sent so far. A stream that makes no
   * progress for `closeTimeout` is given up: it must not keep the connection open for good.
   */
  finish(close: () => void): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    let timer: ReturnType<typeof setTimeout>;
    let seen = -1;
    const look = (): void => {
      if (this.#progress !== seen) {
        seen = this.#progress;
        timer = setTimeout(look, this.#endpoint.settings.limits.closeTimeout);
        return;
      }
      this.abort(notOpen("The connection is being closed"));
      close();
    };
    look();
    this.#after(() => {
      clearTimeout(timer);
      close();
    }).catch(() => {});
  }

  /** Gives up what is to be sent. */
  abort(error: unknown): void {
    this.#aborted ??= error;
    this.#reader?.cancel(error).catch(() => {});
    if (this.#message?.hasBegun) this.#endpoint.giveUp();
  }

  /** Does something after all that is to be sent so far. */
  #after(run: () => Promise<void> | void): Promise<void> {
    this.#pending++;
    const done = this.#tail.then(run).finally(() => {
      if (--this.#pending === 0) this.#endpoint.wanted();
    });
    this.#tail = done.catch(() => {});
    return done;
  }

  async #sendStream(
    reader: ReadableStreamDefaultReader<unknown>,
    options: ExtensionSendOptions | undefined,
  ): Promise<void> {
    this.#reader = reader;
    const message = new Fragments((frame) => this.#endpoint.sendFrame(frame, options));
    this.#message = message;
    let turn = performance.now();
    try {
      this.#check();
      while (true) {
        const { done, value } = await reader.read();
        this.#check();
        if (done) break;
        for (const part of message.split(value)) {
          message.add(part);
          this.#progress++;
          await this.#endpoint.outgoing.ready;
          // A source that is always ready, and a peer that is faster, must not keep everybody else out.
          if (performance.now() - turn > LONGEST_TURN) {
            await new Promise((resolve) => setTimeout(resolve, 0));
            turn = performance.now();
          }
          this.#check();
        }
      }
      message.end();
      await this.#endpoint.outgoing.ready;
    } catch (error) {
      reader.cancel(error).catch(() => {});
      // A message that has begun can't be taken back.
      if (message.hasBegun) this.#endpoint.giveUp();
      throw error;
    } finally {
      this.#reader = this.#message = undefined;
    }
  }

  #check(): void {
    if (this.#aborted !== undefined) throw this.#aborted;
    if (!this.#endpoint.isOpen) throw notOpen("Cannot send");
  }
}

/** One message, in fragments. */
class Fragments {
  readonly #send: (frame: FrameInit) => void;
  #opcode: Opcode | undefined;
  #isFirst = true;
  /** The first half of a character that the chunks have cut in two. */
  #surrogate = "";
  /** Where text is encoded. */
  #buffer: Uint8Array | undefined;

  constructor(send: (frame: FrameInit) => void) {
    this.#send = send;
  }

  get hasBegun(): boolean {
    return !this.#isFirst;
  }

  /** The bytes of a chunk, in parts that are sent one by one: each is good until the next. */
  split(chunk: unknown): Iterable<Uint8Array> {
    const isText = typeof chunk === "string";
    const bytes = isText ? undefined : toBytes(chunk as ArrayBuffer | ArrayBufferView);
    this.#opcode ??= isText ? Opcode.Text : Opcode.Binary;
    if (isText !== (this.#opcode === Opcode.Text)) {
      throw new TypeError("Cannot send stream: expected all chunks to be strings, or all bytes");
    }
    return bytes === undefined ? this.#encode(this.#whole(chunk as string)) : cut(bytes);
  }

  add(payload: Uint8Array): void {
    // RFC 6455 §5.4: "a single frame with the FIN bit clear and an opcode other than 0, followed by
    // zero or more frames with the FIN bit clear and the opcode set to 0".
    const opcode = this.#isFirst ? this.#opcode! : Opcode.Continuation;
    this.#isFirst = false;
    this.#send({ opcode, fin: false, payload });
  }

  end(): void {
    const opcode = this.#isFirst ? this.#opcode ?? Opcode.Binary : Opcode.Continuation;
    const payload = this.#surrogate === "" ? EMPTY : textEncoder.encode(this.#surrogate);
    this.#send({ opcode, fin: true, payload });
  }

  /** Text as UTF-8, in one buffer for all parts: they would be so much garbage. */
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

  /** The chunk, with what the one before it has left, and without what is left for the next. */
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
