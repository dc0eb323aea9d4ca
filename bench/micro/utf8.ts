/** Validating UTF-8, with the incremental validator and with the platform's decoder. */

import { bench, do_not_optimize, group } from "mitata";
import { isValidUtf8, Utf8Validator } from "@sluice/websocket/protocol";
import "../../src/protocol/provide_fast_paths.ts";
import { simdKernel } from "../../src/protocol/fast_paths.ts";
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
  // Where SIMD begins to pay: the threshold in utf8.ts. A text in pieces of 48 bytes does not use it.
  for (const size of [64, 128, 1024]) {
    group(`UTF-8 validation with and without SIMD: ${size} B, utf8`, () => {
      const bytes = makePayload("utf8", size, 0);
      const kernel = simdKernel()!;
      const parts = Array.from(
        { length: Math.ceil(size / 48) },
        (_, i) => bytes.subarray(i * 48, i * 48 + 48),
      );
      bench(`TypeScript ${size} B`, () => {
        const validator = new Utf8Validator();
        for (const part of parts) do_not_optimize(validator.push(part));
      });
      bench(`SIMD ${size} B`, () => do_not_optimize(kernel.validate(bytes, 0, 16)));
    });
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
