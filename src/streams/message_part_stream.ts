import type { Frame } from "../protocol/frame.ts";
import { MessagePartDecoder } from "../protocol/message_part_decoder.ts";
import type { MessagePart } from "../protocol/message.ts";
import type { MessageOptions } from "../protocol/message_sequence.ts";
import { FRAMES_MARK } from "./high_water_marks.ts";
import { TransformBase } from "./transform_base.ts";

/**
 * A `TransformStream` from frames to parts of messages, as they arrive, with backpressure:
 * {@linkcode MessagePartDecoder} as a stream. A Close frame ends it.
 *
 * @example
 * ```ts
 * import { FrameDecoderStream, MessagePartStream } from "@sluice/websocket/streams";
 * import { assertEquals } from "@std/assert";
 *
 * const capture = new Blob([new Uint8Array([0x01, 0x01, 0x48, 0x80, 0x01, 0x69])]);
 * const parts = capture.stream()
 *   .pipeThrough(new FrameDecoderStream({ role: "client" }))
 *   .pipeThrough(new MessagePartStream({ maxMessageSize: Infinity }));
 * assertEquals((await Array.fromAsync(parts)).map((part) => part.data), ["H", "i"]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class MessagePartStream extends TransformBase<Frame, MessagePart> {
  /** Creates a stream for the messages of one direction of one connection. */
  constructor(options?: MessageOptions) {
    super(new MessagePartDecoder(options), FRAMES_MARK, FRAMES_MARK);
  }
}
