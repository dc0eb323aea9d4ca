import type { Frame } from "./frame.ts";
import type { Opcode } from "./opcode.ts";
import { viewOf } from "./bytes.ts";

/** A frame of the decoder's: its payload is cut out of the chunk when somebody asks for it. */
export class DecodedFrame implements Frame {
  readonly payloadLength: number;
  readonly payloadOffset: number;
  /** The bytes that the payload is a range of. */
  readonly bytes: Uint8Array;
  /** Where the payload starts in `bytes`. */
  readonly start: number;
  /** Where it ends, exclusive. */
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
  /** Whether it's a message of its own, all of it: FIN, and a Text or Binary opcode. */
  get isWholeMessage(): boolean {
    return (this.first === 0x81 || this.first === 0x82) &&
      this.end - this.start === this.payloadLength;
  }
}
