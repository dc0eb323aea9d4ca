import type { Frame, FrameInit, Role } from "../protocol/frame.ts";
import { DecodedFrame, payloadSize } from "../protocol/decoded_frame.ts";
import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { isControl, Opcode } from "../protocol/opcode.ts";

/** A frame on the wire, for the option `inspect`. */
export interface InspectedFrame {
  /**
   * When the frame was decoded or queued, in milliseconds since the Unix epoch, with fractions. A frame
   * that arrives in several chunks is reported with the first one.
   */
  readonly time: number;
  /** Whether this end has received or sent it. */
  readonly direction: "received" | "sent";
  /** The opcode, of {@linkcode Opcode}. */
  readonly opcode: Opcode;
  /** Whether it is the last frame of its message. */
  readonly fin: boolean;
  /** Whether RSV1 is set: with permessage-deflate, the message is compressed. */
  readonly rsv1: boolean;
  /** The length of the payload in the frame, in bytes. */
  readonly payloadLength: number;
  /** The length of the whole frame, with its header and its masking key, in bytes. */
  readonly frameLength: number;
  /** The payload of a control frame: a Close frame's code and reason; `undefined` for a data frame. */
  readonly payload: Uint8Array<ArrayBuffer> | undefined;
}

/** The option `inspect` of `serve()`, `accept()` and `connect()`. */
export interface InspectOptions<Socket> {
  /**
   * Called with each frame that a connection receives or sends, for logs and tests. Its exceptions are
   * reported to `onError`, and have no other effect. Without it, inspection costs nothing.
   *
   * @default {undefined} frames are not inspected
   */
  inspect?: (frame: InspectedFrame, socket: Socket) => void;
}

/** The members of a connection that the inspection of its frames uses. */
export interface InspectedConnection {
  readonly socket: unknown;
  readonly settings: {
    readonly role: Role;
    readonly inspect?: ((frame: InspectedFrame, socket: never) => void) | undefined;
  };
  /** Passes an error to the option `onError`. */
  reportError(error: unknown): void;
}

/** Returns a sink that inspects the frames of a decoder, and passes them on to another one. */
export function inspectReceived(sink: FrameSink, connection: InspectedConnection): FrameSink {
  const isMasked = connection.settings.role === "server";
  /** The number of payload bytes of the current frame that have not arrived. */
  let left = 0;
  function see(frame: Frame): void {
    if (left === 0) {
      const { opcode, fin, rsv1, payloadLength } = frame;
      const control = isControl(opcode) ? new Uint8Array(frame.payload) : undefined;
      report(connection, "received", { opcode, fin, rsv1, payloadLength }, isMasked, control);
      left = payloadLength;
    }
    left -= payloadSize(frame);
  }
  return {
    get copies() {
      return sink.copies === true;
    },
    get copiesParts() {
      return sink.copiesParts === true;
    },
    enqueue(frame) {
      see(frame);
      sink.enqueue(frame);
    },
    ...(sink.enqueueWhole !== undefined && {
      enqueueWhole(first, bytes, start, end) {
        see(new DecodedFrame(first, end - start, 0, bytes, start, end));
        sink.enqueueWhole!(first, bytes, start, end);
      },
    }),
  };
}

/** Inspects the frames that it encodes. */
export class InspectingEncoder extends FrameEncoder {
  readonly #connection: InspectedConnection;

  constructor(connection: InspectedConnection) {
    super({ role: connection.settings.role });
    this.#connection = connection;
  }

  /** Encodes a message or a frame. */
  override write(message: OutgoingMessage | FrameInit): void {
    const before = this.length;
    super.write(message);
    const isMasked = this.#connection.settings.role === "client";
    const isMessage = typeof message === "string" || message instanceof Uint8Array;
    const frame = isMessage
      ? { opcode: typeof message === "string" ? Opcode.Text : Opcode.Binary }
      : message;
    const payloadLength = payloadLengthOf(this.length - before, isMasked);
    const { opcode, fin = true, rsv1 = false, payload = new Uint8Array(0) } = frame as FrameInit;
    const control = isControl(opcode) ? new Uint8Array(payload) : undefined;
    const seen = { opcode: opcode as Opcode, fin, rsv1, payloadLength };
    report(this.#connection, "sent", seen, isMasked, control);
  }
}

function report(
  connection: InspectedConnection,
  direction: InspectedFrame["direction"],
  frame: Pick<InspectedFrame, "opcode" | "fin" | "rsv1" | "payloadLength">,
  isMasked: boolean,
  payload: Uint8Array<ArrayBuffer> | undefined,
): void {
  const { opcode, fin, rsv1, payloadLength } = frame;
  const time = performance.timeOrigin + performance.now();
  const frameLength = payloadLength + headerLength(payloadLength, isMasked);
  const inspect = connection.settings.inspect as (frame: InspectedFrame, socket: unknown) => void;
  try {
    inspect(
      { time, direction, opcode, fin, rsv1, payloadLength, frameLength, payload },
      connection.socket,
    );
  } catch (error) {
    connection.reportError(error);
  }
}

/** Returns the length of a frame's header, RFC 6455 §5.2. */
function headerLength(payloadLength: number, isMasked: boolean): number {
  return (payloadLength <= 125 ? 2 : payloadLength <= 0xffff ? 4 : 10) + (isMasked ? 4 : 0);
}

/** The inverse of {@linkcode headerLength}: from the length of the whole frame. */
function payloadLengthOf(frameLength: number, isMasked: boolean): number {
  const rest = frameLength - (isMasked ? 4 : 0);
  return rest <= 2 + 125 ? rest - 2 : rest <= 4 + 0xffff ? rest - 4 : rest - 10;
}
