import { DecodedFrame } from "./decoded_frame.ts";
import { MessageTooBigError, PolicyViolationError } from "./errors.ts";
import { checkSequence } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { isControl, Opcode } from "./opcode.ts";

/** Where messages go: a stream's controller, or anything that has its `enqueue`. */
export interface MessageSink<Output> {
  /** Takes the next message or part of one. */
  enqueue(output: Output): void;
  /** Ends the stream, after a Close frame. */
  terminate?(): void;
}

/** Options of {@linkcode MessageAssembler} and {@linkcode MessagePartDecoder}. */
export interface MessageOptions {
  /**
   * The largest message that is taken, in bytes; `Infinity` for any.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize?: number;
  /**
   * How many fragments a message may come in; `Infinity` for any number.
   *
   * @default {1024}
   */
  maxFragments?: number;
  /**
   * Up to how many bytes a binary message of one frame is a copy, not a view of the chunk that it came
   * in. Where the runtime allocates quickly, the copy of a short one is cheaper, and it does not
   * hold on to the chunk.
   *
   * @default {0}
   */
  copyUpTo?: number;
  /** Told of each Ping, Pong and Close, in its place between the messages. */
  onControlFrame?: (frame: Frame) => void;
}

/**
 * What messages are made of, frame by frame: which frame may follow which, and how large the whole
 * may become. The subclasses say what becomes of the bytes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export abstract class MessageSequence<Output> implements Transformer<Frame, Output> {
  readonly #maxMessageSize: number;
  readonly #maxFragments: number;
  readonly #onControlFrame: ((frame: Frame) => void) | undefined;

  /** Text or Binary inside a message; Continuation, 0, between two. */
  #type: Opcode = Opcode.Continuation;
  #fragments = 0;
  /** How many bytes the message has so far. */
  #size = 0;
  /** Whether the current frame has begun and not ended. */
  #inFrame = false;

  /** Makes one for the messages of one direction of one connection. */
  constructor(options: MessageOptions = {}) {
    this.#maxMessageSize = options.maxMessageSize ?? DEFAULT_LIMITS.maxMessageSize;
    this.#maxFragments = options.maxFragments ?? DEFAULT_LIMITS.maxFragments;
    this.#onControlFrame = options.onControlFrame;
  }

  /** Whether every message that has begun has ended. */
  get isIdle(): boolean {
    return this.#fragments === 0;
  }

  /**
   * Takes the next frame, or part of one.
   *
   * @throws {ProtocolError} where the frame may not come here.
   * @throws {InvalidPayloadError} where text is not UTF-8.
   * @throws {MessageTooBigError} where the message exceeds `maxMessageSize`.
   * @throws {PolicyViolationError} where the message has more than `maxFragments` fragments.
   */
  transform(frame: Frame, sink: MessageSink<Output>): void {
    // Most messages: a third of the time that the general way takes.
    if (frame instanceof DecodedFrame && frame.isWholeMessage && this.#fragments === 0) {
      return this.takeWhole(frame.first === 0x81, frame.bytes, frame.start, frame.end, sink);
    }
    const opcode = frame.opcode;
    if (isControl(opcode)) {
      this.#onControlFrame?.(frame);
      if (opcode === Opcode.Close) sink.terminate?.();
      return;
    }
    const payload = frame.payload;
    const last = frame.payloadOffset + payload.length === frame.payloadLength;
    if (!this.#inFrame) this.#beginFrame(frame);
    this.#inFrame = !last;
    const isStart = this.#size === 0 && this.#fragments === 1 && frame.payloadOffset === 0;
    this.#size += payload.length;
    if (this.#size > this.#maxMessageSize) throw this.#tooBig(this.#size);
    const fin = last && frame.fin;
    const text = this.#type === Opcode.Text;
    if (fin) {
      this.#type = Opcode.Continuation;
      this.#size = 0;
      this.#fragments = 0;
    }
    if (fin && isStart) this.whole(text, payload, 0, payload.length, sink);
    else this.part(text, payload, fin, frame.payloadLength - frame.payloadOffset, sink);
  }

  /**
   * Takes a message that is a single frame, whole, of a decoder that has seen to it that no other message
   * is under way.
   *
   * @throws {InvalidPayloadError} where text is not UTF-8.
   * @throws {MessageTooBigError} where the message exceeds `maxMessageSize`.
   */
  takeWhole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<Output>,
  ): void {
    if (end - start > this.#maxMessageSize) throw this.#tooBig(end - start);
    this.whole(text, bytes, start, end, sink);
  }

  /**
   * A message that is a single frame, whole.
   *
   * @param text Whether the message is text.
   * @param bytes The bytes that the payload is a range of.
   * @param start Where the payload starts.
   * @param end Where it ends, exclusive.
   * @param sink Where the output goes.
   */
  protected abstract whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<Output>,
  ): void;

  /**
   * The next bytes of a message of several parts.
   *
   * @param text Whether the message is text.
   * @param payload The bytes.
   * @param fin Whether the message ends with them.
   * @param announced How many bytes, these included, the frame still has.
   * @param sink Where the output goes.
   */
  protected abstract part(
    text: boolean,
    payload: Uint8Array,
    fin: boolean,
    announced: number,
    sink: MessageSink<Output>,
  ): void;

  #beginFrame(frame: Frame): void {
    checkSequence(frame.opcode, this.#type !== Opcode.Continuation);
    if (frame.opcode !== Opcode.Continuation) this.#type = frame.opcode;
    if (++this.#fragments > this.#maxFragments) {
      throw new PolicyViolationError(
        `Cannot take message: more than ${this.#maxFragments} fragments`,
        "ERR_TOO_MANY_FRAGMENTS",
      );
    }
    const announced = this.#size + frame.payloadLength;
    // An extension may not know yet how long its output gets: it says Infinity.
    if (announced > this.#maxMessageSize && announced !== Infinity) throw this.#tooBig(announced);
  }

  #tooBig(size: number): MessageTooBigError {
    return new MessageTooBigError(
      `Cannot take message: ${size} bytes and more, at most ${this.#maxMessageSize} are allowed`,
    );
  }
}
