/**
 * The opcodes that RFC 6455 defines. The others, 0x3-0x7 and 0xB-0xF, are reserved and rejected.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export const Opcode = {
  /** A further fragment of a message whose first is a Text or Binary frame. */
  Continuation: 0x0,
  /** A text message in UTF-8, or its first fragment. */
  Text: 0x1,
  /** A binary message, or its first fragment. */
  Binary: 0x2,
  /** Starts or completes the closing handshake. */
  Close: 0x8,
  /** Requests a Pong with the same payload. */
  Ping: 0x9,
  /** The response to a Ping, or an unsolicited heartbeat. */
  Pong: 0xa,
} as const;

/** A value of {@linkcode Opcode}. */
export type Opcode = typeof Opcode[keyof typeof Opcode];

// The codec uses these: a bundler inlines them, or keeps a number, in place of the whole object.
/** {@linkcode Opcode.Continuation}. */
export const CONTINUATION = 0x0;
/** {@linkcode Opcode.Text}. */
export const TEXT = 0x1;
/** {@linkcode Opcode.Binary}. */
export const BINARY = 0x2;
/** {@linkcode Opcode.Close}. */
export const CLOSE = 0x8;

/**
 * Returns whether an opcode is that of a control frame.
 *
 * RFC 6455 §5.5: "Control frames are identified by opcodes where the most significant bit of the
 * opcode is 1."
 */
export function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0;
}
