/** Decoding frames, as a server. */

import { bench, do_not_optimize, group } from "mitata";
import { FrameDecoder } from "@sluice/websocket/protocol";
import type { Frame, FrameDecoderOptions } from "@sluice/websocket/protocol";
import { maskedFrames, SHAPES } from "./inputs.ts";

const sink = {
  enqueue(frame: Frame): void {
    do_not_optimize(frame.payload);
  },
};

/** Declares the benchmarks of the decoder. */
export function decoder(): void {
  for (const [count, size] of SHAPES) {
    group(`decoder: ${count} masked binary frames of ${size} B in one chunk`, () => {
      const bytes = maskedFrames("binary", count, size);
      // Ownership of the chunk decides if it is copied. Unmasking in place masks it again in the next
      // iteration, which makes no difference to the decoder.
      for (const chunks of ["given", "lent", "kept"] as const) {
        bench(`decoder ${count} x ${size} B, chunk ${chunks}`, () => decode([bytes], { chunks }));
      }
    });
  }
  group("decoder: cut", () => {
    const bytes = maskedFrames("binary", 1, 1024);
    const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    bench("decoder 1 x 1024 B, byte by byte", () => decode(single, { chunks: "given" }));
    const many = maskedFrames("binary", 64, 16);
    const pieces = Array.from({ length: 100 }, (_, i) => many.subarray(i * 15, i * 15 + 15));
    bench("decoder 64 x 16 B, 15 B a chunk", () => decode(pieces, { chunks: "given" }));
  });
}

function decode(
  chunks: readonly Uint8Array[],
  options: Pick<FrameDecoderOptions, "chunks">,
): void {
  const decoder = new FrameDecoder({ role: "server", ...options });
  for (const chunk of chunks) decoder.transform(chunk, sink);
}
