import type { Frame } from "../protocol/frame.ts";
import { MessageAssembler } from "../protocol/message_assembler.ts";
import type { Message } from "../protocol/message.ts";
import type { MessageOptions } from "../protocol/message_sequence.ts";
import { FRAMES_MARK } from "./high_water_marks.ts";
import { TransformBase } from "./transform_base.ts";

/**
 * A `TransformStream` from frames to messages, with backpressure: {@linkcode MessageAssembler} as a stream.
 * A Close frame ends it.
 *
 * @example
 * ```ts
 * import { FrameDecoderStream, MessageAssemblerStream } from "@sluice/websocket/streams";
 * import { assertEquals } from "@std/assert";
 *
 * const capture = new Blob([new Uint8Array([0x81, 0x02, 0x48, 0x69, 0x82, 0x01, 0x07])]);
 * const messages = capture.stream()
 *   .pipeThrough(new FrameDecoderStream({ role: "client" }))
 *   .pipeThrough(new MessageAssemblerStream());
 * assertEquals(await Array.fromAsync(messages), ["Hi", new Uint8Array([7])]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.4 RFC 6455 §5.4}
 */
export class MessageAssemblerStream extends TransformBase<Frame, Message> {
  /** Creates a stream for the messages of one direction of one connection. */
  constructor(options?: MessageOptions) {
    super(new MessageAssembler(options), FRAMES_MARK, FRAMES_MARK);
  }
}
