import { FrameParser } from "../protocol/frame_parser.ts";
import type { FrameDecoderOptions } from "../protocol/frame_parser.ts";
import type { Frame } from "../protocol/frame.ts";
import { BYTES_MARK, FRAMES_MARK } from "../streams/high_water_marks.ts";
import { TransformBase } from "../streams/transform_base.ts";

/**
 * A `TransformStream` from bytes to frames, with backpressure. It does what the stream of the same name does in
 * `@sluice/websocket/streams`, without its faster paths, so that a page loads less.
 *
 * A data frame that arrives in several chunks is passed on in parts: see {@linkcode Frame}. The stream
 * errors with a `WebSocketError` if the bytes violate a rule, or end inside a frame.
 *
 * @example The frames in a capture file
 * ```ts
 * import { FrameDecoderStream } from "@sluice/websocket/browser";
 * import { assertEquals } from "@std/assert";
 *
 * const capture = new Blob([new Uint8Array([0x89, 0x00, 0x81, 0x02, 0x48, 0x69])]);
 * const opcodes: number[] = [];
 * for await (const frame of capture.stream().pipeThrough(new FrameDecoderStream({ role: "client" }))) {
 *   opcodes.push(frame.opcode);
 * }
 * assertEquals(opcodes, [0x9, 0x1]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameDecoderStream extends TransformBase<Uint8Array, Frame> {
  /** Creates a stream for one direction of one connection. */
  constructor(options: FrameDecoderOptions) {
    super(new FrameParser(options), BYTES_MARK, FRAMES_MARK);
  }
}
