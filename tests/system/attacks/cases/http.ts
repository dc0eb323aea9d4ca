/** Attacks by plain HTTP: bodies that do not end, requests without end, idle connections. */

import type { Attack, Context } from "../attack.ts";
import { pause } from "../attack.ts";
import { latin1 } from "../../../support/bytes.ts";

const MIB = 1024 * 1024;

const post = (fields: string, path = "/") => `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** Sends a head, then the same bytes again and again, and returns the answer. */
async function endless(context: Context, head: string, bytes: string): Promise<string> {
  const peer = await context.connect();
  peer.write(head);
  await peer.flood(latin1(bytes), 10_000, context.size(256, 8) * MIB, 2000);
  return await peer.answered(5000);
}

/** The number of responses that a peer has received so far. */
function responses(text: string): number {
  return text.split("HTTP/1.1 200").length - 1;
}

/** See the module. */
export const http: readonly Attack[] = [
  {
    name: "bodies of which a byte never comes",
    expected: ["408"],
    maxGrowth: 96,
    async run(context) {
      const heads = [post("Content-Length: 9\r\n"), post(CHUNKED), `${post(CHUNKED)}9;a=`];
      const peers = await context.many(context.size(2000, 30), async (index) => {
        const peer = await context.connect();
        peer.write(heads[index % heads.length]!);
        return peer;
      });
      await context.hold(peers.length);
      await pause(context.target.limits.handshakeTimeout);
      return await Promise.all(peers.map((peer) => peer.answered(15_000)));
    },
  },
  {
    name: "bodies of which a byte comes now and then",
    // `bodyTimeout` is the time without a byte: these bodies are slow, and complete at last.
    expected: ["200"],
    maxGrowth: 96,
    maxHeldEach: 16,
    async run(context) {
      const bodies = [[post("Content-Length: 8\r\n"), "x", ""], [
        post(CHUNKED),
        "1\r\nx\r\n",
        "0\r\n\r\n",
      ]];
      const peers = await context.many(context.size(2000, 30), async (index) => {
        const peer = await context.connect();
        peer.write(bodies[index % 2]![0]!);
        return peer;
      });
      for (let byte = 0; byte < 8; byte++) {
        if (byte === 4) await context.hold(peers.length);
        await pause(context.target.limits.handshakeTimeout / 4);
        for (const [index, peer] of peers.entries()) peer.write(bodies[index % 2]![1]!);
      }
      for (const [index, peer] of peers.entries()) peer.write(bodies[index % 2]![2]!);
      return await Promise.all(peers.map((peer) => peer.answered(15_000)));
    },
  },
  {
    name: "chunk extensions without end",
    expected: ["413"],
    maxGrowth: 32,
    run: async (context) => [
      await endless(context, `${post(CHUNKED)}1`, ";a=b".repeat(1000)),
      await endless(context, `${post(CHUNKED)}1;a=`, "b".repeat(4000)),
      await endless(context, post(CHUNKED), "1;a=b\r\nx\r\n".repeat(1000)),
    ],
  },
  {
    name: "trailers without end",
    expected: ["431"],
    maxGrowth: 32,
    run: async (context) => [
      await endless(context, `${post(CHUNKED)}0\r\n`, "X-A: b\r\n".repeat(1000)),
      await endless(context, `${post(CHUNKED)}0\r\nX-A: `, "b".repeat(4000)),
    ],
  },
  {
    name: "bodies over maxBodySize, announced or not",
    expected: ["413"],
    maxGrowth: 32,
    run: async (context) => [
      await endless(context, post(`Content-Length: ${MIB + 1}\r\n`), "x".repeat(65_536)),
      await endless(context, post("Content-Length: 99999999999999\r\n"), "x".repeat(65_536)),
      await endless(context, post(CHUNKED), `10000\r\n${"x".repeat(65_536)}\r\n`),
      await endless(context, `${post(CHUNKED)}ffffffffffff\r\n`, "x".repeat(65_536)),
    ],
  },
  {
    name: "bodies that the handler ignores, and a request within them",
    expected: ["one answer"],
    maxGrowth: 32,
    async run(context) {
      const answers: string[] = [];
      for (const fields of ["Content-Length: 100000\r\n", CHUNKED]) {
        const peer = await context.connect();
        peer.write(post(fields, "/ignore"));
        await peer.answered(5000);
        await peer.flood(latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100)), 1000, MIB);
        await peer.gone(10_000);
        const { head, body } = peer.reader;
        answers.push(responses(head + body) === 1 ? "one answer" : head + body);
      }
      return answers;
    },
  },
  {
    name: "GET and HEAD with a body, as a request behind them",
    expected: ["400"],
    maxGrowth: 16,
    async run(context) {
      const second = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
      const answers: string[] = [];
      for (const method of ["GET", "HEAD"]) {
        for (const fields of [`Content-Length: ${second.length}\r\n`, CHUNKED]) {
          const head = post(fields).replace("POST", method);
          answers.push((await context.ask(head + second)).answer);
        }
      }
      return answers;
    },
  },
  {
    name: "clients that leave in the middle of a body",
    expected: ["let go"],
    maxGrowth: 96,
    async run(context) {
      await context.many(context.size(5000, 100), async (index) => {
        const peer = await context.connect();
        peer.write(post("Content-Length: 100000\r\n") + "x".repeat(index % 1000));
        if (index % 2 === 0) peer.reset();
        else peer.destroy();
      }, 50);
      const until = performance.now() + 10_000;
      while (performance.now() < until) {
        if (await context.target.connections() <= context.before) return ["let go"];
        await pause(20);
      }
      return ["still held"];
    },
  },
  {
    name: "idle connections after a response",
    expected: ["closed"],
    maxGrowth: 128,
    async run(context) {
      const peers = await context.many(context.size(10_000, 100), async () => {
        const peer = await context.connect();
        peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await peer.answered(10_000);
        return peer;
      });
      await context.hold(peers.length);
      await pause(context.target.limits.handshakeTimeout);
      const closed = await Promise.all(peers.map((peer) => peer.gone(30_000)));
      return closed.map((isClosed) => isClosed ? "closed" : "open");
    },
  },
  {
    name: "pipelined requests without end, of which no response is read",
    expected: ["dropped"],
    maxGrowth: 64,
    async run(context) {
      const peer = await context.connect();
      peer.socket.pause();
      const requests = latin1("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
      await peer.flood(requests, 10_000, context.size(256, 16) * MIB, 3000);
      // What has been sent and not been read holds back the next requests, until the time is over.
      await pause(2 * context.target.limits.closeTimeout);
      peer.socket.resume();
      await peer.gone(20_000);
      return [peer.isGone && responses(peer.reader.body) < 100 ? "dropped" : "read on"];
    },
  },
];
