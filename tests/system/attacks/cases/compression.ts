/** Attacks on permessage-deflate: little data on the wire, much in memory. */

import { constants, createDeflateRaw, deflateRawSync } from "node:zlib";
import type { Attack, Context } from "../attack.ts";
import { pause } from "../attack.ts";
import type { Attacker } from "../attacker.ts";
import { frame } from "../../../support/frames.ts";

const MIB = 1024 * 1024;
const { Z_SYNC_FLUSH } = constants;

/** A payload compressed by RFC 7692: deflated, without the last four bytes. */
function deflate(payload: Uint8Array): Uint8Array {
  const bytes = deflateRawSync(payload, { level: 9, finishFlush: Z_SYNC_FLUSH });
  return bytes.subarray(0, -4);
}

/** Compressed zeros of a size in MiB, a thousandth of it on the wire, made without holding them. */
async function bomb(mebibytes: number): Promise<Uint8Array> {
  const stream = createDeflateRaw({ level: 9 });
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const flushed = Promise.withResolvers<void>();
  const zeros = new Uint8Array(MIB);
  for (let i = 0; i < mebibytes; i++) {
    await new Promise<void>((resolve) => stream.write(zeros, () => resolve()));
  }
  stream.flush(Z_SYNC_FLUSH, () => flushed.resolve());
  await flushed.promise;
  stream.close();
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  chunks.reduce((at, chunk) => (all.set(chunk, at), at + chunk.length), 0);
  return all.subarray(0, -4);
}

const KNOWN = [
  "CVE-2018-1000518",
  "CVE-2016-10544",
  "CVE-2021-21419",
  "CVE-2026-1526",
  "CVE-2026-54464",
  "CVE-2026-54490",
];

/** Sends one bomb on each of many connections. */
async function drop(
  context: Context,
  count: number,
  send: (peer: Attacker, bytes: Uint8Array) => void | Promise<void>,
): Promise<string[]> {
  const bytes = await bomb(context.size(1024, 16));
  const peers = await context.many(count, () => context.openCompressed());
  return await Promise.all(peers.map(async (peer) => {
    await send(peer, bytes);
    return await peer.answered(20_000);
  }));
}

/** The attacks. */
export const compression: readonly Attack[] = [
  {
    name: "deflate bomb of 1 GiB, whole",
    known: KNOWN,
    expected: ["1009"],
    maxGrowth: 32,
    run: (context) =>
      drop(context, 1, (peer, payload) => {
        peer.write(frame({ opcode: 2, rsv: 4, payload }));
      }),
  },
  {
    name: "deflate bomb of 1 GiB, in fragments",
    known: KNOWN,
    expected: ["1009"],
    maxGrowth: 32,
    run: (context) =>
      drop(context, 1, async (peer, payload) => {
        for (let at = 0; at < payload.length && peer.answer === "open"; at += 100) {
          const part = payload.subarray(at, at + 100);
          const isFirst = at === 0;
          peer.write(
            frame({ opcode: isFirst ? 2 : 0, rsv: isFirst ? 4 : 0, fin: false, payload: part }),
          );
          if (at % 1000 === 0) await pause(0);
        }
      }),
  },
  {
    name: "deflate bombs on 50 connections at once",
    known: KNOWN,
    expected: ["1009"],
    // If all are inflated at once, each has at most the limit of a message.
    maxGrowth: 128,
    run: (context) =>
      drop(context, context.size(50, 3), (peer, payload) => {
        peer.write(frame({ opcode: 1, rsv: 4, payload }));
      }),
  },
  {
    name: "messages that inflate to just the limit, without end, no echo read",
    known: KNOWN,
    expected: ["held back"],
    // A read of 64 KiB has 64 messages, which become garbage when their echoes are compressed. V8 keeps up
    // to 64 MiB of garbage.
    maxGrowth: 120,
    maxHeld: 24,
    maxHeldEach: 24 * 1024,
    async run(context) {
      const peer = await context.openCompressed();
      peer.socket.pause();
      const payload = deflate(new Uint8Array(context.target.limits.maxMessageSize));
      const bytes = frame({ opcode: 2, rsv: 4, payload });
      await peer.flood(bytes, context.size(10_000, 1000), Infinity, context.size(2000, 300));
      await context.hold(1);
      if (peer.answer !== "open") return [peer.answer];
      // A thousand times as much has to be inflated: it is read only as fast as that.
      return [peer.sent < 32 * MIB ? "held back" : "let through"];
    },
  },
  {
    name: "what is no DEFLATE",
    expected: ["1007"],
    maxGrowth: 32,
    async run(context) {
      return await context.many(context.size(200, 5), async () => {
        const peer = await context.openCompressed();
        peer.write(frame({ opcode: 2, rsv: 4, payload: new Uint8Array(64).fill(0xff) }));
        return await peer.answered(5000);
      }, 20);
    },
  },
  {
    name: "a window for each of 1,000 connections, idle after",
    expected: ["served"],
    maxGrowth: 96,
    async run(context) {
      const payload = deflate(new TextEncoder().encode("x".repeat(2000)));
      const peers = await context.many(context.size(1000, 10), async () => {
        const peer = await context.openCompressed();
        peer.write(frame({ opcode: 1, rsv: 4, payload }));
        await peer.until(() => peer.reader.messages === 1 || peer.isGone, 10_000);
        return peer;
      }, 50);
      await context.hold(peers.length);
      return peers.map((peer) => peer.reader.messages === 1 ? "served" : peer.answer);
    },
  },
];
