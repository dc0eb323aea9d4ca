/** Floods of control frames, and silent peers. */

import type { Attack, Context } from "../attack.ts";
import { pause } from "../attack.ts";
import { switching } from "../../../support/http.ts";
import { attackClient } from "../hostile_server.ts";
import { frame } from "../../../support/frames.ts";
import { repeat } from "../wire.ts";

/** Sends control frames without end; the answers are read meanwhile, or only after that. */
async function flood(context: Context, bytes: Uint8Array, reads: boolean): Promise<string[]> {
  const peer = await context.open();
  if (!reads) peer.socket.pause();
  // A peer that does not read for closeTimeout is dropped, and does not receive the Close.
  await peer.flood(repeat(bytes), reads ? context.size(5000, 500) : context.size(2000, 100));
  peer.socket.resume();
  return [await peer.answered(5000)];
}

/**
 * The largest growth, in MiB, if a peer floods and reads nothing. On Bun, the chunks that are discarded and the
 * compiled code are 14 to 18 MiB, after 100 MiB as after 280 MiB.
 */
const MAX_UNREAD_GROWTH = 20;

/** The attacks. */
export const controlFloods: readonly Attack[] = [
  {
    name: "ping flood, no Pong read",
    known: ["CVE-2026-11586"],
    expected: ["1008"],
    maxGrowth: MAX_UNREAD_GROWTH,
    run: (context) => flood(context, frame({ opcode: 9, payload: "x".repeat(125) }), false),
  },
  {
    name: "ping flood, each Pong read",
    known: ["CVE-2026-11586"],
    expected: ["1008"],
    maxGrowth: 16,
    run: (context) => flood(context, frame({ opcode: 9 }), true),
  },
  {
    name: "pong flood",
    expected: ["1008"],
    maxGrowth: 16,
    run: (context) => flood(context, frame({ opcode: 10, payload: "x" }), true),
  },
  {
    name: "pings between the fragments of a message",
    expected: ["1008"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open();
      peer.write(frame({ opcode: 2, fin: false, payload: "x" }));
      await peer.flood(repeat(frame({ opcode: 9, payload: "x" })), context.size(5000, 500));
      return [await peer.answered(5000)];
    },
  },
  {
    name: "open WebSockets that say nothing, and answer no Ping",
    expected: ["dropped"],
    // 20 KiB each on Deno, of which more than half is Deno's; dropped data must not be held.
    maxGrowth: 120,
    maxHeld: 12,
    maxHeldEach: 12,
    async run(context) {
      const { pingInterval, pongTimeout } = context.target.limits;
      const peers = await context.many(context.size(5000, 50), () => context.open());
      await pause(200);
      await context.hold(peers.length);
      const until = performance.now() + pingInterval + pongTimeout + 10_000;
      while (performance.now() < until && peers.some(({ isGone }) => !isGone)) await pause(50);
      return peers.map(({ answer }) => answer);
    },
  },
  {
    name: "client: ping flood, no Pong read",
    known: ["CVE-2026-11586"],
    expected: ["1008"],
    maxGrowth: MAX_UNREAD_GROWTH,
    async run(context) {
      const { answer } = await attackClient(context, async (peer, head) => {
        peer.write(switching(head));
        peer.socket.pause();
        const ping = frame({ opcode: 9, payload: "x".repeat(125), mask: null });
        await peer.flood(repeat(ping), context.size(2000, 100), 100 * 1024 * 1024);
        peer.socket.resume();
        await peer.answered(2000);
        peer.destroy();
      });
      return [answer];
    },
  },
];
