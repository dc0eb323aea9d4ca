import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";

/**
 * A configured extension of the protocol. It negotiates for any number of connections and keeps no state
 * of them. A server calls `acceptOffer()`; a client calls `offers()` and `acceptResponse()`. Both may use
 * {@linkcode acceptOffers} and {@linkcode acceptResponses} instead.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9 RFC 6455 §9}
 */
export interface Extension {
  /** The name in Sec-WebSocket-Extensions. */
  readonly name: string;
  /** The reserved bits that it uses: values of {@linkcode Rsv}, combined with `|`. */
  readonly rsv: number;
  /**
   * Whether the extension works on this runtime. If not, it offers nothing and declines every offer.
   *
   * @default {true}
   */
  readonly isSupported?: boolean;
  /** Returns a client's offers, in the order of preference. */
  offers(): readonly ExtensionOffer[];
  /**
   * Decides on one offer, for a server.
   *
   * @returns The agreement; `undefined` if the offer is declined, so that the next one is considered.
   */
  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined;
  /**
   * Checks the server's response, for a client.
   *
   * @throws {ProtocolError} If the response matches none of `offers()`, or violates a rule.
   */
  acceptResponse(response: ExtensionOffer): ExtensionAgreement;
}

/** The result of a negotiation. */
export interface ExtensionAgreement {
  /** The element of the server's response. */
  readonly response: ExtensionOffer;
  /** The reserved bits that the extension uses. */
  readonly rsv: number;
  /** Puts the extension into use on a new connection. */
  use(options?: ExtensionUseOptions): ExtensionInUse;
}

/** Options of {@linkcode ExtensionAgreement.use}. */
export interface ExtensionUseOptions {
  /**
   * The largest accepted message, in bytes, after the extension has transformed it. A larger one is
   * rejected before the rest of it is produced.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize?: number;
}

/** Receives frames that are to be sent. */
export interface FrameInitSink {
  /** Takes the next frame. Its payload is valid only until the call returns. */
  enqueue(frame: FrameInit): void;
}

/**
 * Transforms a message once for all connections that send it, as their extensions would. It keeps no
 * context between messages, so that any of these connections can send the result.
 */
export interface SharedTransform {
  /** Transforms the only frame of a message. Its result is valid until the next call. */
  transform(frame: FrameInit): SharedFrameInit;
}

/** The result of a {@linkcode SharedTransform}. */
export interface SharedFrameInit {
  /** The frame that is sent. */
  readonly frame: FrameInit;
  /** What each connection passes to {@linkcode ExtensionInUse.sentShared}. It stays valid. */
  readonly context: Uint8Array;
}

/** Options for sending one message. */
export interface ExtensionSendOptions {
  /**
   * Whether the message may be compressed. Use `false` if it is compressed already, or if it contains a
   * secret next to text that an attacker can choose.
   *
   * @default {true}
   */
  compress?: boolean;
}

/**
 * An extension on one connection: transforms the frames in both directions.
 *
 * It is synchronous: when a call returns, the whole output has been passed on, unless the extension was
 * paused. After `receive()` has thrown, further frames are ignored.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9 RFC 6455 §9}
 */
export interface ExtensionInUse {
  /** The reserved bits that it uses: the connection's {@linkcode FrameDecoderOptions.rsv}. */
  readonly rsv: number;

  /**
   * Transforms a received frame, or part of one, and passes the output to `sink`. This includes control
   * frames. A part of an output of unknown length has the `payloadLength` Infinity, and the last part has
   * the final length. The output is either the frame itself, or does not share its bytes.
   *
   * @throws {WebSocketError} If the peer made a mistake, with the close code for it.
   */
  receive(frame: Frame, sink: FrameSink): void;

  /**
   * The memory that is used for this connection alone, in bytes; counted as 0 if it is undefined.
   *
   * @default {undefined}
   */
  readonly heldBytes?: number;

  /** Whether the extension is paused, until {@linkcode ExtensionInUse.resume}. */
  readonly isPaused: boolean;

  /**
   * Stops before the next part of the output, which may be 1,000 times as long as the input; called by the
   * sink within `enqueue()`. Nothing may be passed to `receive()` until `resume()`.
   */
  pause(): void;

  /**
   * Continues after a {@linkcode ExtensionInUse.pause}.
   *
   * @throws {WebSocketError} As `receive()` does.
   */
  resume(sink: FrameSink): void;

  /**
   * Returns whether `send()` would transform a message of `size` bytes in one frame. If not, the caller may
   * encode the message directly, which is faster.
   */
  changes(size: number): boolean;

  /** Transforms a frame that is to be sent, and passes the output to `sink`. */
  send(frame: FrameInit, sink: FrameInitSink, options?: ExtensionSendOptions): void;

  /**
   * The transform for messages that many connections send: the same object for all connections on which
   * its result is valid. Without one, each connection transforms them itself.
   *
   * @default {undefined}
   */
  readonly shared?: SharedTransform | undefined;

  /**
   * Records that the result of {@linkcode ExtensionInUse.shared} is sent on this connection now, in place of
   * a call of `send()`. Optional.
   *
   * @default {undefined} there is nothing to record
   */
  sentShared?(context: Uint8Array): void;

  /** Frees the memory, when the connection has ended. Nothing is passed on any more. */
  close(): void;
}
