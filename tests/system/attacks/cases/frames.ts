/** Attacks by single frames, and by the fragments of messages. */

import type { Attack } from "../attack.ts";
import { pause } from "../attack.ts";
import { closeFrame, frame } from "../../../support/frames.ts";
import { repeat, text } from "../wire.ts";

const MIB = 1024 * 1024;

/** A length at an edge, in its smallest form or in a longer one. */
interface Edge {
  what: string;
  claims: bigint;
  lengthForm?: 16 | 64;
  answer: string;
}

const edges: Edge[] = [
  { what: "125 in 16 bits", claims: 125n, lengthForm: 16, answer: "1002" },
  { what: "0 in 64 bits", claims: 0n, lengthForm: 64, answer: "1002" },
  { what: "2^16-1 in 64 bits", claims: 2n ** 16n - 1n, lengthForm: 64, answer: "1002" },
  { what: "2^16-1", claims: 2n ** 16n - 1n, answer: "open" },
  { what: "2^16", claims: 2n ** 16n, answer: "open" },
  { what: "2^20, the limit", claims: 2n ** 20n, answer: "open" },
  { what: "2^20+1", claims: 2n ** 20n + 1n, answer: "1009" },
  { what: "2^31-1", claims: 2n ** 31n - 1n, answer: "1009" },
  { what: "2^31", claims: 2n ** 31n, answer: "1009" },
  { what: "2^32-1", claims: 2n ** 32n - 1n, answer: "1009" },
  { what: "2^32", claims: 2n ** 32n, answer: "1009" },
  { what: "2^40", claims: 2n ** 40n, answer: "1009" },
  { what: "2^53-1", claims: 2n ** 53n - 1n, answer: "1009" },
  { what: "2^53", claims: 2n ** 53n, answer: "1009" },
  { what: "2^53+1", claims: 2n ** 53n + 1n, answer: "1009" },
  { what: "2^63-1", claims: 2n ** 63n - 1n, answer: "1009" },
  { what: "2^63", claims: 2n ** 63n, answer: "1002" },
  { what: "2^64-1", claims: 2n ** 64n - 1n, answer: "1002" },
];

const KNOWN_LENGTHS = [
  "CVE-2016-10542",
  "CVE-2020-13935",
  "CVE-2020-27813",
  "CVE-2026-1528",
  "CVE-2026-54466",
];

/** Sends each as text, as binary and as a later fragment, on many connections that stay open. */
const lengths: Attack[] = edges.map(({ what, claims, lengthForm, answer }) => ({
  name: `length of ${what}`,
  known: KNOWN_LENGTHS,
  expected: [answer],
  maxGrowth: 16,
  async run(context) {
    const header = { claims, ...(lengthForm === undefined ? {} : { lengthForm }) };
    const answers = await context.many(context.size(300, 3), async (index) => {
      const peer = await context.open();
      if (index % 3 === 2) peer.write(frame({ opcode: 2, fin: false }));
      peer.write(frame({ opcode: index % 3 === 2 ? 0 : index % 3 + 1, ...header }));
      return await peer.answered(answer === "open" ? 100 : 5000);
    }, 30);
    await context.hold(answers.length);
    return answers;
  },
}));

