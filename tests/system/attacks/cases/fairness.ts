/** Floods that must not keep the other clients and the timers waiting. */

import { constants, deflateRawSync } from "node:zlib";
import { pause, runtime } from "../attack.ts";
import type { Attack, Context, Form } from "../attack.ts";
import type { Attacker } from "../attacker.ts";
import { attackClient } from "../hostile_server.ts";
import { latin1 } from "../../../support/bytes.ts";
import { frame } from "../../../support/frames.ts";
import { switching } from "../../../support/http.ts";
import { repeat } from "../wire.ts";

/**
 * The growth that is allowed, in MiB. V8 begins to collect buffers when 64 MiB have been allocated, and
 * frees them on another thread: at 3 GiB a second, as much again is allocated until then.
 */
const GARBAGE = 120;
/**
 * The same for deflate bombs. A loop that does nothing but create arrays of 1 MiB, at that rate, makes Deno
 * grow by 102 to 114 MiB; text has a string for each array as well.
 */
const GARBAGE_OF_BOMBS = 160;

/** The growth that a flood may cause, in MiB. */
const garbageOf = (name: string): number => name.includes("bombs") ? GARBAGE_OF_BOMBS : GARBAGE;

/** The members that all attacks of this file have. */
const FAIR = {
  expected: ["served"],
  maxGrowth: GARBAGE,
  maxHeld: 12,
  isFair: true,
  // What the kernel has received is still processed when the attacker has left.
  isSlow: true,
} as const;

const fields = { "Sec-WebSocket-Extensions": "permessage-deflate" };

/** How long a flood lasts, in milliseconds. */
const time = (context: Context): number => context.size(6000, 500);

const outcome = ({ answer }: Attacker): string => answer === "open" ? "served" : answer;

/** A flood that the victim reads, and does not answer. */
function flood(form: Form, name: string, bytes: () => Uint8Array, first?: Uint8Array): Attack {
  return {
    ...FAIR,
    name,
    maxGrowth: garbageOf(name),
    async run(context) {
      const peer = await context.open(form, { fields });
      if (first !== undefined) peer.write(first);
      await peer.flood(bytes(), time(context));
      return [outcome(peer)];
    },
  };
}

/** The same on many connections. */
function floods(form: Form, count: number, name: string, bytes: () => Uint8Array): Attack {
  return {
    ...FAIR,
    name: `${name}, on ${count} connections, beside others: ${form}`,
    // For each connection up to 1 MiB of a message that has not been inflated to its end, another that is
    // unread, and input: two chunks of up to 512 KiB on Bun. They are counted in `heldBytes`. Runtimes collect
    // garbage at twice that. Bun also keeps freed pages: under bombs for a loop it grows by 470 to 550 MiB
    // within 15 s, and not further within 40 s.
    maxGrowth: garbageOf(name) + (runtime === "bun" ? 8 : 6) * count,
    maxHeld: 12 + 3 * count,
    async run(context) {
      const all = bytes();
      const peers = await context.many(
        context.size(count, 5),
        () => context.open(form, { fields }),
      );
      await Promise.all(peers.map((peer) => peer.flood(all, time(context))));
      return peers.map(outcome);
    },
  };
}

/** A flood of HTTP requests, of which the responses are read. */
function requests(name: string, bytes: () => Uint8Array, head = ""): Attack {
  return {
    ...FAIR,
    name: `${name}, beside others`,
    async run(context) {
      const peer = await context.connect();
      peer.readsFrames = false;
      if (head !== "") peer.write(head);
      await peer.flood(bytes(), time(context));
      return [peer.isGone ? "dropped" : "served"];
    },
  };
}

/** A flood by the victim itself: a source that is always ready, for a peer that reads all. */
function downloads(
  name: string,
  count: number,
  begin: (context: Context) => Promise<Attacker>,
): Attack {
  return {
    ...FAIR,
    name: `${name} without end, on ${count} connections, beside others`,
    async run(context) {
      const peers = await context.many(count, async () => {
        const peer = await begin(context);
        peer.readsFrames = false;
        return peer;
      });
      await pause(time(context));
      return peers.map((peer) => peer.isGone ? "dropped" : "served");
    },
  };
}

