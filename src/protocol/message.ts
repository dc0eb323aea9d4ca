/**
 * A received message: text is a `string`, binary a `Uint8Array`.
 *
 * A received `Uint8Array` belongs to the application: nothing else writes to it. It may be a view of a
 * larger buffer, which holds other messages of the same connection as well. So respect its
 * `byteOffset` when you use its `buffer`. Use `slice()` before you keep a small message for long, or
 * transfer its buffer, for example to a worker.
 */
export type Message = string | Uint8Array<ArrayBuffer>;

/** A message to send: text, or bytes in a buffer of any kind. */
export type OutgoingMessage = string | Uint8Array;

/**
 * The ownership of the bytes of a received binary message:
 *
 * - `"shared"`: the application owns them. The buffer may hold other messages of the connection as well.
 * - `"owned"`: the application owns them. The message has an `ArrayBuffer` of its own, with `byteOffset` 0,
 *   which can be transferred.
 * - `"borrowed"`: they are valid until the function that receives the message returns. Nothing is copied.
 */
export type PayloadMode = "shared" | "owned" | "borrowed";

/** The values of {@linkcode PayloadMode}. */
export const PAYLOAD_MODES: readonly PayloadMode[] = ["shared", "owned", "borrowed"];

/** A part of a message, as it arrived: see {@linkcode MessagePartDecoder}. */
export interface MessagePart {
  /** The type of the message. */
  readonly type: "text" | "binary";
  /** The next characters or bytes; may be empty. */
  readonly data: Message;
  /** Whether this is the last part of the message. */
  readonly fin: boolean;
}
