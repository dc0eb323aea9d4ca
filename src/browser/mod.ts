/**
 * WebSockets for a page: a {@linkcode ReconnectingWebSocket} and {@linkcode openFeed} over the browser's own
 * `WebSocket`, and the stream codecs for other transports, such as WebTransport. It uses the APIs of
 * browsers alone, and also works in workers.
 *
 * @example In a page
 * ```ts ignore
 * import { ReconnectingWebSocket } from "@sluice/websocket/browser";
 *
 * for await (const event of new ReconnectingWebSocket("/chat")) {
 *   if (event.type === "message") console.log(event.data);
 * }
 * ```
 *
 * @module
 */

export { openFeed } from "./feed.ts";
export type { FeedOptions } from "./feed.ts";
export { isFinalClose } from "./final_close.ts";
export { ReconnectingWebSocket } from "./reconnecting_websocket.ts";
export type { BrowserConnection } from "./browser_connection.ts";
export type { ReconnectOptions } from "./reconnect_options.ts";
export type { PerAttempt } from "../client/per_attempt.ts";
export type { BackoffOptions } from "../client/reconnect_backoff.ts";
export type {
  ReconnectCloseEvent,
  ReconnectEvent,
  ReconnectMessageEvent,
  ReconnectOpenEvent,
} from "../client/reconnect_events.ts";
export type { CloseInfo } from "../connection/close_info.ts";
export type { Sendable } from "../connection/sendable.ts";
export { FrameDecoderStream } from "./frame_decoder_stream.ts";
// Not from streams/mod.ts, which provides the kernel: a page's Content-Security-Policy may forbid it.
export { FrameEncoderStream } from "../streams/frame_encoder_stream.ts";
export { MessageAssemblerStream } from "../streams/message_assembler_stream.ts";
export { MessagePartStream } from "../streams/message_part_stream.ts";
export type { Feed, FeedEvent, FeedTopics } from "../topics/reconnecting_feed.ts";
export type { Message } from "../protocol/message.ts";
export type { Gap, Position } from "../topics/types.ts";
