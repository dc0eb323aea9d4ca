import { inflateRawSync } from "node:zlib";
import type { Inflater, InflaterOptions, InflaterTarget } from "./deflate_codec.ts";
import {
  checkRestarts,
  inflatesTooFar,
  invalidDeflate,
  storedBlockHeader,
  TAIL,
  truncatedDeflate,
} from "./deflate_format.ts";
import { SlidingWindow } from "./sliding_window.ts";
import { Z_FINISH, Z_SYNC_FLUSH } from "./zlib_stream.ts";

/** What stands behind each message: its tail, and a final block of one byte, to see it reached. */
const ENDING = /* @__PURE__ */ new Uint8Array([...TAIL, ...storedBlockHeader(1, true), 0x55]);
/** How many bytes more than twice its allowed size a message may have while it's compressed. */
const SLACK = 16 * 1024;
const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** What node:zlib's synchronous functions give back with `info: true`. */
interface Inflated {
  buffer: Uint8Array;
  engine: { bytesWritten: number };
}

/**
 * Decompresses each message at once, by public functions alone: what messages may refer to goes in
 * before each, as a block without compression.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 RFC 7692 §7.2.2}
 */
export class OneShotInflater implements Inflater {
  readonly #takesContextOver: boolean;
  readonly #maxMessageSize: number;
  readonly #window: SlidingWindow;
  /** The message so far, and room for more: an array of its parts would cost more than they do. */
  #buffer: Uint8Array = NO_BYTES;
  #length = 0;

  constructor(options: InflaterOptions) {
    this.#takesContextOver = options.takesContextOver;
    this.#maxMessageSize = options.maxMessageSize;
    this.#window = new SlidingWindow(1 << options.windowBits);
  }

  get heldBytes(): number {
    return this.#window.capacity + this.#buffer.length;
  }

  push(input: Uint8Array, endsMessage: boolean, target: InflaterTarget): void {
    const length = this.#length + input.length;
    // Deflate makes nothing twice as large, but for flushes: those of 1,024 fragments, at most.
    if (length > 2 * this.#maxMessageSize + SLACK) throw inflatesTooFar(this.#maxMessageSize);
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(endsMessage ? length : length * 2);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(input, this.#length);
    this.#length = length;
    if (!endsMessage) return target.inflated(NO_BYTES, true);
    const message = this.#buffer.subarray(0, length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
    const bytes = this.#inflateAll(message);
    if (!this.#takesContextOver) this.#window.clear();
    target.inflated(bytes, true);
  }

  resume(): void {}

  close(): void {
    this.#buffer = NO_BYTES;
    this.#length = 0;
    this.#window.clear();
  }

  #inflateAll(message: Uint8Array): Uint8Array {
    const outputs: Uint8Array[] = [];
    let size = 0;
    for (let rest = message;;) {
      const bound = this.#maxMessageSize - size;
      const { output, consumed } = this.#inflate(join([rest, ENDING]), bound + 1);
      const isWhole = consumed === rest.length + ENDING.length;
      // RFC 7692 §7.2.1: the empty block whose lengths the tail is may itself be a final one.
      const isLast = isWhole || consumed === rest.length + TAIL.length;
      const bytes = isWhole ? output.subarray(0, output.length - 1) : output;
      // The tail, RFC 7692 §7.2.2, must be the end of a block: nothing comes out of it.
      if (isLast && this.#inflate(rest, bound + 1, Z_SYNC_FLUSH).output.length !== bytes.length) {
        throw truncatedDeflate();
      }
      this.#window.append(bytes);
      outputs.push(bytes);
      size += bytes.length;
      if (isLast) return join(outputs);
      if (consumed > rest.length) throw truncatedDeflate();
      // RFC 7692 §7.2.1: "DEFLATE blocks with the "BFINAL" bit set to 1 may be used": what follows
      // goes on with the same window. Each time, everything is copied.
      checkRestarts(outputs.length, 0);
      rest = rest.subarray(consumed);
    }
  }

  /** Inflates up to the end, or up to the end of a final block, and at most `bound` bytes. */
  #inflate(
    bytes: Uint8Array,
    bound: number,
    finishFlush: number = Z_FINISH,
  ): { output: Uint8Array; consumed: number } {
    // The window comes out with it.
    const prefix = this.#prefix();
    const before = this.#window.length;
    let inflated: Inflated;
    try {
      inflated = inflateRawSync(join([prefix, bytes]), {
        info: true,
        finishFlush,
        ...(bound === Infinity ? {} : { maxOutputLength: before + bound }),
      }) as unknown as Inflated;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "ERR_BUFFER_TOO_LARGE") throw inflatesTooFar(this.#maxMessageSize);
      if (code === "Z_BUF_ERROR") throw truncatedDeflate();
      throw invalidDeflate(error as Error);
    }
    const { buffer, engine } = inflated;
    return {
      output: new Uint8Array(buffer.subarray(before)),
      consumed: engine.bytesWritten - prefix.length,
    };
  }

  /** What fills zlib's window, where there is anything. */
  #prefix(): Uint8Array {
    const { length } = this.#window;
    if (length === 0) return NO_BYTES;
    const header = storedBlockHeader(length);
    const prefix = new Uint8Array(header.length + length);
    prefix.set(header);
    this.#window.copyTo(prefix, header.length);
    return prefix;
  }
}

function join(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
