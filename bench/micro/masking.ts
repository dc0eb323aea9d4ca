/** Masking in place, at an offset that is a multiple of 4 and at one that is not. */

import { bench, group } from "mitata";
import { mask } from "@sluice/websocket/protocol";

/** Declares the benchmarks of masking. */
export function masking(): void {
  for (const size of [16, 63, 64, 125, 1024, 65536]) {
    group(`masking: ${size} B`, () => {
      const bytes = new Uint8Array(size + 8);
      for (const start of [8, 6]) {
        bench(`mask ${size} B from ${start}`, () => mask(bytes, start, start + size, 0x3d21fa37));
      }
    });
  }
}
