import { MessageTooBigError, ProtocolError } from "./errors.ts";
import { checkControlLength, checkFirstByte, checkSequence } from "./frame.ts";
import { isControl } from "./opcode.ts";

// The field to which the next byte belongs.
const FIRST = 0;
const SECOND = 1;
const LENGTH = 2;
const MASKING_KEY = 3;
const COMPLETE = 4;

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
  #stage: number = FIRST;
  /** The number of missing bytes of the length or of the masking key. */
  #missing = 0;

  /** @param masked Whether the frames must be masked. */
  constructor(masked: boolean, rsv: number) {
    this.#masked = masked;
    this.#rsv = rsv;
  }

  /** Whether the header is complete, so that the payload follows. */
  get isComplete(): boolean {
    return this.#stage === COMPLETE;
  }

  /** Whether no byte of the next header has been read. */
  get isAtStart(): boolean {
    return this.#stage === FIRST;
  }

  /** Starts the next header. */
  reset(): void {
    this.#stage = FIRST;
  }

  /**
   * Reads up to the end of the header or of the bytes.
   *
   * @returns The position after the last byte that was read.
   */
  read(bytes: Uint8Array, start: number): number {
    const end = bytes.length;
    let position = start;
    if (this.#stage === FIRST && position < end) this.#readFirst(bytes[position++]);
    if (this.#stage === SECOND && position < end) this.#readSecond(bytes[position++]);
    while (this.#stage === LENGTH && position < end) this.#readLength(bytes[position++]);
    while (this.#stage === MASKING_KEY && position < end) {
      this.key |= bytes[position++] << (32 - 8 * this.#missing--);
      if (this.#missing === 0) this.#stage = COMPLETE;
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
    this.#stage = SECOND;
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
    checkControlLength(this.first & 0x0f, length);
    if (length <= 125) {
      this.length = length;
      this.#afterLength();
    } else {
      this.length = 0;
      this.#missing = length === 126 ? 2 : 8;
      this.#stage = LENGTH;
    }
  }

  #readLength(byte: number): void {
    const missing = --this.#missing;
    this.length = this.length * 256 + byte;
    // RFC 6455 §5.2: "the most significant bit MUST be 0".
    if (missing === 7 && byte >= 0x80) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length with its most significant bit set",
        "ERR_LENGTH_SIGN",
      );
    }
    // The first bytes of the largest exact integer, 2^53 - 1. No 16-bit length has more than 1 missing byte.
    if (missing >= 4 && this.length > Number.MAX_SAFE_INTEGER / 256 ** missing) {
      throw new MessageTooBigError(
        `Cannot decode frame: a length of more than ${Number.MAX_SAFE_INTEGER} bytes`,
      );
    }
    // RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length".
    // After six bytes of a 64-bit length it is known whether 16 bits would do.
    if (missing === 2 && this.length === 0) {
      throw new ProtocolError(
        "Cannot decode frame: a 64-bit length for less than 65536 bytes",
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
    if (missing > 0) return;
    if (this.length < 126) {
      throw new ProtocolError(
        `Cannot decode frame: a 16-bit length for ${this.length} bytes`,
        "ERR_LENGTH_NOT_MINIMAL",
      );
    }
    this.#afterLength();
  }

  #afterLength(): void {
    this.key = 0;
    this.#missing = this.#masked ? 4 : 0;
    this.#stage = this.#masked ? MASKING_KEY : COMPLETE;
  }
}
