import { deflateRawSync } from "node:zlib";
import type { Deflater, DeflaterOptions } from "./deflate_codec.ts";
import { withoutTail } from "./deflate_format.ts";
import { Z_SYNC_FLUSH } from "./zlib_stream.ts";

/**
 * Compresses each piece by itself: less well, but by public functions alone. A receiver doesn't
 * notice, since a sender may leave the window as it is whether it takes it over or not.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1 RFC 7692 §7.2.1}
 */
export class OneShotDeflater implements Deflater {
  readonly #options: DeflaterOptions;

  constructor(options: DeflaterOptions) {
    this.#options = options;
  }

  get heldBytes(): number {
    return 0;
  }

  deflate(input: Uint8Array, endsMessage: boolean): Uint8Array {
    const { windowBits, level, memLevel } = this.#options;
    const flushed = deflateRawSync(input, {
      windowBits,
      level,
      memLevel,
      finishFlush: Z_SYNC_FLUSH,
    });
    return endsMessage ? withoutTail(flushed) : flushed;
  }

  close(): void {}
}
