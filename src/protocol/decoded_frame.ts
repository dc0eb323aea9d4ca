import type { Frame } from "./frame.ts";
import type { Opcode } from "./opcode.ts";
import { viewOf } from "./bytes.ts";

/** A frame of a {@linkcode FrameDecoder}. Its payload view is created when it is first used. */
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

  constructor(
    first: number,
    payloadLength: number,
    payloadOffset: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ) {
    this.first = first;
    this.payloadLength = payloadLength;
    this.payloadOffset = payloadOffset;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
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
    return viewOf(this.bytes, this.start, this.end);
  }
  /** Whether this is a whole message: FIN, the opcode Text or Binary, no RSV bit, the whole payload. */
  get isWholeMessage(): boolean {
    return (this.first === 0x81 || this.first === 0x82) &&
      this.end - this.start === this.payloadLength;
  }
}
