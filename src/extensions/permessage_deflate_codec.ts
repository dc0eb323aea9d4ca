import { ProtocolError } from "../protocol/errors.ts";
import { Rsv } from "../protocol/frame.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import { isControl, Opcode } from "../protocol/opcode.ts";
import type { Deflater, Inflater, InflaterTarget } from "./deflate_codec.ts";
import type { ExtensionInUse, ExtensionSendOptions, FrameInitSink } from "./extension.ts";

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/**
 * "permessage-deflate" on one connection: which frames are compressed, and what stands in their place.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-6 RFC 7692 §6}
 */
export class PerMessageDeflateCodec implements ExtensionInUse, InflaterTarget {
  readonly rsv = Rsv.Rsv1;
  readonly #createInflater: () => Inflater;
  readonly #createDeflater: (() => Deflater) | undefined;
  readonly #threshold: number;
  #inflater: Inflater | undefined;
  #deflater: Deflater | undefined;

  /** Whether the message that comes in is compressed. */
  #isCompressed = false;
  /** The frame that comes in, and where it goes, while it does. */
  #frame: Frame | undefined;
  #sink: FrameSink | undefined;
  #inFrame = false;
  /** How many bytes the frame has become so far. */
  #offset = 0;
  #isPaused = false;
  /** Whether the message that goes out is compressed. */
  #compresses = false;
  /** Whether no more data are looked at. */
  #hasEnded = false;

  /**
   * Either is made when there is something for it to do.
   *
   * @param createInflater Makes what decompresses.
   * @param createDeflater Makes what compresses; `undefined` to send everything as it is.
   * @param threshold The smallest message that is compressed, in bytes.
   */
  constructor(
    createInflater: () => Inflater,
    createDeflater: (() => Deflater) | undefined,
    threshold: number,
  ) {
    this.#createInflater = createInflater;
    this.#createDeflater = createDeflater;
    this.#threshold = threshold;
  }

  get heldBytes(): number {
    return (this.#inflater?.heldBytes ?? 0) + (this.#deflater?.heldBytes ?? 0);
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  receive(frame: Frame, sink: FrameSink): void {
    if (this.#hasEnded) return;
    const { opcode, payload } = frame;
    // RFC 7692 §6: "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and
    // non-first fragments of a data message. An endpoint receiving such a frame MUST _Fail the
    // WebSocket Connection_."
    if (frame.rsv1 && (isControl(opcode) || opcode === Opcode.Continuation)) {
      this.close();
      throw new ProtocolError(
        `Cannot decode frame: RSV1 set on opcode 0x${opcode.toString(16)}, not a message's first`,
        "ERR_RSV",
      );
    }
    if (isControl(opcode)) return sink.enqueue(frame);
    if (!this.#inFrame) {
      if (opcode !== Opcode.Continuation) this.#isCompressed = frame.rsv1;
      this.#offset = 0;
    }
    this.#inFrame = frame.payloadOffset + payload.length !== frame.payloadLength;
    if (!this.#isCompressed) return sink.enqueue(frame);
    this.#frame = frame;
    const inflater = this.#inflater ??= this.#createInflater();
    this.#inflate(sink, () => inflater.push(payload, frame.fin && !this.#inFrame, this));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(sink: FrameSink): void {
    this.#isPaused = false;
    if (this.#frame !== undefined) this.#inflate(sink, () => this.#inflater!.resume(this));
  }

  /** Whether what's inflated is copied. */
  get copies(): boolean {
    return this.#sink?.copies === true;
  }

  /** The inflater has put out the next bytes. */
  inflated(bytes: Uint8Array, isLast: boolean): void {
    const frame = this.#frame!;
    const endsFrame = isLast && !this.#inFrame;
    if (isLast) this.#frame = undefined;
    const payloadOffset = this.#offset;
    this.#offset += bytes.length;
    if (bytes.length === 0 && !endsFrame) return;
    this.#sink!.enqueue({
      fin: frame.fin,
      rsv1: false,
      rsv2: frame.rsv2,
      rsv3: frame.rsv3,
      opcode: frame.opcode,
      payload: bytes,
      payloadLength: endsFrame ? this.#offset : Infinity,
      payloadOffset,
    });
  }

  changes(size: number): boolean {
    return this.#createDeflater !== undefined && size >= this.#threshold && size > 0;
  }

  send(frame: FrameInit, sink: FrameInitSink, options?: ExtensionSendOptions): void {
    const { opcode, fin = true, payload = NO_BYTES } = frame;
    if (isControl(opcode)) return sink.enqueue(frame);
    if (opcode !== Opcode.Continuation) {
      // Of a message in fragments the size isn't known yet.
      this.#compresses = options?.compress !== false &&
        this.changes(fin ? payload.length : Infinity);
    }
    if (!this.#compresses || this.#hasEnded) return sink.enqueue(frame);
    const deflater = this.#deflater ??= this.#createDeflater!();
    sink.enqueue({
      ...frame,
      // RFC 7692 §6: the bit stands on the message's first frame alone.
      rsv1: opcode !== Opcode.Continuation,
      payload: deflater.deflate(payload, fin),
    });
  }

  close(): void {
    this.#hasEnded = true;
    this.#frame = undefined;
    this.#inflater?.close();
    this.#deflater?.close();
  }

  #inflate(sink: FrameSink, run: () => void): void {
    this.#sink = sink;
    try {
      run();
    } catch (error) {
      this.close();
      throw error;
    }
  }
}