/** The same, begun by a message. */
async function beginBy(context: Context, payload: string): Promise<Attacker> {
  const peer = await context.open("endless");
  peer.write(frame({ opcode: 1, payload }));
  return peer;
}

/** A server's flood towards a client in the process of the victim. */
function fromServer(name: string, bytes: () => Uint8Array): Attack {
  return {
    ...FAIR,
    name: `client: ${name}, beside others`,
    maxGrowth: garbageOf(name),
    async run(context) {
      const { answer } = await attackClient(context, async (peer, head) => {
        peer.write(switching(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
        await peer.flood(bytes(), time(context));
        peer.write(frame({ opcode: 8, mask: null }));
      }, (port) => ({ url: `ws://127.0.0.1:${port}/`, compression: true }));
      return [answer === "open" || answer === "1005" ? "served" : answer];
    },
  };
}

const tiny = (mask?: null): Uint8Array =>
  repeat(frame({ opcode: 1, payload: "x", ...(mask === null && { mask }) }), 256 * 1024);

/** Messages of 1 MiB that take 1,040 bytes each: zeros, or text. */
function bombs(opcode: 1 | 2 = 2, mask?: null): Uint8Array {
  const plain = new Uint8Array(1024 * 1024).fill(opcode === 1 ? 0x61 : 0);
  const finishFlush = constants.Z_SYNC_FLUSH;
  const payload = deflateRawSync(plain, { level: 9, finishFlush }).subarray(0, -4);
  return repeat(frame({ opcode, rsv: 4, payload, ...(mask === null && { mask }) }));
}

/** Messages of 1,000 fragments of a byte. */
const fragments = (): Uint8Array =>
  repeat(
    Uint8Array.from([
      ...frame({ opcode: 1, fin: false, payload: "x" }),
      ...repeat(frame({ opcode: 0, fin: false, payload: "x" }), 998 * 7),
      ...frame({ opcode: 0, payload: "x" }),
    ]),
    256 * 1024,
  );

const text = (): Uint8Array => frame({ opcode: 1, payload: "ä €".repeat(50_000) });
const binary = (): Uint8Array => frame({ opcode: 2, payload: new Uint8Array(1024 * 1024) });

const get = (): Uint8Array => repeat(latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 256 * 1024);
const post = (): Uint8Array =>
  repeat(latin1("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHello"), 256 * 1024);
const body = (): Uint8Array => {
  const size = 1024 * 1024;
  return latin1(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n` + "x".repeat(size));
};
const chunks = (): Uint8Array => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  return repeat(latin1(`${head}${"1\r\nx\r\n".repeat(10_000)}0\r\n\r\n`), 256 * 1024);
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
  flood("sink", "deflate bombs of text without end, beside others: callbacks", () => bombs(1)),
  flood("loop", "deflate bombs of text without end, beside others: for await", () => bombs(1)),
  flood("sink", "messages of a thousand fragments without end, beside others", fragments),
  flood("streams", "messages of a thousand fragments, beside others: messageStreams", fragments),
  flood("sink", "large texts without end, beside others", text),
  flood("loop", "messages of 1 MiB without end, beside others: for await", binary),
  floods("sink", 50, "tiny messages without end", tiny),
  floods("streams", 50, "tiny messages without end", tiny),
  floods("busy", 50, "tiny messages without end", tiny),
  floods("sink", 50, "deflate bombs without end", bombs),
  floods("loop", 50, "deflate bombs without end", bombs),
  requests("pipelined requests without end", get),
  requests("pipelined requests with small bodies without end", post),
  requests("requests with bodies of 1 MiB without end", body),
  requests("requests with bodies in chunks of a byte without end", chunks),
  downloads("a response of small pieces", 5, async (context) => {
    const peer = await context.connect();
    peer.write("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    return peer;
  }),
  downloads("a sent stream of small pieces", 5, (context) => beginBy(context, "stream")),
  downloads("messages of a pipe", 5, (context) => beginBy(context, "pipe")),
  fromServer("tiny messages without end", () => tiny(null)),
  fromServer("deflate bombs without end", () => bombs(2, null)),
];
