import type { FrameInit } from "../protocol/frame.ts";
import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { FrameEncoderOptions } from "../protocol/frame_encoder.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { BYTES_MARK, FRAMES_MARK } from "./high_water_marks.ts";
import { TransformBase } from "./transform_base.ts";

/**
 * A `TransformStream` from messages and frames to bytes, with backpressure: {@linkcode FrameEncoder} as a
 * stream.
 *
 * @example
 * ```ts
 * import { FrameEncoderStream } from "@sluice/websocket/streams";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = ReadableStream.from(["Hi"]).pipeThrough(new FrameEncoderStream({ role: "server" }));
 * assertEquals(await Array.fromAsync(bytes), [new Uint8Array([0x81, 0x02, 0x48, 0x69])]);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameEncoderStream extends TransformBase<OutgoingMessage | FrameInit, Uint8Array> {
  /** Creates a stream for one direction of one connection. */
  constructor(options: FrameEncoderOptions) {
    const encoder = new FrameEncoder(options);
    super(
      {
        transform(chunk, controller) {
          encoder.write(chunk);
          // The reader owns its chunk, so it gets a copy, and the buffer goes back to the pool.
          const bytes = encoder.take();
          controller.enqueue(bytes.slice());
          FrameEncoder.recycle(bytes);
        },
      },
      FRAMES_MARK,
      BYTES_MARK,
    );
  }
}
