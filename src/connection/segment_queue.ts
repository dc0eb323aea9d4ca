import type { SharedFrame } from "../protocol/shared_frame_encoder.ts";

/** Bytes that several connections write: consecutive frames. */
interface SharedRun {
  block: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

/** The view that was made last: the connections of a broadcast write the same one. */
let lastRun: SharedRun | undefined;
let lastView: Uint8Array<ArrayBuffer> | undefined;

function viewOfRun(run: SharedRun): Uint8Array<ArrayBuffer> {
  const { block, start, end } = run;
  if (lastRun?.block !== block || lastRun.start !== start || lastRun.end !== end) {
    lastRun = { block, start, end };
    lastView = block.subarray(start, end);
  }
  return lastView!;
}

/** The encoded bytes of a connection that are written before the content of its encoder. */
export class SegmentQueue {
  readonly #segments: (Uint8Array<ArrayBuffer> | SharedRun)[] = [];
  /** The newest segment, if it is shared: the next frame may directly follow it in the same buffer. */
  #run: SharedRun | undefined;
  #memoryUsage = 0;
  /** Whether the bytes that `shift()` returned last are shared, so that they must not be recycled. */
  isShared = false;

  /** The memory usage, in bytes: of shared bytes, those that this connection writes. */
  get memoryUsage(): number {
    return this.#memoryUsage;
  }

  /** Whether there is no segment. */
  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Adds a buffer of the encoder. */
  push(segment: Uint8Array<ArrayBuffer>): void {
    this.#segments.push(segment);
    this.#run = undefined;
    this.#memoryUsage += segment.buffer.byteLength;
  }

  /** Adds a frame that other connections write as well. */
  pushShared({ block, start, end }: SharedFrame): void {
    this.#memoryUsage += end - start;
    const run = this.#run;
    if (run?.block === block && run.end === start) {
      run.end = end;
      return;
    }
    this.#run = { block, start, end };
    this.#segments.push(this.#run);
  }

  /** Removes and returns the oldest segment. */
  shift(): Uint8Array<ArrayBuffer> | undefined {
    const segment = this.#segments.shift();
    if (segment === undefined) return undefined;
    this.isShared = !(segment instanceof Uint8Array);
    if (segment instanceof Uint8Array) {
      this.#memoryUsage -= segment.buffer.byteLength;
      return segment;
    }
    if (segment === this.#run) this.#run = undefined;
    this.#memoryUsage -= segment.end - segment.start;
    return viewOfRun(segment);
  }
}
