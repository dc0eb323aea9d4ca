/**
 * The WebSocket protocol without I/O: converts bytes to frames and messages, and back. It uses no timers
 * and no API of a runtime.
 *
 * @example
 * ```ts
 * import { FrameEncoder, Opcode } from "@sluice/websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const encoder = new FrameEncoder({ role: "server" });
 * encoder.writeFrame({ opcode: Opcode.Ping, payload: new TextEncoder().encode("Hello") });
 * // RFC 6455 §5.7: "Unmasked Ping request"
 * assertEquals(encoder.take(), new Uint8Array([0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]));
 * ```
 *
 * @module
 */
// The codec masks and validates with the kernel from here on.
import "./provide_fast_paths.ts";

export {
  CloseCode,
  type ClosePayload,
  decodeClosePayload,
  encodeClosePayload,
  isCloseCode,
} from "./close_code.ts";
export { MAX_REASON_LENGTH } from "./close_info_init.ts";
export {
  closeCodeOf,
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
  ProtocolError,
  WebSocketError,
  type WebSocketErrorOptions,
} from "./errors.ts";
export { type Frame, type FrameInit, MAX_CONTROL_PAYLOAD, type Role, Rsv } from "./frame.ts";
export { FrameDecoder } from "./frame_decoder.ts";
export { type FrameDecoderOptions, FrameParser } from "./frame_parser.ts";
export type { FrameSink } from "./frame_sink.ts";
export { FrameEncoder, type FrameEncoderOptions } from "./frame_encoder.ts";
export { mask } from "./mask.ts";
export type { Message, MessagePart, OutgoingMessage, PayloadMode } from "./message.ts";
export { MessageAssembler } from "./message_assembler.ts";
export { MessagePartDecoder } from "./message_part_decoder.ts";
export { type MessageOptions, MessageSequence, type MessageSink } from "./message_sequence.ts";
export { isControl, Opcode } from "./opcode.ts";
export { isValidUtf8, Utf8Validator } from "./utf8.ts";
