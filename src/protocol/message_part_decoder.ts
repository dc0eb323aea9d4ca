import type { Frame } from "./frame.ts";
import { MessageSequence } from "./message_sequence.ts";
import type { MessageSink } from "./message_sequence.ts";
import type { MessagePart } from "./message.ts";
import { createPartDecoder, decodePart } from "./utf8.ts";

/**
 * Turns frames into parts of messages, as they arrive, for messages that are too large to hold or too
 * slow to wait for: a synchronous `Transformer` for a `TransformStream`.
 *
 * The rules and the limits are those of {@linkcode MessageAssembler}: set `maxMessageSize` to the
 * largest message that you accept. Text is split between characters.
 *
 * @example
 * ```ts
 * import { FrameDecoder, MessagePartDecoder } from "@sluice/websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const parts: unknown[] = [];
 * const sink = { enqueue: (part: unknown) => parts.push(part) };
 * const decoder = new MessagePartDecoder({ maxMessageSize: Infinity });
 * new FrameDecoder({ role: "client" }).transform(
 *   new Uint8Array([0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]),
 *   { enqueue: (frame) => decoder.transform(frame, sink) },
 * );
 * assertEquals(parts, [
 *   { type: "text", data: "Hel", fin: false },
 *   { type: "text", data: "lo", fin: true },
 * ]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class MessagePartDecoder extends MessageSequence<MessagePart> {
  /** Decodes the current message, if it is text. */
  #decoder: TextDecoder | undefined;

  /** Handles a message of a single frame that arrived whole. */
  protected override whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<MessagePart>,
  ): void {
    this.#enqueue(text, bytes.subarray(start, end), true, sink);
  }

  /** Handles the next bytes of a message. */
  protected override part(
    text: boolean,
    frame: Frame,
    fin: boolean,
    sink: MessageSink<MessagePart>,
  ): void {
    this.#enqueue(text, frame.payload, fin, sink);
  }

  #enqueue(
    text: boolean,
    payload: Uint8Array,
    fin: boolean,
    sink: MessageSink<MessagePart>,
  ): void {
    if (!text) {
      sink.enqueue({ type: "binary", data: payload as Uint8Array<ArrayBuffer>, fin });
      return;
    }
    const data = decodePart(this.#decoder ??= createPartDecoder(), payload, fin);
    if (fin) this.#decoder = undefined;
    sink.enqueue({ type: "text", data, fin });
  }
}
