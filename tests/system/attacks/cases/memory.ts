/** Attacks on the account of memory: data that is held, and counted nowhere or for less. */

import type { Attack, Context } from "../attack.ts";
import { pause, runtime } from "../attack.ts";
import { latin1 } from "../../../support/bytes.ts";
import { switching } from "../../../support/http.ts";
import { frame } from "../../../support/frames.ts";
import { attackClient } from "../hostile_server.ts";
import { repeat, request } from "../wire.ts";

const MIB = 1024 * 1024;

/** The growth of the heap for each connection that is not counted in `heldBytes`: its objects, in bytes. */
const OBJECTS = 12 * 1024;

/** Resolves to whether the growth of the victim's heap is in the account of its servers. */
async function isCounted(context: Context, connections: number): Promise<string> {
  const { heldBytes } = await context.target.counts();
  const grown = await context.hold(connections);
  if (grown === undefined) return "counted"; // In a test, which does not measure the memory.
  const most = 1.5 * heldBytes + connections * OBJECTS + 2 * MIB;
  return grown <= most ? "counted" : `${Math.round(grown / 1024)} KiB held, ${heldBytes} B counted`;
}

/** Sends a request to the victim whose calls do not end, and leaves at once. */
async function leavePending(context: Context, text: string): Promise<string> {
  const peer = await context.connect("pending");
  peer.write(text);
  await peer.answered(30);
  const { answer } = peer;
  peer.reset();
  return answer === "503" ? "refused" : "let in";
}

/** Attacks with calls that are pending when their clients have left. */
function pendingCalls(name: string, text: () => string): Attack {
  return {
    name,
    expected: ["10 at most"],
    maxGrowth: 24,
    maxHeld: 6,
    isSlow: true,
    async run(context) {
      await context.many(context.size(500, 30), () => leavePending(context, text()), 20);
      await pause(200);
      const { pendingCalls } = await context.target.counts();
      return [pendingCalls <= 10 ? "10 at most" : `${pendingCalls} calls`];
    },
  };
}

/** The attacks of this file. */
export const memory: readonly Attack[] = [
  {
    name: "two messages of 1 MiB and a reset, for handlers that go on: 300 connections",
    expected: ["let in", "refused"],
    // At most 10 handlers have taken a message of 1 MiB, and no other is kept. Bun counts some buffers twice.
    maxGrowth: 100,
    maxHeld: runtime === "deno" ? 14 : 40,
    isSlow: true,
    async run(context) {
      const messages = repeat(frame({ opcode: 2, payload: new Uint8Array(MIB) }), 2 * MIB + 1024);
      const answers = await context.many(context.size(300, 20), async () => {
        const peer = await context.connect("sleeping");
        peer.write(request());
        await peer.until(() => peer.reader.status !== 0 || peer.isGone, 2000);
        const isLetIn = peer.reader.status === 101;
        if (isLetIn) {
          peer.write(messages);
          await pause(30);
        }
        peer.reset();
        return isLetIn ? "let in" : "refused";
      }, 5);
      await pause(200);
      await context.hold(10);
      return answers;
    },
  },
  pendingCalls("upgrades that are pending when their clients have left", () => request()),
  pendingCalls(
    "requests that are pending when their clients have left",
    () => "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  ),
  {
    name: "messages of 64 bytes in full chunks, for a slow handler: 500 connections",
    expected: ["counted"],
    maxGrowth: 200,
    isSlow: true,
    async run(context) {
      const count = context.size(500, 10);
      // One message in each chunk, in front of as large a part of another one.
      const small = frame({ opcode: 2, payload: new Uint8Array(64) });
      const all = repeat(small);
      const peers = await context.many(count, () => context.open("slow"), 50);
      for (let i = 0; i < 3; i++) {
        for (const peer of peers) peer.write(all);
        await pause(100);
      }
      await pause(context.size(2000, 100));
      return [await isCounted(context, count)];
    },
  },
  {
    name: "messages of 65 bytes in front of a large one, for a slow handler: 200 connections",
    expected: ["counted"],
    maxGrowth: 300,
    isSlow: true,
    async run(context) {
      const count = context.size(200, 10);
      const small = frame({ opcode: 2, payload: new Uint8Array(65) });
      const large = frame({ opcode: 2, payload: new Uint8Array(500_000) });
      const all = Uint8Array.from([...small, ...large.subarray(0, -1)]);
      const peers = await context.many(count, () => context.open("slow"), 50);
      // The first message is the handler's. The second waits in the queue.
      for (const peer of peers) peer.write(small);
      await pause(100);
      for (const peer of peers) peer.write(all);
      await pause(context.size(400, 100));
      return [await isCounted(context, count)];
    },
  },
  {
    name: "heads of 15 KiB on connections that stay: 2,000 connections",
    expected: ["counted"],
    maxGrowth: 120,
    async run(context) {
      const count = context.size(2000, 20);
      const fields = { "X-Long": "x".repeat(15_000) };
      await context.many(count, () => context.open("await", { fields }), 50);
      return [await isCounted(context, count)];
    },
  },
  {
    name: "early data behind upgrades that are pending",
    expected: ["counted"],
    maxGrowth: 24,
    isSlow: true,
    async run(context) {
      const fields = { "X-Long": "x".repeat(15_000) };
      const early = repeat(frame({ opcode: 2, payload: new Uint8Array(1000) }), 4 * MIB);
      await context.many(9, async () => {
        const peer = await context.connect("pending");
        peer.write(request({ fields }));
        peer.write(early);
      });
      await pause(context.size(1000, 100));
      return [await isCounted(context, 9)];
    },
  },
  {
    name: "client: answers of 1xx without end",
    expected: ["refused"],
    maxGrowth: 32,
    maxHeld: 6,
    async run(context) {
      const hint = repeat(latin1("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
      let sent = 0;
      const { told } = await attackClient(context, async (peer, head) => {
        peer.readsFrames = false;
        const before = peer.sent;
        await peer.flood(hint, context.size(8000, 2000), 64 * MIB, 1000);
        sent = peer.sent - before;
        peer.write(switching(head));
      });
      return [sent > 32 * MIB ? `${told} after ${sent} B` : told];
    },
  },
  {
    name: "paths that a proxy and a URL parser read differently",
    expected: ["400"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (
        const target of [
          "/pub/..\\admin/x",
          "/pub/.%2E\\admin/x",
          "/pub/../admin/x",
          "/pub/%2e%2e/admin/x",
          "/pub/.%2e/admin/x",
          "/./admin",
        ]
      ) {
        const upgraded = await context.ask(request({ target }));
        const plain = await context.ask(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
        answers.push(upgraded.answer, plain.answer);
      }
      return answers;
    },
  },
];
