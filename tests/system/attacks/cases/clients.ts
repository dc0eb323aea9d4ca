/** Attacks by a server on its clients. */

import type { Attack, Context } from "../attack.ts";
import { switching } from "../../../support/http.ts";
import { attackClient } from "../hostile_server.ts";
import type { Behaviour } from "../hostile_server.ts";
import { frame } from "../../../support/frames.ts";
import { latin1 } from "../../../support/bytes.ts";
import { repeat } from "../wire.ts";

/** A server's frame, which has no mask. */
const bare = (parts: Parameters<typeof frame>[0]): Uint8Array => frame({ mask: null, ...parts });

/** Opens, then sends without end, until 100 MiB are sent or there is an answer. */
function sendsWithoutEnd(bytes: Uint8Array, first?: Uint8Array): Behaviour {
  const all = repeat(bytes);
  return async (peer, head) => {
    peer.write(switching(head));
    if (first !== undefined) peer.write(first);
    await peer.flood(all, 5000, 100 * 1024 * 1024);
    await peer.answered(2000);
    peer.destroy();
  };
}

/** Returns the victim's answer to a behaviour. */
async function answerTo(context: Context, behave: Behaviour): Promise<string[]> {
  const { answer } = await attackClient(context, behave);
  return [answer];
}

/** The attacks. */
export const clients: readonly Attack[] = [
  {
    name: "client: endless head of the answer",
    known: ["CVE-2026-47073", "CVE-2026-54465"],
    expected: ["refused"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (const more of ["X-Header: value\r\n", "a"]) {
        const { told } = await attackClient(context, async (peer) => {
          peer.readsFrames = false;
          peer.write("HTTP/1.1 101 Switching Protocols\r\nX: ");
          await peer.flood(latin1(more.repeat(1000)), 5000, 100 * 1024 * 1024);
          peer.destroy();
        });
        answers.push(told);
      }
      return answers;
    },
  },
  {
    name: "client: endless body of a refusal",
    expected: ["refused"],
    maxGrowth: 16,
    async run(context) {
      const { told } = await attackClient(context, async (peer) => {
        peer.readsFrames = false;
        peer.write("HTTP/1.1 403 Forbidden\r\n\r\n");
        await peer.flood(new Uint8Array(65536), 5000, 100 * 1024 * 1024);
        peer.destroy();
      });
      return [told];
    },
  },
  {
    name: "client: server_max_window_bits out of range, and other parameters",
    known: ["CVE-2026-2229"],
    expected: ["refused"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (
        const parameters of [
          "server_max_window_bits=1000",
          "server_max_window_bits=7",
          "server_max_window_bits=16",
          "server_max_window_bits=015",
          "server_max_window_bits",
          "client_max_window_bits=99999999999999999999",
          "constructor",
          "__proto__=1",
          "server_no_context_takeover; server_no_context_takeover",
        ]
      ) {
        const line = `Sec-WebSocket-Extensions: permessage-deflate; ${parameters}\r\n`;
        const { told } = await attackClient(
          context,
          (peer, head) => void peer.write(switching(head, line)),
          (port) => ({ url: `ws://127.0.0.1:${port}/`, compression: true }),
        );
        answers.push(told === "refused" ? told : `${parameters}: ${told}`);
      }
      return answers;
    },
  },
  {
    name: "client: extension and subprotocol that it did not ask for",
    expected: ["refused"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (
        const line of [
          "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          "Sec-WebSocket-Protocol: __proto__\r\n",
          "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        ]
      ) {
        const { told } = await attackClient(context, (peer, head) => {
          peer.write(switching(head, line));
        });
        answers.push(told === "refused" ? told : `${line.trim()}: ${told}`);
      }
      return answers;
    },
  },
  {
    name: "client: lengths of 2^53+1 and 2^63-1",
    known: ["CVE-2026-1528"],
    expected: ["1009"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (const claims of [2n ** 53n + 1n, 2n ** 63n - 1n]) {
        answers.push(
          ...await answerTo(context, (peer, head) => {
            peer.write(switching(head));
            peer.write(bare({ opcode: 2, claims }));
          }),
        );
      }
      return answers;
    },
  },
  {
    name: "client: deflate bomb",
    known: ["CVE-2026-1526"],
    expected: ["1009"],
    maxGrowth: 32,
    async run(context) {
      // A stored block's worth of zeros each 1 KiB, as zlib would make it: see compression.ts.
      const { deflateRawSync } = await import("node:zlib");
      const payload = deflateRawSync(new Uint8Array(context.size(256, 16) * 1024 * 1024));
      const { answer } = await attackClient(context, (peer, head) => {
        peer.write(switching(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
        peer.write(bare({ opcode: 2, rsv: 4, payload }));
      }, (port) => ({ url: `ws://127.0.0.1:${port}/`, compression: true }));
      return [answer];
    },
  },
  {
    name: "client: fragments without end",
    known: ["CVE-2026-12151"],
    expected: ["1008"],
    maxGrowth: 16,
    run: (context) =>
      answerTo(
        context,
        sendsWithoutEnd(bare({ opcode: 0, fin: false }), bare({ opcode: 1, fin: false })),
      ),
  },
  {
    name: "client: fragments whose sum is above the limit",
    known: ["CVE-2026-9675"],
    expected: ["1009"],
    maxGrowth: 24,
    run: (context) => {
      const payload = new Uint8Array(16 * 1024);
      return answerTo(
        context,
        sendsWithoutEnd(
          bare({ opcode: 0, fin: false, payload }),
          bare({ opcode: 2, fin: false, payload }),
        ),
      );
    },
  },
  {
    name: "client: a masked frame",
    expected: ["1002"],
    maxGrowth: 16,
    run: (context) =>
      answerTo(context, (peer, head) => {
        peer.write(switching(head));
        peer.write(frame({ opcode: 1, payload: "Hello" }));
      }),
  },
  {
    name: "client: CR, LF and NUL in its URL, headers and subprotocols",
    known: ["CVE-2026-1527"],
    expected: ["not injected"],
    maxGrowth: 16,
    async run(context) {
      const evil = "a\r\nEvil: 1\r\n\0";
      const orders = (port: number) => {
        const url = `ws://127.0.0.1:${port}/`;
        return [
          { url: `${url}${evil}` },
          { url: `${url}?q=${evil}` },
          { url: `ws://${evil}127.0.0.1:${port}/` },
          { url: `ws://${evil}@127.0.0.1:${port}/` },
          { url, headers: { "X-Header": evil } },
          { url, headers: { [evil]: "value" } },
          { url, headers: { "X-Header": "a\nEvil: 1" } },
          { url, protocols: [evil] },
          { url, headers: { "Host": "evil.example", "Upgrade": "h2c" } },
        ];
      };
      const answers: string[] = [];
      for (let i = 0; i < orders(0).length; i++) {
        const { head } = await attackClient(context, (peer, head) => {
          peer.write(switching(head));
          peer.destroy();
        }, (port) => orders(port)[i]!);
        const isInjected = /^evil:/im.test(head) || head.includes("\0") ||
          head.includes("evil.example") || head.includes("h2c");
        answers.push(isInjected ? head : "not injected");
      }
      return answers;
    },
  },
];
