import { acquireBuffer, releaseBuffer } from "./fast_paths.ts";
import { copyOf, EMPTY, viewOf } from "./bytes.ts";
import { DecodedFrame, payloadSize } from "./decoded_frame.ts";
import type { TextValidator } from "./fast_paths.ts";
import type { Frame } from "./frame.ts";
import { DEFAULT_MAX_MESSAGE_SIZE, MessageSequence } from "./message_sequence.ts";
import type { MessageOptions, MessageSink } from "./message_sequence.ts";
import type { Message, PayloadMode } from "./message.ts";
import { decodeText, invalidText, textValidator } from "./utf8.ts";

/** The capacity that is allocated for a message at first, in bytes, whatever its header announces. */
const FIRST_CAPACITY = 16 * 1024;
/** The largest capacity that is allocated later, as a multiple of the bytes that have arrived. */
const GROWTH = 8;

/**
 * Assembles frames into messages: a synchronous `Transformer` for a `TransformStream`.
 *
 * Text is validated as UTF-8 while it arrives, so that an invalid byte is found before its frame has
 * ended. Control frames are passed to `onControlFrame`; a Close frame ends the messages.
 *
 * @example
 * ```ts
 * import { FrameDecoder, MessageAssembler } from "@sluice/websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const messages: unknown[] = [];
 * const sink = { enqueue: (message: unknown) => messages.push(message) };
 * const assembler = new MessageAssembler({ maxMessageSize: 1024 });
 * new FrameDecoder({ role: "client" }).transform(
 *   // RFC 6455 §5.7: "A fragmented unmasked text message"
 *   new Uint8Array([0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]),
 *   { enqueue: (frame) => assembler.transform(frame, sink) },
 * );
 * assertEquals(messages, ["Hello"]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class MessageAssembler extends MessageSequence<Message> {
  /** The bytes of an unfinished message, with spare capacity. */
  #buffer: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;
  /** Whether the application gets a string or a borrowed view, so that the buffer is used again. */
  #isPooled = false;
  /** The length of the message that was announced when the buffer was last allocated. */
  #claimed = 0;
  #utf8: TextValidator | undefined;
  readonly #payload: PayloadMode;
  readonly #maxMessageSize: number;
  readonly #copyUpTo: number;
  readonly #allocate: (length: number) => Uint8Array<ArrayBuffer>;

  /**
   * Creates an assembler for the messages of one direction of one connection.
   *
   * @param options The limits, and the handler of control frames.
   * @param copyUpTo The largest binary message of one frame, in bytes, that is copied. A larger one is a
   * view of the chunk in which it arrived. Copying a short one can be faster, and does not keep the
   * chunk in memory.
   * @param allocate Allocates memory for a message. Its content may be arbitrary.
   */
  constructor(
    options: MessageOptions = {},
    copyUpTo = 0,
    allocate: (length: number) => Uint8Array<ArrayBuffer> = (length) => new Uint8Array(length),
  ) {
    super(options);
    this.#payload = options.payload ?? "shared";
    this.#maxMessageSize = options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE;
    this.#copyUpTo = copyUpTo;
    this.#allocate = allocate;
  }

  /** The memory that is allocated for an unfinished message, in bytes. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Frees the memory of an unfinished message. The assembler cannot be used after that. */
  discard(): void {
    const buffer = this.#buffer;
    this.#buffer = EMPTY;
    this.#length = 0;
    this.#free(buffer);
  }

  /** Handles a message of a single frame that arrived whole. */
  protected override whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<Message>,
  ): void {
    if (this.#payload === "owned" && !text) sink.enqueue(own(bytes, start, end));
    else sink.enqueue(wholeMessage(text, bytes, start, end, this.#copyUpTo));
  }

  /** Handles the next bytes of a message. */
  protected override part(
    text: boolean,
    frame: Frame,
    fin: boolean,
    sink: MessageSink<Message>,
  ): void {
    const start = this.#length;
    const end = start + payloadSize(frame);
    if (start === 0) this.#isPooled = text || this.#payload === "borrowed";
    this.#reserve(end - start, frame.payloadLength - frame.payloadOffset);
    if (frame instanceof DecodedFrame) frame.moveTo(this.#buffer, start);
    else this.#buffer.set(frame.payload, start);
    this.#length = end;
    if (text) this.#validate(start, end);
    if (!fin) return;
    if (text && !this.#utf8!.isComplete) throw invalidText();
    const buffer = this.#buffer;
    const length = this.#length;
    this.#buffer = EMPTY;
    this.#length = 0;
    this.#utf8 = undefined;
    if (text) {
      const message = decodeText(buffer, 0, length);
      this.#free(buffer);
      sink.enqueue(message);
    } else if (this.#payload !== "borrowed") {
      sink.enqueue(fit(buffer, length));
    } else {
      try {
        sink.enqueue(viewOf(buffer, 0, length) as Uint8Array<ArrayBuffer>);
      } finally {
        this.#free(buffer);
      }
    }
  }

  /** Frees a buffer at once, without waiting for garbage collection: it may be large, and one of many. */
  #free(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === 0 || (this.#isPooled && releaseBuffer(buffer))) return;
    buffer.buffer.transfer(0);
  }

  #validate(start: number, end: number): void {
    const utf8 = this.#utf8 ??= textValidator();
    if (!utf8.push(viewOf(this.#buffer, start, end))) throw invalidText();
  }

  /**
   * Makes room for `size` more bytes. The length in a header is only a claim, so the capacity is at most
   * 8 times what has arrived. A further fragment at least doubles the capacity: no header announces the
   * number of fragments, and without that the message would be copied for each of them.
   */
  #reserve(size: number, announced: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    const isFurther = this.#length > 0 && this.#claimed !== this.#length + announced;
    this.#claimed = this.#length + announced;
    const claimed = isFurther ? Math.max(this.#claimed, 2 * this.#buffer.length) : this.#claimed;
    const most = Math.min(claimed, this.#maxMessageSize, Math.max(FIRST_CAPACITY, needed * GROWTH));
    const capacity = Math.max(needed, most);
    if (this.#isPooled) return this.#reservePooled(capacity);
    // `transfer()` frees the old buffer at once, and may extend it in place: half the time of a copy
    // at 1 MiB.
    this.#buffer = this.#length === 0
      ? this.#allocate(capacity)
      : new Uint8Array(this.#buffer.buffer.transfer(capacity));
  }

  #reservePooled(capacity: number): void {
    const buffer = this.#buffer;
    // Not a much larger one: its unused part would count as memory of the connection.
    this.#buffer = acquireBuffer(capacity, 2 * capacity + 1024);
    this.#buffer.set(buffer.subarray(0, this.#length));
    this.#free(buffer);
  }
}

/** Returns the first bytes, as an array without spare capacity. Never EMPTY: the application owns it. */
function fit(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (length === 0) return new Uint8Array(0);
  return length === bytes.length ? bytes : new Uint8Array(bytes.buffer.transfer(length));
}

/** Returns the range as an array with a buffer of its own, which the range may have already. */
function own(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const length = end - start;
  const isOwn = length === bytes.length && length === bytes.buffer.byteLength;
  return isOwn ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes.subarray(start, end));
}

/**
 * Returns the message of a single frame.
 *
 * @param text Whether the message is text.
 * @param bytes The array that contains the payload.
 * @param start The start of the payload.
 * @param end The end of the payload, exclusive.
 * @param copyUpTo The largest binary message, in bytes, that is copied. A larger one is a view.
 * @throws {InvalidPayloadError} If text is not UTF-8.
 */
export function wholeMessage(
  text: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
  copyUpTo: number,
): Message {
  if (text) return decodeText(bytes, start, end);
  const length = end - start;
  const own = length === bytes.length
    ? bytes
    : length <= copyUpTo
    ? copyOf(bytes, start, end)
    : viewOf(bytes, start, end);
  return own as Uint8Array<ArrayBuffer>; // No transport reads into a SharedArrayBuffer.
}
