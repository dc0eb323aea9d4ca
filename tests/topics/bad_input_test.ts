// Peers and callers that send what they should not, or without end.
import { BrokerRelay } from "../../src/topics/broker_relay.ts";
import { topics, topicsHandler } from "../../src/topics/mod.ts";
import { assert, assertEquals, assertThrows, delay, test } from "../harness.ts";
import { FakeHub } from "./fake_broker.ts";
import { FakePeer } from "./fake_peer.ts";

const HUGE = "x".repeat(10_000_000);

test("a topic of 10 MB is refused by each call, and by the subprotocol", async () => {
  await using rooms = topics({ keep: { messages: 1, age: 1000 } });
  const peer = new FakePeer();
  assertThrows(() => rooms.subscribe(peer, HUGE), TypeError, "10000000");
  assertThrows(() => rooms.publish(HUGE, ""), TypeError, "10000000");
  assertEquals([rooms.unsubscribe(peer, HUGE), rooms.size(HUGE)], [false, 0]);
  const errors: unknown[] = [];
  const handler = topicsHandler<FakePeer>(rooms, {
    subscribe: () => true,
    onError: (error) => errors.push(error),
  });
  handler.open(peer);
  handler.message(peer, JSON.stringify({ subscribe: HUGE }));
  await delay(1);
  assertEquals(peer.received.map((text) => JSON.parse(text as string).reason), ["not possible"]);
  assertEquals(rooms.stats.topics, 0);
});

test("a peer that asks for topics without end gets maxSubscriptions of them", async () => {
  await using rooms = topics({ maxSubscriptions: 100 });
  const handler = topicsHandler<FakePeer>(rooms, { subscribe: () => true });
  const peer = new FakePeer();
  handler.open(peer);
  for (let n = 0; n < 20_000; n++) {
    handler.message(peer, `{"subscribe":"${n}"}`);
    if (n % 50 === 0) await Promise.resolve().then(() => {});
  }
  await delay(1);
  assertEquals([rooms.stats.subscriptions, rooms.stats.topics], [100, 100]);
  assertEquals(peer.received.length, 20_000, "each request has an answer");
  handler.close(peer);
  assertEquals([rooms.stats.subscriptions, rooms.stats.topics], [0, 0]);
});

test("a peer that subscribes and unsubscribes without end leaves nothing", async () => {
  await using rooms = topics();
  const handler = topicsHandler<FakePeer>(rooms, { subscribe: () => true });
  const peer = new FakePeer();
  handler.open(peer);
  for (let n = 0; n < 50_000; n++) {
    handler.message(peer, `{"subscribe":"${n % 1000}"}`);
    await Promise.resolve().then(() => {});
    handler.message(peer, `{"unsubscribe":"${n % 1000}"}`);
    if (n % 1000 === 0) await delay(0);
  }
  await delay(1);
  assertEquals([rooms.stats.subscriptions, rooms.stats.topics], [0, 0]);
});

test("topics that come and go leave no channel at the broker", async () => {
  const hub = new FakeHub();
  const broker = hub.connect();
  const relay = new BrokerRelay(broker, { prefix: "test", heartbeat: 100 });
  const rooms = topics({ relay });
  const peer = new FakePeer();
  for (let n = 0; n < 2000; n++) {
    const subscription = rooms.subscribe(peer, `a\0*> ${n}`);
    if (n % 2 === 0) await subscription.ready;
    subscription.unsubscribe();
  }
  await delay(1);
  assertEquals([[...broker.channels], rooms.stats.topics], [["test.n"], 0]);
  await rooms[Symbol.asyncDispose]();
  assertEquals(hub.clients.size, 0);
});

test("a message with an id is refused if the id is empty or too long", async () => {
  await using rooms = topics();
  for (const id of ["", "x".repeat(257), 1 as unknown as string]) {
    assertThrows(() => rooms.publish("x", "1", { id }), TypeError, "id");
  }
  assert(rooms.publish("x", "1", { id: "x".repeat(256) }));
});
