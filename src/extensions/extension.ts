import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";

/**
 * An extension of the protocol, as it is configured: it negotiates, for any number of connections,
 * and keeps nothing about any of them. A server calls `acceptOffer()`, a client `offers()` and
 * `acceptResponse()`; {@linkcode acceptOffers} and {@linkcode acceptResponses} do so for several.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9 RFC 6455 §9}
 */
export interface Extension {
  /** Its name in Sec-WebSocket-Extensions. */
  readonly name: string;
  /** The reserved bits that it claims, of {@linkcode Rsv}, or-ed together. */
  readonly rsv: number;
  /** What a client offers: the first is the one it likes best, the others are fallbacks. */
  offers(): readonly ExtensionOffer[];
  /**
   * A server judges one offer.
   *
   * @returns what it agrees to, or `undefined` where it declines, so that the next offer has its turn.
   */
  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined;
  /**
   * A client judges the server's response.
   *
   * @throws {ProtocolError} where the response answers none of `offers()`, or breaks a rule.
   */
  acceptResponse(response: ExtensionOffer): ExtensionAgreement;
}

/** What both ends have agreed to, before there is a connection to use it on. */
export interface ExtensionAgreement {
  /** The server's response: what it sends, or has sent. */
  readonly response: ExtensionOffer;
  /** The reserved bits that the extension claims. */
  readonly rsv: number;
  /** Puts the extension into use on a new connection. */
  use(options?: ExtensionUseOptions): ExtensionInUse;
}

/** What an extension has to know of its connection. */
export interface ExtensionUseOptions {
  /**
   * The largest message that is taken, in bytes, as it is after the extension's work: what would
   * grow beyond is refused while it grows.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize?: number;
}

/** Where frames that are to be sent go: a {@linkcode FrameEncoder}'s `writeFrame`, or the next extension. */
export interface FrameInitSink {
  /** Takes the next frame; its payload is only lent, until the call returns. */
  enqueue(frame: FrameInit): void;
}

/** What the sender of one message may ask for. */
export interface ExtensionSendOptions {
  /**
   * `false` to send this message as it is, though its size would have it compressed: it is compressed
   * already, or has a secret next to what an attacker chose.
   *
   * @default {true}
   */
  compress?: boolean;
}

/**
 * An extension on one connection, between the frames and the messages, in both directions.
 *
 * It is synchronous: what a frame turns into has been handed on when the call returns, unless that was
 * paused. After `receive()` has thrown, further frames are ignored, without a look at them.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9 RFC 6455 §9}
 */
export interface ExtensionInUse {
  /** The reserved bits that it claims: the {@linkcode FrameDecoderOptions.rsv} of the connection. */
  readonly rsv: number;

  /**
   * Takes a received frame, or part of one, control frames included, and hands on what it turns into.
   * A part of an output whose length isn't known yet says `payloadLength: Infinity`; the last says
   * how long it has become. What comes out doesn't share the bytes of what went in, unless it's the
   * frame itself.
   *
   * @throws {WebSocketError} whose close code says what the peer did wrong.
   */
  receive(frame: Frame, sink: FrameSink): void;

  /**
   * How many bytes of memory it holds for this connection alone; counted as 0 where it doesn't say.
   *
   * @default {undefined}
   */
  readonly heldBytes?: number;

  /** Whether output waits for {@linkcode ExtensionInUse.resume}. */
  readonly isPaused: boolean;

  /**
   * Called from within the sink's `enqueue`: stops before the next part of the output, which may be a
   * thousand times its input. Until `resume()`, nothing may be passed to `receive()`.
   */
  pause(): void;

  /**
   * Goes on after a {@linkcode ExtensionInUse.pause}.
   *
   * @throws {WebSocketError} as `receive()` does.
   */
  resume(sink: FrameSink): void;

  /**
   * Whether a message of `size` bytes, sent in one frame, would be changed. Where it would not,
   * `send()` may be left out: the message can be encoded the shortest way.
   */
  changes(size: number): boolean;

  /** Takes a frame that is to be sent, and hands on what it turns into. */
  send(frame: FrameInit, sink: FrameInitSink, options?: ExtensionSendOptions): void;

  /** The connection has ended: frees what the extension holds. Nothing is handed on any more. */
  close(): void;
}
