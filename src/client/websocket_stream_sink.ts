import { coreOf } from "../connection/connection.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { ReadyState } from "../connection/ready_state.ts";
import { isLonger } from "../connection/sendable.ts";
import { CloseCode } from "../protocol/close_code.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import type { StreamEnd } from "./websocket_stream_source.ts";

/** The length of the slices in which a message is sent that is longer than the send queue. */
const SLICE = 64 * 1024;

/** A connection as the underlying sink of `writable` of a WebSocketStream. */
export class WebSocketStreamSink implements UnderlyingSink<unknown> {
  /** Whether a write waits for room; a message that waits when the connection ends is lost. */
  isWriting = false;
  readonly #connection: WebSocketConnection;
  readonly #ended: Promise<StreamEnd>;
  readonly #close: (reason: unknown) => Promise<void>;
  readonly #onAbort: (reason: unknown) => void;
  #controller!: WritableStreamDefaultController;
  #isClosing = false;
  #loss: unknown;

  /**
   * @param ended Resolves when the connection has ended.
   * @param close Closes the connection; resolves when it has ended.
   * @param onAbort Closes the connection.
   */
  constructor(
    connection: WebSocketConnection,
    ended: Promise<StreamEnd>,
    close: (reason: unknown) => Promise<void>,
    onAbort: (reason: unknown) => void,
  ) {
    this.#connection = connection;
    this.#ended = ended;
    this.#close = close;
    this.#onAbort = onAbort;
  }

  /** Sink: the stream is there. */
  start(controller: WritableStreamDefaultController): void {
    this.#controller = controller;
    const { signal } = controller;
    // The stream calls abort() only after a pending write, which may never end.
    signal.addEventListener("abort", () => this.#onAbort(signal.reason));
  }

  /** Sink: "To write chunk to a WebSocketStream stream". */
  async write(chunk: unknown): Promise<void> {
    const message = toMessage(chunk);
    const { readyState } = this.#connection;
    // "Wait until there is sufficient buffer space in stream to send the message."
    const sent = this.#send(message);
    this.isWriting = readyState === ReadyState.Open;
    try {
      await sent;
    } catch (error) {
      throw this.isWriting ? this.#lossOf(await this.#ended) : error;
    }
    this.isWriting = false;
  }

  /** Sends a message; one that the send queue has no room for is sent in fragments. */
  #send(message: OutgoingMessage): Promise<void> {
    const connection = this.#connection;
    const { maxBufferedAmount } = coreOf(connection).settings.limits;
    if (!isLonger(message, maxBufferedAmount - connection.bufferedAmount)) {
      return connection.send(message);
    }
    const slices = typeof message === "string" ? slicesOf(message) : slicesOf(message.slice());
    return connection.send(slices as ReadableStream<string> | ReadableStream<Uint8Array>);
  }

  /** Sink: "To close a WebSocketStream stream, close the WebSocket with stream". */
  close(): Promise<void> {
    this.#isClosing = true;
    return this.#close(undefined);
  }

  /** Sink: "To abort a WebSocketStream stream given reason, close using reason". */
  abort(reason: unknown): Promise<void> {
    return this.#close(reason);
  }

  /** The connection has ended: so does the stream. */
  end(end: StreamEnd): void {
    // A pending close settles by itself.
    if (this.#isClosing) return;
    // "Error stream's writable stream with an "InvalidStateError" DOMException indicating that a closed
    // WebSocketStream cannot be written to." "Otherwise, [...] Error stream's writable stream with error."
    this.#controller.error(this.isWriting ? this.#lossOf(end) : end.error ?? notWritten());
  }

  /**
   * Returns the error of a write that is pending at the end. The standard's tests expect an
   * `InvalidStateError` after a Close frame, and the error of `closed` otherwise.
   */
  #lossOf({ closeCode, error }: StreamEnd): unknown {
    return this.#loss ??= closeCode === CloseCode.AbnormalClosure ? error : notWritten();
  }
}

function notWritten(): DOMException {
  return new DOMException("Cannot write: the WebSocket is closed", "InvalidStateError");
}

/**
 * Converts a chunk to a message.
 *
 * @throws {TypeError} If it can't be converted.
 */
function toMessage(chunk: unknown): OutgoingMessage {
  // "If chunk is a BufferSource, Set data to a copy of the bytes given chunk. Set opcode to a binary
  // frame opcode." Web IDL: a BufferSource has neither a shared nor a resizable buffer.
  if (ArrayBuffer.isView(chunk)) {
    checkBuffer(chunk.buffer);
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (isBuffer(chunk)) {
    checkBuffer(chunk);
    return new Uint8Array(chunk as ArrayBuffer);
  }
  // "Otherwise, Let string be the result of converting chunk to an IDL USVString. [...] Set data to the
  // result of UTF-8 encoding string. Set opcode to a text frame opcode."
  return `${chunk}`.toWellFormed();
}

/** Returns whether it is an `ArrayBuffer` or a `SharedArrayBuffer`, of whichever realm. */
function isBuffer(value: unknown): value is ArrayBufferLike {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));
}

function checkBuffer(buffer: ArrayBufferLike): void {
  if (buffer[Symbol.toStringTag] === "SharedArrayBuffer") {
    throw new TypeError("Cannot write: expected an ArrayBuffer, got a SharedArrayBuffer");
  }
  if ((buffer as ArrayBuffer).resizable) {
    throw new TypeError(
      "Cannot write: expected an ArrayBuffer of fixed length, got a resizable one",
    );
  }
}

/** Returns a stream of the slices of a message. */
function slicesOf(message: OutgoingMessage): ReadableStream<OutgoingMessage> {
  let start = 0;
  return new ReadableStream<OutgoingMessage>({
    pull(controller) {
      let end = Math.min(start + SLICE, message.length);
      // A surrogate pair stays in one slice.
      if (typeof message === "string" && /[\ud800-\udbff]/.test(message[end - 1]!)) end--;
      controller.enqueue(message.slice(start, end));
      start = end;
      if (end >= message.length) controller.close();
    },
  }, { highWaterMark: 0 });
}
