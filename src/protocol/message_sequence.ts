import { DecodedFrame, payloadSize } from "./decoded_frame.ts";
import { MessageTooBigError, PolicyViolationError } from "./errors.ts";
import { checkSequence } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { PAYLOAD_MODES } from "./message.ts";
import type { PayloadMode } from "./message.ts";
import { checkLimit, checkNames, checkOneOf, unusable } from "./options.ts";
import { CLOSE, CONTINUATION, isControl, TEXT } from "./opcode.ts";
import type { Opcode } from "./opcode.ts";

const NAMES = ["maxMessageSize", "maxFragments", "payload", "onControlFrame"];

/** The default of {@linkcode MessageOptions.maxMessageSize}: 1 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE: number = 1024 * 1024;
/**
 * Returns the default of {@linkcode MessageOptions.maxFragments} for a message size: 1,024, and one for
 * each KiB over 1 MiB.
 */
export function defaultMaxFragments(maxMessageSize: number): number {
  return Math.max(1024, Math.ceil(maxMessageSize / 1024));
}

/** Receives messages: a stream's controller, or any object with its `enqueue`. */
export interface MessageSink<Output> {
  /** Takes the next message or part of one. */
  enqueue(output: Output): void;
  /** Ends the stream, after a Close frame. */
  terminate?(): void;
}

/** Options of {@linkcode MessageAssembler} and {@linkcode MessagePartDecoder}. */
export interface MessageOptions {
  /**
   * The largest accepted message, in bytes; `Infinity` for any size.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize?: number;
  /**
   * The largest accepted number of fragments of a message; `Infinity` for any number.
   *
   * @default {1024} or more: one for each KiB of `maxMessageSize`
   */
  maxFragments?: number;
  /**
   * What a binary message is.
   *
   * @default {"shared"}
   */
  payload?: PayloadMode;
  /**
   * Called with each Ping, Pong and Close frame, in order with the messages. What it throws is thrown by
   * `transform()`; its result is not used.
   */
  onControlFrame?: (frame: Frame) => void;
}

/**
 * Checks the order of the frames of messages and the size of each message. A subclass implements what
 * becomes of the bytes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export abstract class MessageSequence<Output> implements Transformer<Frame, Output> {
  readonly #maxMessageSize: number;
  readonly #maxFragments: number;
  readonly #onControlFrame: ((frame: Frame) => void) | undefined;

  /** Text or Binary inside a message; Continuation, 0, between messages. */
  #type: Opcode = CONTINUATION;
  /** The number of fragments of the current message so far. */
  #fragments = 0;
  /** The size of the current message so far, in bytes. */
  #size = 0;
  /** Whether the current frame is unfinished. */
  #inFrame = false;

  /**
   * Creates an object for the messages of one direction of one connection.
   *
   * @throws {TypeError} If the name or the value of an option is unknown.
   * @throws {RangeError} If a limit is not a number above 0, or `maxFragments` not an integer.
   */
  constructor(options: MessageOptions = {}) {
    checkNames("MessageOptions", options, NAMES);
    const { payload = "shared", onControlFrame } = options;
    checkOneOf("MessageOptions", "payload", payload, PAYLOAD_MODES);
    if (onControlFrame !== undefined && typeof onControlFrame !== "function") {
      throw unusable("option onControlFrame of MessageOptions", onControlFrame, "a function");
    }
    const { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE } = options;
    checkLimit("option maxMessageSize of MessageOptions", maxMessageSize);
    const { maxFragments = defaultMaxFragments(maxMessageSize) } = options;
    checkLimit("option maxFragments of MessageOptions", maxFragments, true);
    this.#maxMessageSize = maxMessageSize;
    this.#maxFragments = maxFragments;
    this.#onControlFrame = onControlFrame;
  }

  /** Whether no message is unfinished. */
  get isIdle(): boolean {
    return this.#fragments === 0;
  }

  /**
   * Takes the next frame, or part of one.
   *
   * @throws {ProtocolError} If the frame is not allowed here.
   * @throws {InvalidPayloadError} If text is not UTF-8.
   * @throws {MessageTooBigError} If the message exceeds `maxMessageSize`.
   * @throws {PolicyViolationError} If the message has more than `maxFragments` fragments.
   */
  transform(frame: Frame, sink: MessageSink<Output>): void {
    // Most messages of a stream, or of a connection with an extension: this takes a third of the time.
    if (frame instanceof DecodedFrame && frame.isWholeMessage && this.#fragments === 0) {
      const { bytes, start, end } = frame;
      this.#checkSize(end - start);
      return this.whole(frame.first === 0x81, bytes, start, end, sink);
    }
    const opcode = frame.opcode;
    if (isControl(opcode)) {
      this.#onControlFrame?.(frame);
      if (opcode === CLOSE) sink.terminate?.();
      return;
    }
    const size = payloadSize(frame);
    const last = frame.payloadOffset + size === frame.payloadLength;
    if (!this.#inFrame) this.#beginFrame(frame);
    this.#inFrame = !last;
    const isStart = this.#size === 0 && this.#fragments === 1 && frame.payloadOffset === 0;
    this.#size += size;
    this.#checkSize(this.#size);
    const fin = last && frame.fin;
    const text = this.#type === TEXT;
    if (fin) {
      this.#type = CONTINUATION;
      this.#size = 0;
      this.#fragments = 0;
    }
    if (fin && isStart) this.whole(text, frame.payload, 0, size, sink);
    else this.part(text, frame, fin, sink);
  }

  /**
   * Handles a message of a single frame that arrived whole.
   *
   * @param text Whether the message is text.
   * @param bytes The array that contains the payload.
   * @param start The start of the payload.
   * @param end The end of the payload, exclusive.
   * @param sink Receives the output.
   */
  protected abstract whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<Output>,
  ): void;

  /**
   * Handles the next bytes of a message.
   *
   * @param text Whether the message is text.
   * @param frame The frame, or part of one, with the bytes.
   * @param fin Whether they are the last of the message.
   * @param sink Receives the output.
   */
  protected abstract part(
    text: boolean,
    frame: Frame,
    fin: boolean,
    sink: MessageSink<Output>,
  ): void;

  #checkSize(size: number): void {
    if (size > this.#maxMessageSize) throw messageTooBig(size, this.#maxMessageSize);
  }

  #beginFrame(frame: Frame): void {
    checkSequence(frame.opcode, this.#type !== CONTINUATION);
    if (frame.opcode !== CONTINUATION) this.#type = frame.opcode;
    if (++this.#fragments > this.#maxFragments) {
      throw new PolicyViolationError(
        `Cannot take message: more than ${this.#maxFragments} fragments`,
        "ERR_TOO_MANY_FRAGMENTS",
      );
    }
    const announced = this.#size + frame.payloadLength;
    // Infinity: an extension does not know yet how long its output is.
    if (announced !== Infinity) this.#checkSize(announced);
  }
}

/** Makes the error of a message of at least `size` bytes, which are too many. */
export function messageTooBig(size: number, max: number): MessageTooBigError {
  return new MessageTooBigError(
    `Cannot take message: ${size} bytes and more, at most ${max} are allowed`,
  );
}
