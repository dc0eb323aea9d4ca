import { MessageSequence } from "./message_sequence.ts";
import type { MessageOptions, MessageSink } from "./message_sequence.ts";
import type { Message } from "./message.ts";
import { decodeText, invalidText } from "./utf8_text.ts";
import { Utf8Validator } from "./utf8.ts";
import { viewOf } from "./bytes.ts";

/** What is set aside for a message at first, in bytes, however much its header claims. */
const FIRST_CAPACITY = 16 * 1024;
/** How much more than what has come is set aside when that is full. */
const GROWTH = 8;

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);
/**
 * Puts frames together to messages: a `Transformer` for a `TransformStream`, synchronous inside.
 *
 * Text is checked as UTF-8 while it arrives, so that a bad byte is found before the frame that it
 * is in has ended. Control frames go to `onControlFrame`; a Close ends the messages.
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
  /** The bytes of an unfinished message, and room for more. */
  #buffer: Uint8Array<ArrayBuffer> = NO_BYTES;
  #length = 0;
  /** How long the message was to be, by the header that the buffer was last made for. */
  #claimed = 0;
  #utf8: Utf8Validator | undefined;
  readonly #copyUpTo: number;

  /** Makes one for the messages of one direction of one connection. */
  constructor(options: MessageOptions = {}) {
    super(options);
    this.#copyUpTo = options.copyUpTo ?? 0;
  }

  /** How many bytes of memory it has set aside for an unfinished message. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Frees what it holds, after which it's of no use any more. */
  discard(): void {
    // Frees the memory now: a message that is refused may be large, and one of many.
    if (this.#buffer.length > 0) this.#buffer.buffer.transfer(0);
    this.#buffer = NO_BYTES;
    this.#length = 0;
  }

  /** A message that is a single frame, whole. */
  protected override whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<Message>,
  ): void {
    if (text) sink.enqueue(decodeText(bytes, start, end));
    else if (end - start <= this.#copyUpTo) sink.enqueue(copy(bytes, start, end));
    else sink.enqueue(viewOf(bytes, start, end));
  }

  /** The next bytes of a message of several parts. */
  protected override part(
    text: boolean,
    payload: Uint8Array,
    fin: boolean,
    announced: number,
    sink: MessageSink<Message>,
  ): void {
    if (text && !(this.#utf8 ??= new Utf8Validator()).push(payload)) throw invalidText();
    this.#reserve(payload.length, announced);
    this.#buffer.set(payload, this.#length);
    this.#length += payload.length;
    if (!fin) return;
    if (text && !this.#utf8!.isComplete) throw invalidText();
    const buffer = this.#buffer;
    const length = this.#length;
    this.#buffer = NO_BYTES;
    this.#length = 0;
    this.#utf8 = undefined;
    sink.enqueue(text ? decodeText(buffer, 0, length) : fit(buffer, length));
  }

  /**
   * Makes room for `size` bytes more. What the header announces is a claim: memory follows what has
   * really come, at most 8 times as much. Each further fragment, of which no header tells how many there
   * will be, finds twice the room, or the message would be copied for each.
   */
  #reserve(size: number, announced: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    const isFurther = this.#length > 0 && this.#claimed !== this.#length + announced;
    this.#claimed = this.#length + announced;
    const claimed = isFurther ? Math.max(this.#claimed, 2 * this.#buffer.length) : this.#claimed;
    const capacity = Math.max(needed, Math.min(claimed, Math.max(FIRST_CAPACITY, needed * GROWTH)));
    // Frees the old buffer at once, and may not even move the bytes: half the time of a copy at 1 MiB.
    this.#buffer = this.#length === 0
      ? new Uint8Array(capacity)
      : new Uint8Array(this.#buffer.buffer.transfer(capacity));
  }
}

/** As many of the bytes as there are. Never NO_BYTES itself: a message's owner may transfer its buffer. */
function fit(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  return length === bytes.length ? bytes : new Uint8Array(bytes.buffer.transfer(length));
}

/** For few bytes, a loop is faster than `slice()`. */
function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const own = new Uint8Array(length);
  for (let i = 0; i < length; i++) own[i] = bytes[start + i];
  return own;
}
