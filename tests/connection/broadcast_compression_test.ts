// Messages that are compressed once for many connections, between those of each connection's own.
import { inflateRawSync } from "node:zlib";
import { broadcast } from "../../src/connection/broadcast.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import type { PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import { assert, assertEquals, test } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { openPair } from "../support/deflate.ts";
import { RSV1 } from "../support/deflate.ts";
import { open, turns } from "../support/open.ts";
import type { Opened } from "../support/open.ts";
import { random } from "../protocol/frames.ts";

const TAIL = new Uint8Array([0, 0, 0xff, 0xff]);

/** A document of some KiB, much of which is the same in each. */
function document(n: number, rows = 40): string {
  const next = random(n);
  const row = (): unknown => ({
    id: next() % 100_000,
    name: `customer ${next() % 50}`,
    paid: true,
  });
  return JSON.stringify({ n, rows: Array.from({ length: rows }, row) });
}

/** Opens a server's connection that has agreed to compression with a client's offer. */
function openWith(options: PerMessageDeflateOptions, windowBits?: number): Opened {
  const params = windowBits === undefined
    ? []
    : [["server_max_window_bits", String(windowBits)] as const];
  const agreement = new PerMessageDeflate({ threshold: 100, ...options })
    .acceptOffer({ name: "permessage-deflate", params })!;
  return open({ agreements: [agreement] });
}

const sockets = (opened: readonly Opened[]) =>
  opened.map(({ socket }) => socket as WebSocketConnection<unknown>);

/** Inflates the messages of a peer in one context, as zlib does it with a window of that size. */
function inflated({ peer }: Opened, windowBits: number): string {
  const parts = peer.frames.flatMap(({ first, payload }) => {
    assertEquals(first, 0x81 | RSV1);
    return [payload, TAIL];
  });
  return inflateRawSync(join(...parts), { finishFlush: 2, windowBits }).toString();
}

test("broadcast() compresses a message once for all connections with the same options", async () => {
  const all = [openWith({}), openWith({}), openWith({ serverNoContextTakeover: true })];
  const small = openWith({}, 9);
  assertEquals(broadcast(sockets([...all, small]), document(1)), 4);
  await turns();
  const payloads = [...all, small].map(({ peer }) => peer.frames[0]!.payload);
  assertEquals(payloads[1], payloads[0]);
  assertEquals(payloads[2], payloads[0]);
  assert(payloads[0]!.length < document(1).length / 2, `${payloads[0]!.length} bytes`);
  assertEquals(all.map((each) => inflated(each, 12)), all.map(() => document(1)));
  assertEquals(inflated(small, 9), document(1));
});

test("a connection's own messages are valid between broadcasts, whatever context the peer keeps", async () => {
  for (
    const [options, bits, windowBits] of [
      [{}, undefined, 12],
      [{}, 9, 9],
      [{ serverMaxWindowBits: 15, level: 9 }, undefined, 15],
      [{ serverNoContextTakeover: true }, undefined, 12],
    ] as const
  ) {
    const opened = openWith(options, bits);
    const other = openWith(options, bits);
    let expected = "";
    for (let n = 0; n < 40; n++) {
      // Runs of each kind, and small ones whose window still has the message before.
      const text = document(n % 3, 3 + n % 5);
      expected += text;
      if ((n & 3) === 3 || n % 5 === 0) broadcast(sockets([opened, other]), text);
      else opened.socket.send(text);
      if (n % 7 === 0) await turns();
    }
    await turns();
    assertEquals(inflated(opened, windowBits), expected);
  }
});

test("a message after a broadcast refers to the broadcast, and not to anything before it", async () => {
  const opened = openWith({});
  const text = document(5, 10);
  opened.socket.send(document(4, 10));
  broadcast(sockets([opened]), text);
  opened.socket.send(text);
  await turns();
  const [, shared, last] = opened.peer.frames.map(({ payload }) => payload);
  assert(last!.length < shared!.length / 4, `${last!.length} of ${shared!.length} bytes`);
  const window = inflateRawSync(join(shared!, TAIL, last!, TAIL), { finishFlush: 2 });
  assertEquals(window.toString(), text + text);
});

test("broadcast() leaves short messages uncompressed, and all if `compress` is false", async () => {
  const all = [openWith({}), openWith({})];
  broadcast(sockets(all), "short");
  broadcast(sockets(all), document(1), { compress: false });
  broadcast(sockets(all), new Uint8Array(100));
  broadcast(sockets(all), new Uint8Array(99));
  await turns();
  for (const { peer } of all) {
    assertEquals(peer.frames.map(({ first }) => first), [0x81, 0x81, 0x82 | RSV1, 0x82]);
    assertEquals(peer.frames[1]!.payload, utf8(document(1)));
  }
});

test("broadcast() to clients and servers with compression keeps every message whole", async () => {
  const pairs = await Promise.all([
    openPair("memory", true, true),
    openPair("TCP", { threshold: 0, level: 6 }, { serverMaxWindowBits: 10 }),
    openPair("memory", true, undefined),
  ]);
  const ends = pairs.flatMap(({ server, client }) => [server, client]);
  const others = pairs.flatMap(({ server, client }) => [client, server]);
  const messages = Array.from({ length: 30 }, (_, n) => document(n % 4));
  for (const [n, message] of messages.entries()) {
    if (n % 3 === 0) { for (const end of ends) await end.send(message); }
    else assertEquals(broadcast(ends, message), ends.length);
    if (n % 4 === 0) await turns();
  }
  for (const other of others) {
    const received: unknown[] = [];
    for await (const message of other) {
      if (received.push(message) === messages.length) break;
    }
    assertEquals(received, messages);
  }
});

test("what connections keep of broadcasts is the end of the last one", async () => {
  const opened = openWith({});
  opened.socket.send(document(0));
  await turns();
  const before = opened.socket.heldBytes;
  for (let n = 0; n < 20; n++) broadcast(sockets([opened]), document(n, 400));
  await turns();
  const held = opened.socket.heldBytes - before;
  assert(held <= 2048, `${held} bytes`);
});

test("compressed broadcasts of one turn share a write, beside connections without compression", async () => {
  const all = [openWith({}), openWith({}, 9), open(), openWith({})];
  const before = all.map(({ writes }) => writes.length);
  for (let n = 0; n < 16; n++) broadcast(sockets(all), document(n, 6));
  await turns();
  // One, or two if a block ends among them.
  for (const [i, { writes }] of all.entries()) {
    assert(writes.length - before[i]! <= 2, `${writes.length - before[i]!} writes`);
  }
  assertEquals(all.map(({ peer }) => peer.frames.length), [16, 16, 16, 16]);
});
