import type { Limits } from "../../src/connection/limits.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import { topics } from "../../src/topics/topics.ts";
import type { Message, Peer, Published, SubscribeOptions, Topics } from "../../src/topics/types.ts";
import type { Relay, RelayNode } from "../../src/topics/mod.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { random } from "../protocol/frames.ts";
import { FakePeer } from "./fake_peer.ts";
import { join } from "../support/bytes.ts";
import { frameWords, parseFrames } from "../support/frames.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { openOn } from "../support/open.ts";
import { streamOf } from "../support/streams.ts";

const PEERS = 20;

/** A peer that is not subscribed. With it as `except`, a message is delivered to each peer on its own. */
const NOT_SUBSCRIBED = new FakePeer();

function outcomeOf({ subscribers, sent, waiting, dropped, closed }: Published): string {
  assertEquals(subscribers, sent + waiting + dropped + closed);
  return `${subscribers} = ${sent} + ${waiting} + ${dropped} + ${closed}`;
}

/** Options of some of the subscriptions. */
const OPTIONS: (SubscribeOptions | undefined)[] = [
  ...new Array<undefined>(8).fill(undefined),
  {},
  { whenSlow: "drop-oldest", maxWaiting: 2 },
  { whenSlow: "drop-newest", maxWaiting: 2 },
  { whenSlow: "latest", key: () => "key" },
  { encode: ({ data }) => `encoded ${data.length}` },
  {
    encode: () => {
      throw new Error("encode");
    },
  },
];

/** The peer reads all that waits. */
function resume(transport: FakeTransport): void {
  transport.takes = true;
  transport.drained();
}

async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/**
 * Does what a seed says with two topics and some connections.
 *
 * @param except The option of each `publish()`.
 * @returns What can be seen of it, and what each connection has written.
 */
async function run(
  seed: number,
  except: Peer | undefined,
): Promise<{ log: string[]; written: { calls: string; bytes: Uint8Array }[] }> {
  const chance = random(seed);
  const pick = (count: number) => Math.floor(chance() / 2 ** 32 * count);
  const log: string[] = [];
  const counters = new ConnectionCounters();
  await using rooms = topics({
    keep: (topic) => topic === "kept" ? { messages: 5, age: 60_000 } : undefined,
    onGap: ({ count, why }) => log.push(`gap of ${count}, ${why}`),
    onError: (error) => log.push(String(error)),
  });
  const all = Array.from({ length: PEERS }, (_, n) => {
    const transport = new FakeTransport();
    const { socket } = openOn(transport, {
      counters: n === PEERS - 1 && seed % 3 === 0 ? new ConnectionCounters() : counters,
      limits: { maxBufferedAmount: n % 5 === 4 ? 20_000 : 200_000 },
    });
    return { transport, socket };
  });
  const subscriptions = new Map<string, ReturnType<typeof rooms.subscribe>>();
  const subscribe = (n: number, topic: string, options?: SubscribeOptions) => {
    const { socket } = all[n]!;
    if (socket.readyState !== 1 || subscriptions.has(`${n} ${topic}`)) return;
    subscriptions.set(`${n} ${topic}`, rooms.subscribe(socket, topic, options));
  };
  const isVaried = seed % 2 === 1;
  for (const topic of ["a", "b", "kept"]) {
    for (let n = 0; n < PEERS; n++) {
      subscribe(n, topic, isVaried && pick(4) === 0 ? OPTIONS[pick(OPTIONS.length)] : undefined);
    }
  }
  for (let step = 0; step < 60; step++) {
    const n = pick(PEERS);
    const { socket, transport } = all[n]!;
    const topic = ["a", "a", "a", "b", "kept"][pick(5)]!;
    const subscription = subscriptions.get(`${n} ${topic}`);
    switch (pick(22)) {
      case 0:
        socket.send(`own ${step}`).catch(() => {});
        break;
      case 1:
        if (pick(4) === 0) socket.close();
        break;
      case 2:
        if (pick(4) === 0) socket.abort();
        break;
      case 3:
        transport.takes = false;
        break;
      case 4:
        for (const each of all) resume(each.transport);
        break;
      case 5:
        log.push(`${n} has sent ${subscription?.sent}, ${subscription?.waiting} wait`);
        break;
      case 6:
        subscription?.unsubscribe();
        subscriptions.delete(`${n} ${topic}`);
        break;
      case 7:
        subscribe(n, topic, OPTIONS[pick(OPTIONS.length)]);
        break;
      case 8:
        log.push(`${n} has ${socket.bufferedAmount} queued, ${counters.messagesSent} are sent`);
        break;
      case 9:
      case 10:
        await microtasks(20);
        break;
      case 11:
        await Promise.resolve();
        break;
      default: {
        const size = pick(10) === 0 ? pick(9000) : pick(300);
        const message: Message = pick(2) === 0
          ? `${step} `.padEnd(size, "x")
          : new Uint8Array(size).fill(step);
        for (let i = pick(4); i >= 0; i--) {
          log.push(outcomeOf(rooms.publish(topic, message, except && { except })));
        }
      }
    }
  }
  for (let i = 0; i < 10; i++) {
    for (const { transport } of all) resume(transport);
    await microtasks(20);
  }
  log.push(JSON.stringify(rooms.stats), `${counters.messagesSent} in all`);
  for (const [name, { sent, dropped }] of subscriptions) log.push(`${name}: ${sent}, ${dropped}`);
  const written = all.map(({ transport: { writes, calls } }) => ({
    calls: calls.join(),
    bytes: join(...writes),
  }));
  return { log, written };
}

