import { EMPTY } from "./bytes.ts";
import type { FrameInit } from "./frame.ts";
import { FrameEncoder } from "./frame_encoder.ts";
import type { OutgoingMessage } from "./message.ts";

/** The size of a block, in bytes. A message above a quarter of it gets a block of its own. */
const BLOCK = 16 * 1024;

/** The frame of a message in a block that any number of connections write from. */
export interface SharedFrame {
  /** The bytes, which are never written again. */
  readonly block: Uint8Array<ArrayBuffer>;
  /** The index of the first byte. */
  readonly start: number;
  /** The index behind the last byte. */
  readonly end: number;
}

/**
 * Encodes messages for many connections of a server, whose frames are not masked (RFC 6455 §5.1). The
 * frames of successive messages lie one behind the other, so that one write takes them all.
 */
export class SharedFrameEncoder {
  readonly #encoder = new FrameEncoder({ role: "server" });
  #block: Uint8Array<ArrayBuffer> = EMPTY;
  #length = 0;

  /**
   * Encodes a message, or its only frame.
   *
   * @throws {TypeError} If it is neither, or the frame violates a rule of RFC 6455 §5.
   */
  encode(message: OutgoingMessage | FrameInit): SharedFrame {
    this.#encoder.write(message);
    const bytes = this.#encoder.take();
    const { length } = bytes;
    if (length > BLOCK / 4) {
      const block = bytes.slice();
      FrameEncoder.recycle(bytes);
      return { block, start: 0, end: length };
    }
    if (this.#length + length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK);
      this.#length = 0;
    }
    const start = this.#length;
    this.#block.set(bytes, start);
    this.#length += length;
    FrameEncoder.recycle(bytes);
    return { block: this.#block, start, end: this.#length };
  }
}