/** The attacks. */
export const frames: readonly Attack[] = [
  ...lengths,
  {
    name: "100,000 tiny fragments",
    known: ["CVE-2026-48779", "CVE-2026-12151", "CVE-2014-0193"],
    expected: ["1008"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open();
      peer.write(frame({ opcode: 2, fin: false, payload: "x" }));
      const fragment = frame({ opcode: 0, fin: false, payload: "x" });
      await peer.flood(repeat(fragment), 10_000, 100_000 * fragment.length);
      return [await peer.answered(5000)];
    },
  },
  {
    name: "zero-length fragments without end",
    known: ["CVE-2026-12151", "CVE-2026-48779"],
    expected: ["1008"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open();
      peer.write(frame({ opcode: 1, fin: false }));
      await peer.flood(repeat(frame({ opcode: 0, fin: false })), 10_000);
      return [await peer.answered(5000)];
    },
  },
  {
    name: "zero-length fragments without end, compressed",
    known: ["CVE-2026-12151"],
    expected: ["1008"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.openCompressed();
      peer.write(frame({ opcode: 1, fin: false, rsv: 4 }));
      await peer.flood(repeat(frame({ opcode: 0, fin: false })), 10_000);
      return [await peer.answered(5000)];
    },
  },
  {
    name: "fragments up to the limit, never the last, on many connections",
    known: ["CVE-2026-48779", "GHSA-96hv-2xvq-fx4p"],
    expected: ["open"],
    maxGrowth: 48,
    async run(context) {
      const { maxFragments } = context.target.limits;
      const fragment = frame({ opcode: 0, fin: false, payload: "x" });
      const rest = repeat(fragment, (maxFragments - 1) * fragment.length);
      const answers = await context.many(context.size(500, 5), async () => {
        const peer = await context.open();
        peer.write(frame({ opcode: 2, fin: false, payload: "x" }));
        peer.write(rest);
        await pause(50);
        return peer.answer;
      }, 50);
      await pause(200);
      await context.hold(answers.length);
      return answers;
    },
  },
  {
    name: "fragments whose sum is above the limit",
    known: ["CVE-2014-0193", "CVE-2026-9675"],
    expected: ["1009"],
    maxGrowth: 24,
    async run(context) {
      const { maxMessageSize } = context.target.limits;
      const peer = await context.open();
      const payload = new Uint8Array(Math.ceil(maxMessageSize / 100));
      peer.write(frame({ opcode: 2, fin: false, payload }));
      await peer.flood(frame({ opcode: 0, fin: false, payload }), 10_000);
      return [await peer.answered(5000)];
    },
  },
  {
    name: "messages of 1 MiB, never the last byte, on many connections",
    expected: ["open"],
    maxGrowth: 160,
    async run(context) {
      const { maxMessageSize } = context.target.limits;
      const bytes = frame({ opcode: 2, payload: new Uint8Array(maxMessageSize) }).subarray(0, -1);
      const answers = await context.many(context.size(64, 4), async () => {
        const peer = await context.open();
        peer.write(bytes);
        await peer.until(() => peer.socket.writableLength === 0, 10_000);
        return peer.answer;
      }, 8);
      await pause(200);
      await context.hold(answers.length);
      return answers;
    },
  },
  {
    name: "message a byte a segment",
    expected: ["served"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open();
      const payload = "a".repeat(context.size(20_000, 2000));
      let sent = 0;
      for (const byte of frame({ opcode: 1, payload })) {
        peer.write(Uint8Array.of(byte));
        if (++sent % 8 === 0) await pause(0);
      }
      await peer.until(() => peer.reader.messages === 1 || peer.isGone, 10_000);
      return [await context.echoes(peer, text) ? "served" : peer.answer];
    },
  },
  {
    name: "text of 1 MiB that is no UTF-8 at its last byte",
    expected: ["1007"],
    // Twenty of them, one after the other: received data is garbage until it is collected.
    maxGrowth: 48,
    async run(context) {
      const payload = new Uint8Array(context.target.limits.maxMessageSize).fill(0x61);
      payload[payload.length - 1] = 0xc3;
      const bytes = frame({ opcode: 1, payload });
      return await context.many(context.size(20, 2), async () => {
        const peer = await context.open();
        peer.write(bytes);
        return await peer.answered(10_000);
      }, 1);
    },
  },
  {
    name: "frames after a Close",
    expected: ["1000, then dropped"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.open();
      peer.write(closeFrame(1000));
      const until = performance.now() + context.target.limits.closeTimeout + 3000;
      const payload = new Uint8Array(MIB / 16);
      // After the answer, the peer may write on; none of that has to be kept.
      while (performance.now() < until && !peer.socket.destroyed) {
        peer.write(frame({ opcode: 2, payload }));
        await pause(1);
        if (peer.socket.writableLength > MIB) await pause(10);
      }
      return [`${peer.answer}, ${peer.socket.destroyed ? "then dropped" : "still read"}`];
    },
  },
];
