/**
 * A WebSocket message: text is a `string`, binary a `Uint8Array`.
 *
 * A received `Uint8Array` is yours: nothing else will write to it. It may be a view of a larger
 * buffer, the network chunk that it came in, together with other messages: so mind its `byteOffset`
 * when you use its `buffer`, and `slice()` it if you keep a small one for long, or transfer it, to a
 * worker for instance.
 */
export type Message = string | Uint8Array;

/** A piece of a message, as it came: {@linkcode MessagePartDecoder}. */
export interface MessagePart {
  /** What the message is made of. */
  readonly type: "text" | "binary";
  /** The next characters, or the next bytes; empty where there are none yet, or none more. */
  readonly data: Message;
  /** Whether the message ends with this part. */
  readonly fin: boolean;
}
