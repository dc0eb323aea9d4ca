import type { FrameInit } from "../protocol/frame.ts";
import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { FrameEncoderOptions } from "../protocol/frame_encoder.ts";
import type { Message } from "../protocol/message.ts";
import { BYTES_MARK, FRAMES_MARK } from "./high_water_marks.ts";

/**
 * Messages and frames to bytes, as a stream: {@linkcode FrameEncoder} in a `TransformStream`, with
 * backpressure.
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
export class FrameEncoderStream extends TransformStream<Message | FrameInit, Uint8Array> {
  /** Makes a stream for one direction of one connection. */
  constructor(options: FrameEncoderOptions) {
    const encoder = new FrameEncoder(options);
    super(
      {
        transform(chunk, controller) {
          encoder.write(chunk);
          // The reader may keep the chunk: it gets bytes of its own, and the encoder its buffer back.
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
