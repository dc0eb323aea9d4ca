import { DecodedFrame } from "./decoded_frame.ts";
import type { Frame } from "./frame.ts";

/** Where a decoder's frames go: a stream's controller, or anything that has its `enqueue`. */
export interface FrameSink {
  /** Takes the next frame or part of one. */
  enqueue(frame: Frame): void;
  /**
   * Takes a frame that is a message of its own, and has come whole, as a range of bytes, in the place of
   * `enqueue()`: for most messages a frame is an object too many.
   *
   * @param first The first byte of its header: FIN, and a Text or Binary opcode.
   */
  enqueueWhole?(first: 0x81 | 0x82, bytes: Uint8Array, start: number, end: number): void;
  /** Whether the payload may be written over as soon as `enqueue()` has returned; else it's kept. */
  readonly copies?: boolean;
}

/** Hands a frame on that has come whole. */
export function enqueueWhole(
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
