/**
 * The protocol as Web streams: bytes to frames, frames to messages, messages to bytes. They work on
 * a socket as well as on a capture file, and they are the codec that the connections use.
 *
 * @example A raw TCP connection, past its handshake
 * ```ts ignore
 * const messages = tcp.readable
 *   .pipeThrough(new FrameDecoderStream({ role: "server" }))
 *   .pipeThrough(new MessageAssemblerStream());
 * ```
 *
 * @module
 */
export { FrameDecoderStream } from "./frame_decoder_stream.ts";
export { FrameEncoderStream } from "./frame_encoder_stream.ts";
export { MessageAssemblerStream } from "./message_assembler_stream.ts";
export { MessagePartStream } from "./message_part_stream.ts";
