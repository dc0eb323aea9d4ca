/** Assembling decoded text frames into strings. */

import { bench, do_not_optimize, group } from "mitata";
import { MessageAssembler, Opcode } from "@sluice/websocket/protocol";
import type { Frame, Message } from "@sluice/websocket/protocol";
import { payloads, SHAPES } from "./inputs.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const sink = {
  enqueue(message: Message): void {
    do_not_optimize(message);
  },
};

function textFrame(payload: Uint8Array): Frame {
  return {
    fin: true,
    rsv1: false,
    rsv2: false,
    rsv3: false,
    opcode: Opcode.Text,
    payload,
    payloadLength: payload.length,
    payloadOffset: 0,
  };
}

/** Declares the benchmarks of text. */
export function text(): void {
  for (const kind of ["ascii", "utf8"] as const) {
    for (const [count, size] of SHAPES) {
      group(`text: ${count} messages of ${size} B, ${kind}`, () => {
        const all = payloads(kind, count, size);
        const frames = all.map(textFrame);
        const assembler = new MessageAssembler();
        bench(`assembler ${count} x ${size} B ${kind}`, () => {
          for (const frame of frames) assembler.transform(frame, sink);
        });
        bench(`TextDecoder ${count} x ${size} B ${kind}`, () => {
          for (const payload of all) do_not_optimize(textDecoder.decode(payload));
        });
      });
    }
  }
}
