import { MessageTooBigError, ProtocolError } from "./errors.ts";
import { checkFirstByte, checkSequence, MAX_CONTROL_PAYLOAD } from "./frame.ts";
import type { Role } from "./frame.ts";
import { isControl } from "./opcode.ts";

/** The field to which the next byte belongs. */
const Stage = { First: 0, Second: 1, Length: 2, MaskingKey: 3, Complete: 4 } as const;

/**
 * Reads the header of a frame byte by byte. Each rule is checked at the first byte that can violate it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export class FrameHeaderReader {
  /** The first byte: FIN, RSV1-3 and the opcode. */
  first = 0;
  /** The length of the payload, in bytes. */
  length = 0;
  /** The masking key; 0 if the frame is not masked. */
  key = 0;
  /** Whether a message is unfinished. */
  inMessage = false;

  readonly #masked: boolean;
  readonly #rsv: number;
  #stage: number = Stage.First;
  /** The number of missing bytes of the length or of the masking key. */
  #missing = 0;
  /** The upper 32 bits of a 64-bit length: a number represents only 53 bits exactly. */
  #lengthHigh = 0;

  constructor(role: Role, rsv: number) {
    this.#masked = role === "server";
    this.#rsv = rsv;
  }

  /** Whether the header is complete, so that the payload follows. */
  get isComplete(): boolean {
    return this.#stage === Stage.Complete;
  }

  /** Whether no byte of the next header has been read. */
  get isAtStart(): boolean {
    return this.#stage === Stage.First;
  }

  /** Starts the next header. */
  reset(): void {
    this.#stage = Stage.First;
  }

  /**
   * Reads up to the end of the header or of the bytes.
   *
   * @returns The position after the last byte that was read.
   */
  read(bytes: Uint8Array, start: number): number {
    const end = bytes.length;
    let position = start;
    if (this.#stage === Stage.First && position < end) this.#readFirst(bytes[position++]);
    if (this.#stage === Stage.Second && position < end) this.#readSecond(bytes[position++]);
    while (this.#stage === Stage.Length && position < end) this.#readLength(bytes[position++]);
    while (this.#stage === Stage.MaskingKey && position < end) {
      this.key |= bytes[position++] << (32 - 8 * this.#missing--);
      if (this.#missing === 0) this.#stage = Stage.Complete;
    }
    return position;
  }

  #readFirst(first: number): void {
    checkFirstByte(first, this.#rsv);
    if (!isControl(first & 0x0f)) {
      checkSequence(first & 0x0f, this.inMessage);
      this.inMessage = (first & 0x80) === 0;
    }
    this.first = first;
    this.#stage = Stage.Second;
  }

  #readSecond(second: number): void {
    const masked = (second & 0x80) !== 0;
    if (masked !== this.#masked) {
      // RFC 6455 §5.1: "The server MUST close the connection upon receiving a frame that is not
      // masked", and "A client MUST close a connection if it detects a masked frame".
      throw new ProtocolError(
        masked
          ? "Cannot decode frame: masked, and a server must not mask"
          : "Cannot decode frame: not masked, and a client must mask",
        masked ? "ERR_MASKED" : "ERR_NOT_MASKED",
      );
    }
    const length = second & 0x7f;
    const opcode = this.first & 0x0f;
    // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
    if (length > MAX_CONTROL_PAYLOAD && isControl(opcode)) {
      throw new ProtocolError(
        `Cannot decode frame: control frame, opcode 0x${opcode.toString(16)}, of more than ` +
          `${MAX_CONTROL_PAYLOAD} bytes`,
        "ERR_CONTROL_TOO_LONG",
      );
    }
    this.#lengthHigh = 0;
    if (length <= 125) {
      this.length = length;
      this.#afterLength();
    } else {
      this.length = 0;
      this.#missing = length === 126 ? 2 : 8;
      this.#stage = Stage.Length;
    }
  }

  #readLength(byte: number): void {
    const missing = --this.#missing;
    if (missing >= 4) this.#lengthHigh = (this.#lengthHigh << 8) | byte;
    else this.length = this.length * 256 + byte;
    const isLong = this.#lengthHigh !== 0;
    // RFC 6455 §5.2: "the most significant bit MUST be 0".
    if (missing === 7 && byte >= 0x80) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length with its most significant bit set",
        "ERR_LENGTH_SIGN",
      );
    }
    // The upper half of the largest exact integer, 2^53 - 1, is 0x1fffff.
    if (missing >= 4 && this.#lengthHigh > 0x1fffff >> (8 * (missing - 4))) {
      throw new MessageTooBigError(
        `Cannot decode frame: a length of more than ${Number.MAX_SAFE_INTEGER} bytes`,
      );
    }
    // RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length".
    // After two bytes of the lower half of a 64-bit length it is known whether 16 bits would do. For a
    // 16-bit length, `missing` is 1 or 0 here.
    if (missing === 2 && !isLong && this.length === 0) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length for less than 65536 bytes",
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
    if (missing > 0) return;
    if (!isLong && this.length < 126) {
      throw new ProtocolError(
        `Cannot decode frame: a 16-bit length for ${this.length} bytes`,
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
    this.#afterLength();
  }

  #afterLength(): void {
    this.length += this.#lengthHigh * 0x1_0000_0000;
    this.key = 0;
    this.#missing = this.#masked ? 4 : 0;
    this.#stage = this.#masked ? Stage.MaskingKey : Stage.Complete;
  }
}