for (let seed = 1; seed <= 120; seed++) {
  test(`a message for many connections has the results of one delivered to each, seed ${seed}`, async () => {
    const together = await run(seed, undefined);
    const each = await run(seed, NOT_SUBSCRIBED);
    assertEquals(together.log, each.log);
    assert(together.log.length > 40);
    for (const [n, { calls, bytes }] of each.written.entries()) {
      const written = together.written[n]!;
      assertEquals(written.calls, calls);
      // An abort drops what has not been written: how much that is depends on where a block of frames ends.
      const size = calls.includes("abort")
        ? Math.min(bytes.length, written.bytes.length)
        : Infinity;
      assertEquals(written.bytes.subarray(0, size), bytes.subarray(0, size));
    }
  });
}

/** Connections that are subscribed to "a", and what each has sent. */
function members(rooms: Topics, options?: SubscribeOptions, limits?: Partial<Limits>) {
  const counters = new ConnectionCounters();
  return Array.from({ length: PEERS }, () => {
    const transport = new FakeTransport();
    const { socket } = openOn(transport, {
      counters,
      overflow: "reject",
      ...(limits && { limits }),
    });
    rooms.subscribe(socket, "a", options);
    const sent = () => parseFrames(join(...transport.writes)).map(frameWords);
    return { transport, socket, sent };
  });
}

test("a message for many connections waits behind a stream that one of them sends", async () => {
  await using rooms = topics();
  const all = members(rooms);
  rooms.publish("a", "1");
  const sent = all[0]!.socket.send(streamOf(["2"]));
  assertEquals(rooms.publish("a", "3").sent, PEERS);
  await sent;
  await microtasks(20);
  const texts = (n: number) =>
    all[n]!.sent().map((words) => words.replace(/^\S+ ?/, "")).filter((text) => text !== "");
  assertEquals(texts(0), ["1", "2", "3"]);
  assertEquals(texts(1), ["1", "3"]);
});

test("a gap of a relay is told between the messages for many connections", async () => {
  let node!: RelayNode;
  const relay: Relay = {
    start: (started) => {
      node = started;
      return Promise.resolve();
    },
    subscribe: () => Promise.resolve(),
    unsubscribe() {},
    send: () => () => Promise.resolve(),
    store: () => Promise.resolve({ epoch: "e", offset: 1 }),
    read: () => Promise.reject(new Error("nothing is kept")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await using rooms = topics({ relay });
  const log: string[] = [];
  const all = members(rooms, { onGap: ({ count }) => log.push(`${count} after ${sizes()}`) });
  const sizes = () => all[0]!.socket.bufferedAmount;
  await microtasks(20);
  node.receive({ topic: "a", data: "1", node: "n" });
  node.receive({ topic: "a", data: "2", node: "n" });
  node.gap({ topic: "a", count: 7, why: "relay" });
  assertEquals(log, []);
  node.receive({ topic: "a", data: "3", node: "n" });
  assertEquals(log, all.map((_, n) => `7 after ${n === 0 ? 6 : 9}`));
  await microtasks(20);
  for (const { sent } of all) assertEquals(sent(), ["text 1", "text 2", "text 3"]);
});

test("a message for many connections is in the send queue of each, and in all counts, at once", async () => {
  await using rooms = topics();
  const all = members(rooms);
  const subscription = rooms.subscribe(all[0]!.socket, "b");
  for (let n = 1; n <= 20; n++) {
    assertEquals(rooms.publish("a", "1234567890").sent, PEERS);
    for (const { socket } of all) assertEquals(socket.bufferedAmount, n * 12);
    assertEquals(rooms.stats.sent, n * PEERS);
  }
  assertEquals(subscription.sent, 0);
  await microtasks(20);
  for (const { transport, socket } of all) {
    assert(transport.writes.length <= 2, "two if a block ends between them");
    assertEquals(join(...transport.writes).length, 240);
    assertEquals(socket.bufferedAmount, 0);
  }
});

test("a connection that subscribes or leaves between two messages gets those of its time", async () => {
  await using rooms = topics();
  const all = members(rooms);
  assertEquals(rooms.publish("a", "1").sent, PEERS);
  const transport = new FakeTransport();
  const { socket } = openOn(transport);
  const subscription = rooms.subscribe(socket, "a");
  assertEquals(rooms.publish("a", "2").sent, PEERS + 1);
  rooms.unsubscribe(all[0]!.socket, "a");
  assertEquals(rooms.publish("a", "3").sent, PEERS);
  await microtasks(20);
  assertEquals(subscription.sent, 2);
  assertEquals(parseFrames(join(...transport.writes)).map(frameWords), ["text 2", "text 3"]);
  assertEquals(all[0]!.sent(), ["text 1", "text 2"]);
  assertEquals(all[1]!.sent(), ["text 1", "text 2", "text 3"]);
});

test("a message for many connections does not overtake one that has no room in their queues", async () => {
  await using rooms = topics();
  members(rooms, { whenSlow: "drop-oldest" }, { maxBufferedAmount: 3000 });
  assertEquals(rooms.publish("a", "1").sent, PEERS);
  assertEquals(rooms.publish("a", "x".repeat(5000), { except: NOT_SUBSCRIBED }).waiting, PEERS);
  assertEquals(rooms.publish("a", "2").waiting, PEERS);
});
