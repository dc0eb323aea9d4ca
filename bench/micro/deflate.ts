/** permessage-deflate of successive JSON messages in both directions, with and without context. */

import { bench, do_not_optimize, group } from "mitata";
import { acceptOffers, PerMessageDeflate, useExtensions } from "@sluice/websocket/extensions";
import type { ExtensionInUse, Frame, FrameInit } from "@sluice/websocket/extensions";
import { payloads } from "./inputs.ts";

/** The number of successive messages. */
const COUNT = 64;

/** Declares the benchmarks of permessage-deflate. */
export function deflate(): void {
  for (const size of [190, 1024, 65536]) {
    const messages = payloads("json", COUNT, size);
    for (const [context, params] of Object.entries(CONTEXTS)) {
      group(`deflate: ${COUNT} messages of ${size} B of JSON, ${context}`, () => {
        const sender = make(params);
        bench(`compress ${COUNT} x ${size} B, ${context}`, () => compress(sender, messages));
        // The context depends on the earlier messages, so each run starts with the first one.
        const frames = compress(make(params), messages);
        bench(`decompress ${COUNT} x ${size} B, ${context}`, () => {
          const receiver = make(params);
          for (const frame of frames) receiver.receive(frame, sink);
          receiver.close();
        });
      });
    }
  }
}

const CONTEXTS = {
  "context kept": [],
  "no context": [["server_no_context_takeover", true], ["client_no_context_takeover", true]],
} as const;

const sink = {
  copies: true,
  enqueue(frame: Frame): void {
    do_not_optimize(frame.payload);
  },
};

function make(params: readonly (readonly [string, true])[]): ExtensionInUse {
  const offers = [{ name: "permessage-deflate", params }];
  const agreements = acceptOffers([new PerMessageDeflate({ threshold: 0 })], offers);
  return useExtensions(agreements, { maxMessageSize: Infinity })!;
}

/** Compresses the messages. Copies the payloads, because the sender reuses its buffer. */
function compress(sender: ExtensionInUse, messages: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  const flags = { fin: true, rsv1: true, rsv2: false, rsv3: false, opcode: 1, payloadOffset: 0 };
  const toFrame = {
    enqueue(frame: FrameInit): void {
      const payload = frame.payload!.slice();
      frames.push({ ...flags, payload, payloadLength: payload.length } as Frame);
    },
  };
  for (const payload of messages) sender.send({ opcode: 1, payload }, toFrame);
  return frames;
}
