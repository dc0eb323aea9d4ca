import { FrameEncoder } from "../protocol/frame_encoder.ts";
import type { SharedFrame } from "../protocol/shared_frame_encoder.ts";
import type { SharedRun } from "./shared_run.ts";

/** Bytes that several connections write: consecutive frames. */
interface SharedBytes {
  block: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

/** The view that was made last: the connections of a broadcast write the same one. */
let lastBytes: SharedBytes | undefined;
let lastView: Uint8Array<ArrayBuffer> | undefined;

function viewOfShared(shared: SharedBytes): Uint8Array<ArrayBuffer> {
  const { block, start, end } = shared;
  if (lastBytes?.block !== block || lastBytes.start !== start || lastBytes.end !== end) {
    lastBytes = { block, start, end };
    lastView = block.subarray(start, end);
  }
  return lastView!;
}

/** The encoded bytes of a connection that are written before the content of its encoder. */
export class SegmentQueue {
  readonly #segments: (Uint8Array<ArrayBuffer> | SharedBytes)[] = [];
  /** The newest segment, if it is shared: the next frame may directly follow it in the same buffer. */
  #newest: SharedBytes | undefined;
  /** The run behind all segments, to which others may add frames. */
  #open: SharedRun | undefined;
  #memoryUsage = 0;
  /** Whether the bytes that `shift()` returned last are shared, so that they must not be recycled. */
  isShared = false;

  /** The memory usage, in bytes: of shared bytes, those that this connection writes. */
  get memoryUsage(): number {
    return this.#memoryUsage + this.openBytes;
  }

  /** Whether there is no segment. */
  get isEmpty(): boolean {
    return this.#segments.length === 0 && this.#open === undefined;
  }

  /** The bytes of the open run, which grows while this connection neither sends nor writes. */
  get openBytes(): number {
    return this.#open === undefined ? 0 : this.#open.length;
  }

  /** Adds a run to which others may add frames until `endRun()`. */
  open(run: SharedRun): void {
    this.#open = run;
  }

  /** Nothing is added to the open run any more. @returns Its bytes; 0 if there is none. */
  endRun(): number {
    const run = this.#open;
    if (run === undefined) return 0;
    run.close();
    this.#open = undefined;
    this.pushShared(run);
    return run.length;
  }

  /**
   * Adds a buffer of the encoder.
   *
   * @param isTight Whether a buffer that is not full is replaced by a copy: a long queue of half-empty
   * buffers would take twice the allowed memory.
   */
  push(segment: Uint8Array<ArrayBuffer>, isTight = false): void {
    if (isTight && segment.length * 4 < segment.buffer.byteLength * 3) {
      const buffer = segment;
      segment = buffer.slice();
      FrameEncoder.recycle(buffer);
    }
    this.#segments.push(segment);
    this.#newest = undefined;
    this.#memoryUsage += segment.buffer.byteLength;
  }

  /** Adds a frame that other connections write as well. */
  pushShared({ block, start, end }: SharedFrame): void {
    this.#memoryUsage += end - start;
    const newest = this.#newest;
    if (newest?.block === block && newest.end === start) {
      newest.end = end;
      return;
    }
    this.#newest = { block, start, end };
    this.#segments.push(this.#newest);
  }

  /** Removes and returns the oldest segment; the open run comes last. */
  shift(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#segments.length === 0) return this.#shiftRun();
    this.endRun(); // It may directly follow the last segment.
    const segment = this.#segments.shift()!;
    this.isShared = !(segment instanceof Uint8Array);
    if (segment instanceof Uint8Array) {
      this.#memoryUsage -= segment.buffer.byteLength;
      return segment;
    }
    if (segment === this.#newest) this.#newest = undefined;
    this.#memoryUsage -= segment.end - segment.start;
    return viewOfShared(segment);
  }

  #shiftRun(): Uint8Array<ArrayBuffer> | undefined {
    const run = this.#open;
    if (run === undefined) return undefined;
    run.close();
    this.#open = undefined;
    this.isShared = true;
    return viewOfShared(run);
  }
}
