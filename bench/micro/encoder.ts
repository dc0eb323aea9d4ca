/** Encoding messages, as a server and as a client, which masks. */

import { bench, do_not_optimize, group } from "mitata";
import { FrameEncoder } from "@sluice/websocket/protocol";
import { payloads, SHAPES } from "./inputs.ts";

const textDecoder = new TextDecoder();

/** Declares the benchmarks of the encoder. */
export function encoder(): void {
  for (const role of ["server", "client"] as const) {
    for (const [count, size] of SHAPES) {
      group(`encoder: ${role}, ${count} messages of ${size} B to one write`, () => {
        const binary = payloads("binary", count, size);
        const ascii = payloads("ascii", count, size).map((each) => textDecoder.decode(each));
        const utf8 = payloads("utf8", count, size).map((each) => textDecoder.decode(each));
        for (const [name, messages] of Object.entries({ binary, ascii, utf8 })) {
          const encoder = new FrameEncoder({ role });
          bench(`encoder ${role}, ${count} x ${size} B ${name}`, () => {
            for (const message of messages) encoder.write(message);
            const bytes = encoder.take();
            do_not_optimize(bytes);
            FrameEncoder.recycle(bytes);
          });
        }
      });
    }
  }
}
