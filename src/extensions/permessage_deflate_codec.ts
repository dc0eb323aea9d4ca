import { EMPTY } from "../protocol/bytes.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { Rsv } from "../protocol/frame.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import { isControl, Opcode } from "../protocol/opcode.ts";
import { Deflater, sharedDeflater } from "./deflater.ts";
import type { DeflaterOptions } from "./deflater.ts";
import type {
  ExtensionInUse,
  ExtensionSendOptions,
  FrameInitSink,
  SharedTransform,
} from "./extension.ts";
import { Inflater } from "./inflater.ts";
import type { InflaterOptions, InflaterTarget } from "./inflater.ts";

/**
 * "permessage-deflate" on one connection: compresses and decompresses the frames of data messages.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-6 RFC 7692 §6}
 */
export class PerMessageDeflateCodec implements ExtensionInUse, InflaterTarget {
  readonly rsv = Rsv.Rsv1;
  readonly #inflaterOptions: InflaterOptions;
  readonly #deflaterOptions: DeflaterOptions | undefined;
  readonly #threshold: number;
  /** Created for the first compressed message that is received. */
  #inflater: Inflater | undefined;
  /** Created for the first message that is sent compressed. */
  #deflater: Deflater | undefined;
  /** Found for the first message that many connections send. */
  #shared: SharedTransform | undefined;

  /** Whether the message that is being received is compressed. */
  #isCompressed = false;
  /** The frame or part that is being decompressed. */
  #frame: Frame | undefined;
  #sink: FrameSink | undefined;
  /** Whether the received frame is unfinished. */
  #inFrame = false;
  /** The size of the output for the received frame so far, in bytes. */
  #offset = 0;
  #isPaused = false;
  /** Whether the message that is being sent is compressed. */
  #compresses = false;
  /** Whether further frames are ignored, after an error or `close()`. */
  #hasEnded = false;

  /**
   * @param inflaterOptions The options for received messages.
   * @param deflaterOptions The options for sent messages; `undefined` to send all of them uncompressed.
   * @param threshold The smallest message that is compressed, in bytes.
   */
  constructor(
    inflaterOptions: InflaterOptions,
    deflaterOptions: DeflaterOptions | undefined,
    threshold: number,
  ) {
    this.#inflaterOptions = inflaterOptions;
    this.#deflaterOptions = deflaterOptions;
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
    const inflater = this.#inflater ??= new Inflater(this.#inflaterOptions);
    this.#inflate(sink, () => inflater.push(payload, frame.fin && !this.#inFrame, this));
  }

  pause(): void {
    // Within the output for the last input, there is nothing to keep.
    this.#isPaused = this.#frame !== undefined;
  }

  resume(sink: FrameSink): void {
    this.#isPaused = false;
    if (this.#frame !== undefined) this.#inflate(sink, () => this.#inflater!.resume(this));
  }

  /** InflaterTarget: whether the sink copies the output. */
  get copies(): boolean {
    return this.#sink?.copies === true;
  }

  /** InflaterTarget: whether the sink copies the output unless it is a whole message. */
  get copiesParts(): boolean {
    return this.#sink?.copiesParts === true;
  }

  /** InflaterTarget: passes the next output on. */
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
    return this.#deflaterOptions !== undefined && size >= this.#threshold && size > 0;
  }

  send(frame: FrameInit, sink: FrameInitSink, options?: ExtensionSendOptions): void {
    const { opcode, fin = true, payload = EMPTY } = frame;
    if (isControl(opcode)) return sink.enqueue(frame);
    if (opcode !== Opcode.Continuation) {
      // The size of a message in fragments is not known yet.
      this.#compresses = options?.compress !== false &&
        this.changes(fin ? payload.length : Infinity);
    }
    if (!this.#compresses || this.#hasEnded) return sink.enqueue(frame);
    const deflater = this.#deflater ??= new Deflater(this.#deflaterOptions!);
    sink.enqueue({
      ...frame,
      // RFC 7692 §6: only the first frame of a message has the bit.
      rsv1: opcode !== Opcode.Continuation,
      payload: deflater.deflate(payload, fin),
    });
  }

  get shared(): SharedTransform | undefined {
    const options = this.#deflaterOptions;
    if (options === undefined || this.#hasEnded) return undefined;
    return this.#shared ??= sharedDeflater(options);
  }

  sentShared(context: Uint8Array): void {
    this.#deflater?.skip(context);
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
