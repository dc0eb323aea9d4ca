/**
 * The protocol as Web streams: from bytes to frames, from frames to messages, and from messages to bytes.
 * They work on a socket and on a capture file, and use the same codec as the connections.
 *
 * @example A TCP connection after the opening handshake
 * ```ts ignore
 * const messages = tcp.readable
 *   .pipeThrough(new FrameDecoderStream({ role: "server" }))
 *   .pipeThrough(new MessageAssemblerStream());
 * ```
 *
 * @module
 */
// The streams mask and validate with the kernel from here on.
import "../protocol/provide_fast_paths.ts";

export { FrameDecoderStream } from "./frame_decoder_stream.ts";
export { FrameEncoderStream } from "./frame_encoder_stream.ts";
export { MessageAssemblerStream } from "./message_assembler_stream.ts";
export { MessagePartStream } from "./message_part_stream.ts";
export { TransformBase } from "./transform_base.ts";
