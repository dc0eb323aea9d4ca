/** Attacks on the request head: its time, its size, its parsers. */

import type { Attack, Context } from "../attack.ts";
import { pause } from "../attack.ts";
import { latin1 } from "../../../support/bytes.ts";
import { request, text } from "../wire.ts";

/** Opens many connections, each of which sends the head a byte at a time. */
async function slowly(context: Context, head: Uint8Array): Promise<string[]> {
  const { handshakeTimeout } = context.target.limits;
  const count = context.size(1000, 20);
  const peers = await context.many(count, () => context.connect());
  const until = performance.now() + handshakeTimeout + 10_000;
  // A byte a second, of ten; in as many steps where the time is shorter.
  const step = handshakeTimeout / 10;
  for (let i = 0; performance.now() < until && peers.some((peer) => !peer.isGone); i++) {
    for (const peer of peers) if (peer.answer === "open") peer.write(head.subarray(i, i + 1));
    if (i === 5) await context.hold(count);
    await pause(step);
  }
  return peers.map((peer) => peer.answer);
}

/** Sends a start, then the same bytes repeatedly, until there is an answer. */
async function endlessly(context: Context, start: string, more: string): Promise<string[]> {
  const count = context.size(100, 5);
  return await context.many(count, async () => {
    const peer = await context.connect();
    peer.write(start);
    await peer.flood(latin1(more.repeat(Math.ceil(4096 / more.length))), 10_000);
    return peer.answer;
  }, 10);
}

/** Sends the same request many times, each on its own connection. */
async function often(context: Context, data: string): Promise<string[]> {
  const peers = await context.many(context.size(500, 10), () => context.ask(data), 20);
  return peers.map((peer) => peer.answer);
}

const REQUEST = request();
const START = REQUEST.slice(0, -2);

/** The attacks. */
export const handshakes: readonly Attack[] = [
  {
    name: "slow handshake, a byte a second",
    expected: ["408"],
    maxGrowth: 32,
    run: (context) => slowly(context, latin1(REQUEST)),
  },
  {
    name: "endless request-target",
    known: ["CVE-2026-47073"],
    expected: ["414"],
    maxGrowth: 16,
    run: (context) => endlessly(context, "GET /", "a"),
  },
  {
    name: "endless header lines",
    known: ["CVE-2026-54465", "CVE-2026-47073"],
    expected: ["431"],
    maxGrowth: 16,
    run: (context) => endlessly(context, START, "X-Header: value\r\n"),
  },
  {
    name: "endless header value, in pieces of a byte",
    known: ["CVE-2023-43669"],
    expected: ["431"],
    maxGrowth: 16,
    async run(context) {
      const peer = await context.connect();
      peer.write(`${START}X-Header: `);
      // A parser that restarts for each piece would take quadratic time.
      for (let i = 0; i < 20_000 && peer.answer === "open"; i++) {
        peer.write("a".repeat(context.size(1, 16)));
        if (i % context.size(8, 64) === 0) await pause(0);
      }
      return [await peer.answered(5000)];
    },
  },
  {
    name: "more header fields than are read",
    known: ["CVE-2024-37890"],
    expected: ["431"],
    maxGrowth: 16,
    run: (context) => often(context, request({ lines: "a:b\r\n".repeat(2000) })),
  },
  {
    name: "white space in Sec-WebSocket-Protocol, for a regular expression to backtrack",
    known: ["CVE-2021-32640"],
    expected: ["400"],
    maxGrowth: 32,
    run: (context) =>
      often(
        context,
        request({ fields: { "Sec-WebSocket-Protocol": `b${" ".repeat(15_000)}x` } }),
      ),
  },
  {
    name: "unclosed quoted string in Sec-WebSocket-Extensions, to backtrack",
    known: ["CVE-2020-7662", "CVE-2020-7663"],
    expected: ["400"],
    maxGrowth: 32,
    // A read buffer of 16 KiB for each, until the sender leaves, and not the request.
    maxHeld: 13,
    run: (context) =>
      often(
        context,
        request({ fields: { "Sec-WebSocket-Extensions": `a; b="${"\\c".repeat(7500)}` } }),
      ),
  },
  {
    name: "thousands of extension offers",
    expected: ["101"],
    // 700 offers of 15 KiB in all, parsed and refused one by one, 200 times: V8's garbage.
    maxGrowth: 64,
    maxHeld: 12,
    async run(context) {
      const offers = Array.from({ length: 700 }, (_, i) => `permessage-deflate; x=${i}`);
      const fields = { "Sec-WebSocket-Extensions": offers.join(",").slice(0, 15_000) + "a" };
      return await context.many(context.size(200, 5), async () => {
        const peer = await context.open("compressed", { fields });
        return String(peer.reader.status);
      }, 20);
    },
  },
  {
    name: "names of Object.prototype as extension, parameter and subprotocol",
    known: ["GHSA-5v72-xg48-5rpm"],
    expected: ["served", "400"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
        const offers = [
          { "Sec-WebSocket-Extensions": name },
          { "Sec-WebSocket-Extensions": `${name}; ${name}=1` },
          { "Sec-WebSocket-Extensions": `permessage-deflate; ${name}` },
          { "Sec-WebSocket-Extensions": `permessage-deflate; ${name}=15` },
          { "Sec-WebSocket-Protocol": name },
        ];
        for (const fields of offers) {
          const peer = await context.open("compressed", { fields });
          const { reader } = peer;
          const agreed = reader.field("Sec-WebSocket-Extensions") ??
            reader.field("Sec-WebSocket-Protocol");
          if (agreed !== undefined) answers.push(`agreed to ${agreed}`);
          else answers.push(await context.echoes(peer, text) ? "served" : peer.answer);
        }
        const fields = { "Sec-WebSocket-Extensions": `,;${name}` };
        answers.push((await context.open("compressed", { fields })).answer);
      }
      return answers;
    },
  },
  {
    name: "what is no HTTP/1.1: TLS, HTTP/2, HTTP/1.0, binary",
    expected: ["right"],
    maxGrowth: 16,
    async run(context) {
      const right = async (what: string, data: string | Uint8Array, status: string) => {
        const { answer } = await context.ask(data);
        return answer === status ? "right" : `${what}: ${answer}`;
      };
      return [
        await right("TLS", latin1("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "400"),
        await right("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        await right("HTTP/1.0", REQUEST.replace("HTTP/1.1", "HTTP/1.0"), "200"),
        await right("HTTP/0.9", "GET /\r\n", "400"),
        await right("zeros", new Uint8Array(64), "400"),
        await right("a frame", text("Hello"), "400"),
      ];
    },
  },
];
