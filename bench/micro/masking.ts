/** Masking in place, at an offset that is a multiple of 4 and at one that is not. */

import { bench, group } from "mitata";
import { mask } from "@sluice/websocket/protocol";
import { maskByWords } from "../../src/protocol/mask.ts";
import "../../src/protocol/provide_fast_paths.ts";
import { simdKernel } from "../../src/protocol/fast_paths.ts";

const KEY = 0x3d21fa37;

/** Declares the benchmarks of masking. */
export function masking(): void {
  for (const size of [16, 63, 64, 125, 1024, 65536]) {
    group(`masking: ${size} B`, () => {
      const bytes = new Uint8Array(size + 8);
      for (const start of [8, 6]) {
        bench(`mask ${size} B from ${start}`, () => mask(bytes, start, start + size, KEY));
      }
    });
  }
  // Where SIMD begins to pay: the threshold in mask.ts.
  for (const size of [1024, 2048, 4096, 8192, 65536, 1048576]) {
    group(`masking with and without SIMD: ${size} B`, () => {
      const bytes = new Uint8Array(size + 8);
      const kernel = simdKernel()!;
      bench(`words ${size} B`, () => maskByWords(bytes, 6, 6 + size, KEY));
      bench(`SIMD ${size} B`, () => kernel.mask(bytes, 6, 6 + size, KEY, bytes, 6));
    });
  }
}
