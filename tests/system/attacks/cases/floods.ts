/** Floods: more data than is read, and more work than can be done. */

import type { Attack, Context, Form } from "../attack.ts";
import { pause, runtime } from "../attack.ts";
import type { Attacker } from "../attacker.ts";
import { frame } from "../../../support/frames.ts";
import { repeat, text } from "../wire.ts";

/**
 * The most sent data that may be on the way, in bytes: four buffers of the kernel at their largest, and
 * the limits of the victim. A flood that is not held back is many times as much.
 */
const UNDER_WAY = 32 * 1024 * 1024;

/** Sends without end, and reads nothing until the end. */
async function unread(
  context: Context,
  peer: Attacker,
  bytes: Uint8Array,
  ms = context.size(5000, 600),
): Promise<string> {
  peer.socket.pause();
  await peer.flood(bytes, ms, Infinity, context.size(2000, 300));
  if (peer.answer !== "open") return peer.answer;
  return peer.sent < UNDER_WAY ? "held back" : "let through";
}

/** Does the same on many connections at once. */
function unreadByMany(form: Form, name: string, count: number, bytes: () => Uint8Array): Attack {
  return {
    name,
    known: ["RUSTSEC-2020-0043"],
    expected: ["held back"],
    // At most one read, of up to 260 KiB on Deno and 512 on Bun, and its echoes, which the kernel has not
    // taken; with many connections, also the 64 MiB of garbage that V8 keeps. A read of tiny messages is
    // some 70,000 of them: a pipe makes several objects for each, and Bun grows by 23 to 30 MiB.
    maxGrowth: count * 1.6 + (count === 1 ? 32 : 64),
    // After a garbage collection: a read is up to 260 KiB on Deno, 512 on Bun, and waits to be sent.
    maxHeld: 12 + count * (runtime === "bun" ? 0.6 : 0.3),
    isSlow: form === "slow",
    async run(context) {
      const all = repeat(bytes());
      const peers = await context.many(context.size(count, 2), () => context.open(form));
      const answers = await Promise.all(peers.map((peer) => unread(context, peer, all)));
      await context.hold(answers.length);
      return answers;
    },
  };
}

const kilobyte = (): Uint8Array => frame({ opcode: 2, payload: new Uint8Array(1024) });
const small = (): Uint8Array => frame({ opcode: 1, payload: "x" });

/** The attacks. */
export const floods: readonly Attack[] = [
  unreadByMany("callbacks", "messages without end, no echo read: callbacks", 1, kilobyte),
  unreadByMany("await", "messages without end, no echo read: for await", 1, kilobyte),
  unreadByMany("pipe", "messages without end, no echo read: pipeTo", 1, kilobyte),
  unreadByMany("callbacks", "messages without end, no echo read: 50 connections", 50, kilobyte),
  unreadByMany("callbacks", "tiny messages without end, no echo read: callbacks", 1, small),
  unreadByMany("await", "tiny messages without end, no echo read: for await", 1, small),
  unreadByMany("pipe", "tiny messages without end, no echo read: pipeTo", 1, small),
  unreadByMany("slow", "tiny messages without end, for a slow handler", 1, small),
  unreadByMany("slow", "tiny messages without end, for a slow handler: 50 connections", 50, small),
  {
    name: "messages of 1 MiB without end, for a slow handler",
    expected: ["held back"],
    maxGrowth: 48,
    isSlow: true,
    async run(context) {
      const peer = await context.open("slow");
      const payload = new Uint8Array(context.target.limits.maxMessageSize);
      const answer = await unread(context, peer, frame({ opcode: 2, payload }));
      await context.hold(1);
      return [answer];
    },
  },
  {
    name: "messages without end, of which one echo is read now and then",
    known: ["RUSTSEC-2020-0043"],
    expected: ["held back"],
    // Up to 64 MiB of garbage of V8, of which each echoed read of 260 KiB is a part, beside what is held, and
    // pages of the SIMD kernel.
    maxGrowth: 80,
    maxHeld: 12,
    async run(context) {
      const peer = await context.open();
      const reading = new AbortController();
      const read = (async () => {
        while (!reading.signal.aborted) {
          peer.socket.pause();
          await pause(100);
          peer.socket.resume();
          await pause(0);
        }
      })();
      await peer.flood(repeat(kilobyte()), context.size(5000, 600));
      reading.abort();
      await read;
      if (peer.answer !== "open") return [peer.answer];
      // Data that the attacker's own process has not written is not counted.
      const underWay = peer.sent - peer.socket.writableLength - peer.socket.bytesRead;
      return [underWay < UNDER_WAY ? "held back" : "let through"];
    },
  },
  {
    name: "empty messages without end, each echo read",
    expected: ["served"],
    maxGrowth: 48,
    async run(context) {
      const peer = await context.open();
      await peer.flood(repeat(frame({ opcode: 2 })), context.size(5000, 500));
      await peer.until(() => peer.socket.writableLength === 0 || peer.isGone, 10_000);
      return [await context.echoes(peer, text) ? "served" : peer.answer];
    },
  },
];
