import { MessageSequence } from "./message_sequence.ts";
import { invalidText } from "./utf8_text.ts";
import type { MessageSink } from "./message_sequence.ts";
import type { MessagePart } from "./message.ts";

/**
 * Hands messages on in the parts that they arrive in, for messages that are too large to hold, or
 * too slow to wait for: a `Transformer` for a `TransformStream`, synchronous inside.
 *
 * The rules and the limits are those of {@linkcode MessageAssembler}; set `maxMessageSize` to what
 * you are ready to take. Text is cut between characters.
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
  #decoder: TextDecoder | undefined;

  /** A message that is a single frame, whole. */
  protected override whole(
    text: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: MessageSink<MessagePart>,
  ): void {
    this.part(text, bytes.subarray(start, end), true, end - start, sink);
  }

  /** The next bytes of a message of several parts. */
  protected override part(
    text: boolean,
    payload: Uint8Array,
    fin: boolean,
    _announced: number,
    sink: MessageSink<MessagePart>,
  ): void {
    if (!text) {
      sink.enqueue({ type: "binary", data: payload, fin });
      return;
    }
    this.#decoder ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let data: string;
    try {
      // A streaming decoder throws at the first byte that can't be, wherever the parts are cut.
      data = this.#decoder.decode(payload, { stream: !fin });
    } catch {
      throw invalidText();
    }
    if (fin) this.#decoder = undefined;
    sink.enqueue({ type: "text", data, fin });
  }
}
