/**
 * WebSocket (RFC 6455) from the TCP bytes up, the same code on Deno and on Bun: strict, fast,
 * bounded, and built on Web streams.
 *
 * @example An echo server
 * ```ts ignore
 * import { serve } from "@sluice/websocket";
 *
 * await using server = serve({ port: 8080 }, async (socket) => {
 *   for await (const message of socket) await socket.send(message); // string | Uint8Array
 * });
 * await server.finished;
 * ```
 *
 * @module
 */
export { accept } from "./src/server/accept.ts";
export type {
  AcceptOptions,
  RequestInfo,
  UpgradeData,
  UpgradeHandler,
  UpgradeInfo,
  UpgradeOptions,
  UpgradeResult,
} from "./src/server/accept_options.ts";
export { isFinalClose } from "./src/client/final_close.ts";
export type { BackoffOptions } from "./src/client/reconnect_backoff.ts";
export { connect, connectOver } from "./src/client/connect.ts";
export type { ConnectOptions, HandshakeOptions } from "./src/client/connect_options.ts";
export type { CloseInfo } from "./src/connection/close_info.ts";
export { broadcast, type BroadcastOptions } from "./src/connection/broadcast.ts";
export { type SocketHandler, WebSocketConnection } from "./src/connection/connection.ts";
export type { ConnectionOptions, Overflow, OverRate } from "./src/connection/connection_options.ts";
export type { RoundTrips } from "./src/connection/counters.ts";
export type { InspectedFrame, InspectOptions } from "./src/connection/frame_inspector.ts";
export { DEFAULT_LIMITS, type Limits, resolveLimits } from "./src/connection/limits.ts";
export type { MessageStream } from "./src/connection/message_streams.ts";
export { relay } from "./src/connection/relay.ts";
export { ReadyState } from "./src/connection/ready_state.ts";
export type { Sendable, SendOptions } from "./src/connection/sendable.ts";
export type { Callbacks } from "./src/connection/socket_handler.ts";
export type { PerMessageDeflateOptions } from "./src/extensions/deflate_options.ts";
export { HandshakeError, type HandshakeErrorOptions } from "./src/http/errors.ts";
export type { ForwardedField } from "./src/proxy/forwarded.ts";
export type { OriginPolicy } from "./src/handshake/origin.ts";
export type { HeaderFields } from "./src/http/header_writer.ts";
export { CloseCode, type ClosePayload } from "./src/protocol/close_code.ts";
export {
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
  ProtocolError,
  WebSocketError,
  type WebSocketErrorOptions,
} from "./src/protocol/errors.ts";
export type { Frame, FrameInit, Role } from "./src/protocol/frame.ts";
export { type FrameDecoderOptions } from "./src/protocol/frame_parser.ts";
export { type FrameEncoderOptions } from "./src/protocol/frame_encoder.ts";
export type { Message, MessagePart, OutgoingMessage, PayloadMode } from "./src/protocol/message.ts";
export { type MessageOptions } from "./src/protocol/message_sequence.ts";
export {
  instrument,
  type Meter,
  type MetricObserver,
  type MetricOptions,
} from "./src/metrics/instrument.ts";
export type { LabelledServer, MetricServer, MetricSource } from "./src/metrics/metrics.ts";
export { prometheus } from "./src/metrics/prometheus.ts";
export { Opcode } from "./src/protocol/opcode.ts";
export type { PerAttempt } from "./src/client/per_attempt.ts";
export type {
  ReconnectCloseEvent,
  ReconnectEvent,
  ReconnectMessageEvent,
  ReconnectOpenEvent,
} from "./src/client/reconnect_events.ts";
export { ReconnectingWebSocket } from "./src/client/reconnecting_websocket.ts";
export type { ReconnectOptions } from "./src/client/reconnect_options.ts";
export type { AdmissionOptions } from "./src/server/connection_limits.ts";
export type { RunningServer } from "./src/server/running_server.ts";
export type { FetchInfo, ServeOptions } from "./src/server/serve_options.ts";
export type { Handler, SocketFunction } from "./src/connection/handler.ts";
export { serve, WebSocketServer } from "./src/server/server.ts";
export type { ServerStats } from "./src/server/server_stats.ts";
export type { ShutdownOptions } from "./src/server/shutdown.ts";
export {
  FrameDecoderStream,
  FrameEncoderStream,
  MessageAssemblerStream,
  MessagePartStream,
} from "./src/streams/mod.ts";
export { bunSocketHandler } from "./src/transport/bun_listen.ts";
export type { BunSocket, BunSocketHandler } from "./src/transport/bun_transport.ts";
export type { DenoAddr, DenoConn } from "./src/transport/deno_transport.ts";
export type { Conn } from "./src/transport/runtime.ts";
export type {
  Addr,
  ClientTls,
  ListenOptions,
  ServerTls,
  TcpAddr,
  Transport,
  TransportHandler,
  UnixAddr,
} from "./src/transport/transport.ts";
export type { ProxyOptions } from "./src/proxy/trusted_proxies.ts";
export {
  type WebSocketCloseInfo,
  type WebSocketOpenInfo,
  WebSocketStream,
  type WebSocketStreamOptions,
} from "./src/client/websocket_stream.ts";
