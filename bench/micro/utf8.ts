/** Validating UTF-8, with the incremental validator and with the platform's decoder. */

import { bench, do_not_optimize, group } from "mitata";
import { isValidUtf8, Utf8Validator } from "@sluice/websocket/protocol";
import { makePayload } from "../load/frames.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Declares the benchmarks of UTF-8 validation. */
export function utf8(): void {
  for (const kind of ["ascii", "utf8"] as const) {
    for (const size of [16, 125, 1024, 65536]) {
      group(`UTF-8 validation: ${size} B, ${kind}`, () => {
        const bytes = makePayload(kind, size, 0);
        bench(`validator ${size} B ${kind}`, () => do_not_optimize(isValidUtf8(bytes)));
        bench(`TextDecoder ${size} B ${kind}`, () => do_not_optimize(textDecoder.decode(bytes)));
      });
    }
  }
  group("UTF-8 validation: 1 KiB, utf8, byte by byte", () => {
    const bytes = makePayload("utf8", 1024, 0);
    const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    bench("validator 1024 B utf8, byte by byte", () => {
      const validator = new Utf8Validator();
      for (const byte of single) validator.push(byte);
      do_not_optimize(validator.isComplete);
    });
  });
}
