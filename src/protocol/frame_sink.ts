import { DecodedFrame } from "./decoded_frame.ts";
import type { Frame } from "./frame.ts";

/** Receives a decoder's frames: a stream's controller, or any object with its `enqueue`. */
export interface FrameSink {
  /** Takes the next frame or part of one. */
  enqueue(frame: Frame): void;
  /**
   * Takes a message of a single frame that arrived whole, as a range of bytes, instead of `enqueue()`:
   * for most messages, no frame object needs to be created. Text is decoded before the call returns.
   *
   * @param first The first byte of the header: FIN, and the opcode Text or Binary.
   */
  enqueueWhole?(first: 0x81 | 0x82, bytes: Uint8Array, start: number, end: number): void;
  /**
   * Whether `enqueue()` copies or uses up the payload, so that it may be overwritten when the call
   * returns. Otherwise the sink keeps it.
   */
  readonly copies?: boolean;
  /** As `copies`, except for a payload that is a whole message. */
  readonly copiesParts?: boolean;
}

/** Returns whether a sink decodes a frame that arrived whole, and keeps no view of its bytes. */
export function isDecoded(first: number, sink: FrameSink): boolean {
  return first === 0x81 && sink.enqueueWhole !== undefined;
}

/** Passes a frame that arrived whole to a sink, by `enqueueWhole()` if it is a message of its own. */
export function deliverFrame(
  first: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  sink: FrameSink,
): void {
  const isMessage = first === 0x81 || first === 0x82;
  if (isMessage && sink.enqueueWhole !== undefined) sink.enqueueWhole(first, bytes, start, end);
  else sink.enqueue(new DecodedFrame(first, end - start, 0, bytes, start, end));
}
