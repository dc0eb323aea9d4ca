/** Floods by one connection that must not keep the other clients and the timers waiting. */

import { constants, deflateRawSync } from "node:zlib";
import type { Attack, Form } from "../attack.ts";
import { frame } from "../../../support/frames.ts";
import { repeat } from "../wire.ts";

/** A flood that the victim reads, and does not answer. */
function flood(form: Form, name: string, bytes: () => Uint8Array): Attack {
  return {
    name,
    expected: ["served"],
    // As much garbage as V8 keeps, and a chunk that waits for the next turn.
    maxGrowth: 120,
    maxHeld: 12,
    isFair: true,
    // What the kernel has received is still processed when the attacker has left.
    isSlow: true,
    async run(context) {
      const fields = { "Sec-WebSocket-Extensions": "permessage-deflate" };
      const peer = await context.open(form, { fields });
      await peer.flood(bytes(), context.size(6000, 500));
      return [peer.answer === "open" ? "served" : peer.answer];
    },
  };
}

const tiny = (): Uint8Array => repeat(frame({ opcode: 1, payload: "x" }), 256 * 1024);

/** Messages of 1 MiB that take 1,040 bytes each. */
const bombs = (): Uint8Array => {
  const zeros = new Uint8Array(1024 * 1024);
  const finishFlush = constants.Z_SYNC_FLUSH;
  const payload = deflateRawSync(zeros, { level: 9, finishFlush }).subarray(0, -4);
  return repeat(frame({ opcode: 2, rsv: 4, payload }));
};

/** The attacks of this file. */
export const fairness: readonly Attack[] = [
  flood("sink", "tiny messages without end, beside others: callbacks", tiny),
  flood("loop", "tiny messages without end, beside others: for await", tiny),
  flood("streams", "tiny messages without end, beside others: messageStreams", tiny),
  flood("busy", "tiny messages without end, beside others: a handler of 50 µs", tiny),
  flood("sink", "deflate bombs without end, beside others: callbacks", bombs),
  flood("loop", "deflate bombs without end, beside others: for await", bombs),
  flood("streams", "deflate bombs without end, beside others: messageStreams", bombs),
];
