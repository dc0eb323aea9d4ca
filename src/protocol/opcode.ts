/**
 * The opcodes that RFC 6455 defines; 0x3-0x7 and 0xB-0xF are reserved and refused.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export const Opcode = {
  /** A further fragment of the message that a Text or Binary frame began. */
  Continuation: 0x0,
  /** A message, or its first fragment, of UTF-8 text. */
  Text: 0x1,
  /** A message, or its first fragment, of bytes. */
  Binary: 0x2,
  /** The closing handshake. */
  Close: 0x8,
  /** Asks the peer for a Pong with the same payload. */
  Ping: 0x9,
  /** The answer to a Ping, or an unsolicited heartbeat. */
  Pong: 0xa,
} as const;

/** One of the values of {@linkcode Opcode}. */
export type Opcode = typeof Opcode[keyof typeof Opcode];

/**
 * Whether an opcode is that of a control frame.
 *
 * RFC 6455 §5.5: "Control frames are identified by opcodes where the most significant bit of the
 * opcode is 1."
 */
export function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0;
}
