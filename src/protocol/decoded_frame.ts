import type { Frame } from "./frame.ts";
import type { Opcode } from "./opcode.ts";
import { viewOf } from "./bytes.ts";
import { mask, unmaskTo } from "./mask.ts";

/**
 * A frame of a {@linkcode FrameDecoder}, or a part of one. Its payload is unmasked and its view created
 * when it is first used.
 */
export class DecodedFrame implements Frame {
  readonly payloadLength: number;
  readonly payloadOffset: number;
  /** The array that contains the payload. */
  readonly bytes: Uint8Array;
  /** The start of the payload in `bytes`. */
  readonly start: number;
  /** The end of the payload in `bytes`, exclusive. */
  readonly end: number;
  /** The first byte of the header: FIN, RSV1-3 and the opcode. */
  readonly first: number;
  /** The masking key, from the start of the payload, while that is masked; otherwise 0. */
  #key: number;

  constructor(
    first: number,
    payloadLength: number,
    payloadOffset: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    key = 0,
  ) {
    this.first = first;
    this.payloadLength = payloadLength;
    this.payloadOffset = payloadOffset;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#key = key;
  }

  get fin(): boolean {
    return (this.first & 0x80) !== 0;
  }
  get rsv1(): boolean {
    return (this.first & 0x40) !== 0;
  }
  get rsv2(): boolean {
    return (this.first & 0x20) !== 0;
  }
  get rsv3(): boolean {
    return (this.first & 0x10) !== 0;
  }
  get opcode(): Opcode {
    return (this.first & 0x0f) as Opcode;
  }
  get payload(): Uint8Array {
    if (this.#key !== 0) {
      mask(this.bytes, this.start, this.end, this.#key);
      this.#key = 0;
    }
    return viewOf(this.bytes, this.start, this.end);
  }
  /** Whether this is a whole message: FIN, the opcode Text or Binary, no RSV bit, the whole payload. */
  get isWholeMessage(): boolean {
    return (this.first === 0x81 || this.first === 0x82) &&
      this.end - this.start === this.payloadLength;
  }

  /** Copies the payload, unmasked, to `target` at `at`. It must not be used after that. */
  moveTo(target: Uint8Array, at: number): void {
    if (this.#key === 0) target.set(viewOf(this.bytes, this.start, this.end), at);
    else unmaskTo(this.bytes, this.start, this.end, this.#key, target, at);
  }
}

/** Returns the length of the payload of a frame or part, without unmasking it. */
export function payloadSize(frame: Frame): number {
  return frame instanceof DecodedFrame ? frame.end - frame.start : frame.payload.length;
}
