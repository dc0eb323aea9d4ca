/** Attacks by connections: many, silent, half-closed, reset. */

import type { Attack, Context } from "../attack.ts";
import { pause, runtime } from "../attack.ts";
import { closeFrame, frame } from "../../../support/frames.ts";
import { latin1 } from "../../../support/bytes.ts";
import { request, text } from "../wire.ts";

/** Returns whether the victim has closed all connections within so many milliseconds. */
async function areLetGo(context: Context, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    if (await context.target.connections() <= context.before) return true;
    await pause(20);
  }
  return false;
}

/** Returns the answer, and whether the victim still holds the connection. */
async function outcome(context: Context, answer: string, ms: number): Promise<string> {
  return await areLetGo(context, ms) ? `${answer}, let go` : `${answer}, still held`;
}

/** The attacks. */
export const connections: readonly Attack[] = [
  {
    name: "connects and resets, before, within and after the handshake",
    expected: ["let go"],
    // V8's young generation grows to its size once, by 73 MiB; a second run adds almost nothing.
    maxGrowth: 88,
    maxHeld: 8,
    async run(context) {
      const count = context.size(10_000, 200);
      await context.many(count, async (index) => {
        const peer = await context.connect();
        if (index % 4 === 1) peer.write(request().slice(0, 80));
        if (index % 4 >= 2) peer.write(request());
        if (index % 4 === 3) {
          await peer.until(() => peer.reader.status !== 0, 1000);
          peer.write(text("Hello"));
        }
        peer.reset();
      }, 50);
      return [await areLetGo(context, 10_000) ? "let go" : "still held"];
    },
  },
  {
    name: "TCP connections that say nothing",
    expected: ["408"],
    maxGrowth: 96,
    async run(context) {
      const { handshakeTimeout } = context.target.limits;
      const peers = await context.many(context.size(5000, 50), () => context.connect());
      await context.hold(peers.length);
      await pause(handshakeTimeout);
      return await Promise.all(peers.map((peer) => peer.answered(15_000)));
    },
  },
  {
    name: "Close, and then no end of TCP",
    expected: ["1000, let go"],
    maxGrowth: 16,
    async run(context) {
      const peers = await context.many(context.size(100, 5), async () => {
        const peer = await context.open();
        peer.write(closeFrame(1000));
        await peer.answered(5000);
        return peer;
      });
      const [answer] = new Set(peers.map((peer) => peer.answer));
      return [await outcome(context, answer!, context.target.limits.closeTimeout + 3000)];
    },
  },
  {
    name: "end of TCP without a Close",
    expected: ["dropped, let go"],
    maxGrowth: 16,
    async run(context) {
      const peers = await context.many(context.size(100, 5), async () => {
        const peer = await context.open();
        peer.socket.end();
        await peer.gone(5000);
        return peer;
      });
      const [answer] = new Set(peers.map((peer) => peer.answer));
      // At once: nothing delays it.
      return [await outcome(context, answer!, Math.min(2000, context.target.limits.closeTimeout))];
    },
  },
  {
    name: "no answer to the server's Close",
    expected: ["1000, let go"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open("callbacks", { target: "/?reason=bye" });
      const answer = await peer.answered(5000);
      return [await outcome(context, answer, 2 * context.target.limits.closeTimeout + 3000)];
    },
  },
  {
    name: "no answer to the server's Close, but messages without end",
    expected: ["1000, let go"],
    // V8 collects the buffers of dropped messages when they are 64 MiB.
    maxGrowth: 80,
    maxHeld: 6,
    maxHeldEach: 24 * 1024,
    async run(context) {
      const peer = await context.open("callbacks", { target: "/?reason=bye" });
      await peer.answered(5000);
      const payload = new Uint8Array(64 * 1024);
      const { closeTimeout } = context.target.limits;
      const startedAt = performance.now();
      const until = startedAt + closeTimeout + 3000;
      let isMeasured = false;
      while (performance.now() < until && !peer.socket.destroyed) {
        if (!isMeasured && performance.now() - startedAt > closeTimeout / 2) {
          isMeasured = true;
          await context.hold(1);
        }
        peer.write(frame({ opcode: 2, payload }));
        await pause(peer.socket.writableLength > payload.length ? 20 : 1);
      }
      return [await outcome(context, peer.answer, 1000)];
    },
  },
  {
    name: "refused request whose sender reads nothing and stays",
    expected: ["let go"],
    maxGrowth: 16,
    async run(context) {
      const peers = await context.many(context.size(200, 5), async () => {
        const peer = await context.connect();
        peer.socket.pause();
        peer.write(request({ method: "POST" }));
        return peer;
      });
      // The victim has answered and ended its direction. It then resets, which a writer notices.
      const until = performance.now() + context.target.limits.closeTimeout + 5000;
      while (performance.now() < until && peers.some((peer) => !peer.socket.destroyed)) {
        await pause(50);
        for (const peer of peers) peer.write(latin1("x"));
      }
      return peers.map((peer) => peer.socket.destroyed ? "let go" : "still held");
    },
  },
  {
    name: "half of a TLS ClientHello, many at once",
    // Deno waits for the TLS handshake even after close(), in order to end it properly.
    expected: ["let go", "closed, but not by Deno"],
    maxGrowth: 48,
    async run(context) {
      const hello = latin1("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\0".repeat(100));
      const peers = await context.many(context.size(200, 10), async () => {
        const peer = await context.connect("tls");
        peer.write(hello);
        return peer;
      }, 20);
      await context.hold(peers.length);
      const { handshakeTimeout, closeTimeout } = context.target.limits;
      const until = performance.now() + handshakeTimeout + 2 * closeTimeout + 1000;
      while (performance.now() < until && peers.some((peer) => !peer.isGone)) await pause(20);
      const held = runtime === "deno" ? "closed, but not by Deno" : "still held";
      return peers.map((peer) => peer.isGone ? "let go" : held);
    },
  },
  {
    name: "plain text and garbage to a TLS port",
    expected: ["let go"],
    maxGrowth: 16,
    async run(context) {
      return await context.many(context.size(100, 5), async (index) => {
        const peer = await context.connect("tls");
        peer.write(index % 2 === 0 ? request() : new Uint8Array(1000).fill(0x16));
        return await peer.gone(20_000) ? "let go" : "still held";
      }, 20);
    },
  },
];
