import { topics } from "../../src/topics/mod.ts";
import type { Gap, Message, Published, Topics } from "../../src/topics/mod.ts";
import { serve } from "@sluice/websocket";
import { connect } from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows, eventually, test } from "../harness.ts";
import { FakePeer, PlainPeer } from "./fake_peer.ts";

/** Lets what waits for a promise run. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

function counts({ subscribers, sent, waiting, dropped, closed }: Published): number[] {
  assertEquals(subscribers, sent + waiting + dropped + closed, "the account of a message");
  return [subscribers, sent, waiting, dropped, closed];
}

test("publish() sends to the subscribers of the topic alone, in order, without `except`", async () => {
  await using rooms = topics();
  const [a, b, c] = [new FakePeer(), new FakePeer(), new FakePeer()];
  rooms.subscribe(a, "x");
  rooms.subscribe(b, "x");
  rooms.subscribe(c, "y");
  assertEquals(counts(rooms.publish("x", "1")), [2, 2, 0, 0, 0]);
  assertEquals(counts(rooms.publish("x", "2", { except: a })), [1, 1, 0, 0, 0]);
  assertEquals(counts(rooms.publish("z", "3")), [0, 0, 0, 0, 0]);
  assertEquals([a.received, b.received, c.received], [["1"], ["1", "2"], []]);
  assertEquals(await rooms.publish("x", "4").settled, undefined);
});

test("a subscription without options starts at once, and counts what it drops at its end", async () => {
  await using rooms = topics();
  const peer = new FakePeer();
  const subscription = rooms.subscribe(peer, "x");
  assertEquals(await subscription.ready, {
    recovered: false,
    position: undefined,
    replayed: 0,
  });
  rooms.publish("x", "1");
  peer.stall();
  rooms.publish("x", "2");
  const { topic, sent, waiting, dropped } = subscription;
  assertEquals({ topic, sent, waiting, dropped }, { topic: "x", sent: 1, waiting: 1, dropped: 0 });
  subscription.unsubscribe();
  assertEquals([subscription.waiting, subscription.dropped], [0, 1]);
  assertEquals((await subscription.ready).replayed, 0);
  // It may subscribe again.
  const again = rooms.subscribe(peer, "x");
  assertEquals([again.sent, again.dropped, rooms.size("x")], [0, 0, 1]);
});

test("topics() forgets peers that close, and topics that nothing subscribes to", async () => {
  await using rooms = topics();
  const [a, b] = [new FakePeer(), new FakePeer()];
  rooms.subscribe(a, "x");
  rooms.subscribe(b, "x");
  rooms.subscribe(b, "y");
  assertEquals([rooms.size("x"), rooms.stats.topics, rooms.stats.subscriptions], [2, 2, 3]);
  b.end();
  assertEquals([rooms.size("x"), rooms.stats.topics, rooms.stats.subscriptions], [1, 1, 1]);
  assert(rooms.unsubscribe(a, "x"));
  assertEquals(rooms.unsubscribe(a, "x"), false);
  assertEquals([rooms.stats.topics, rooms.stats.subscriptions], [0, 0]);
});

test("publish() counts a peer that has closed without a word, and forgets it", async () => {
  await using rooms = topics();
  const peer = new FakePeer();
  rooms.subscribe(peer, "x");
  rooms.subscribe(peer, "y");
  peer.readyState = 3;
  assertEquals(counts(rooms.publish("x", "1")), [1, 0, 0, 0, 1]);
  assertEquals(rooms.stats.subscriptions, 0);
});

test('a slow peer is closed with 1013 by "close", after maxWaiting messages', async () => {
  await using rooms = topics();
  const [slow, fast] = [new FakePeer(), new FakePeer()];
  const subscription = rooms.subscribe(slow, "x", { maxWaiting: 2 });
  rooms.subscribe(fast, "x");
  slow.stall();
  assertEquals(counts(rooms.publish("x", "1")), [2, 1, 1, 0, 0]);
  assertEquals(counts(rooms.publish("x", "2")), [2, 1, 1, 0, 0]);
  assertEquals(subscription.waiting, 2);
  assertEquals(counts(rooms.publish("x", "3")), [2, 1, 0, 0, 1]);
  assertEquals(slow.closedWith?.[0], 1013);
  assertEquals([slow.received, fast.received], [[], ["1", "2", "3"]]);
  assertEquals([subscription.sent, subscription.waiting, subscription.dropped], [0, 0, 2]);
  assertEquals(rooms.stats.waiting, 0);
});

for (const Peer of [FakePeer, PlainPeer]) {
  test(`${Peer.name}: what waits is sent in order once the peer is ready, before later messages`, async () => {
    await using rooms = topics();
    const peer = new Peer();
    const subscription = rooms.subscribe(peer, "x");
    peer.bufferedAmount = 100_000;
    for (let n = 1; n <= 5; n++) rooms.publish("x", `${n}`);
    assertEquals([peer.received, subscription.waiting], [[], 5]);
    if (peer instanceof FakePeer) peer.resume();
    else peer.bufferedAmount = 0;
    // The peer is not slow, but others wait: the order of the messages counts.
    assertEquals(counts(rooms.publish("x", "6")), [1, 0, 1, 0, 0]);
    await eventually(() => subscription.waiting === 0, 5000, "the queue is empty");
    assertEquals(peer.received, ["1", "2", "3", "4", "5", "6"]);
    assertEquals([subscription.sent, subscription.dropped], [6, 0]);
  });
}

const policies: [options: Parameters<Topics["subscribe"]>[2], expected: unknown[]][] = [
  [{ whenSlow: "drop-oldest", maxWaiting: 2 }, ["gap 3", "4", "5"]],
  [{ whenSlow: "drop-newest", maxWaiting: 2 }, ["1", "2", "gap 3"]],
  [{ whenSlow: "latest" }, ["gap 4", "5"]],
  [{ whenSlow: "latest", key: (data) => Number(data) % 2 }, ["gap 2", "5", "gap 1", "4"]],
  [{ whenSlow: "latest", maxWaiting: 2, key: (data) => data }, ["gap 3", "4", "5"]],
];
for (const [options, expected] of policies) {
  const key = options?.key === undefined ? "" : `, key ${options.key}`;
  test(`"${options!.whenSlow}"${key}: gaps are told at their places`, async () => {
    await using rooms = topics();
    const peer = new FakePeer();
    const onGap = ({ count }: Gap) => peer.received.push(`gap ${count}`);
    const subscription = rooms.subscribe(peer, "x", { ...options, onGap });
    peer.stall();
    for (let n = 1; n <= 5; n++) {
      counts(rooms.publish("x", `${n}`));
      const { sent, waiting, dropped } = subscription;
      assertEquals(sent + waiting + dropped, n);
    }
    peer.resume();
    await settle();
    assertEquals(peer.received, expected);
    rooms.publish("x", "6");
    assertEquals(peer.received.at(-1), "6");
  });
}

test("encode() is called once for a message and all subscriptions with the same function", async () => {
  await using rooms = topics();
  let calls = 0;
  const encode = ({ topic, data }: { topic: string; data: Message }) =>
    `${topic}: ${data} ${++calls}`;
  const peers = [new FakePeer(), new FakePeer(), new FakePeer()];
  rooms.subscribe(peers[0]!, "x", { encode });
  rooms.subscribe(peers[1]!, "x", { encode });
  rooms.subscribe(peers[2]!, "x");
  rooms.publish("x", "a");
  assertEquals(peers.map(({ received }) => received), [["x: a 1"], ["x: a 1"], ["a"]]);
});

test("what a callback or send() throws goes to onError, and costs its own subscriber the message", async () => {
  const errors: unknown[] = [];
  await using rooms = topics({ onError: (error) => errors.push((error as Error).message) });
  const [a, b, c] = [new FakePeer(), new FakePeer(), new FakePeer()];
  const gaps: unknown[] = [];
  rooms.subscribe(a, "x", {
    encode: () => {
      throw new Error("encode");
    },
  });
  rooms.subscribe(b, "x", { onGap: ({ count }) => gaps.push(count) });
  rooms.subscribe(c, "x");
  b.fails = new Error("send");
  assertEquals(counts(rooms.publish("x", "1")), [3, 1, 0, 2, 0]);
  assertEquals(errors, ["encode", "send"]);
  b.fails = undefined;
  await settle();
  rooms.publish("x", "2");
  assertEquals([a.received, b.received, c.received], [[], ["2"], ["1", "2"]]);
  assertEquals(gaps, [1]);
});

test("a callback may subscribe, unsubscribe and publish to other topics, not to its own", async () => {
  const errors: unknown[] = [];
  await using rooms = topics({ onError: (error) => errors.push((error as Error).name) });
  const [a, b, late] = [new FakePeer(), new FakePeer(), new FakePeer()];
  rooms.subscribe(a, "x", {
    encode: ({ data }) => {
      rooms.unsubscribe(b, "x");
      rooms.subscribe(late, "x");
      rooms.publish("y", "other");
      rooms.publish("x", "again");
      return data;
    },
  });
  rooms.subscribe(b, "x");
  rooms.subscribe(late, "y");
  assertEquals(counts(rooms.publish("x", "1")), [1, 0, 0, 1, 0]);
  assertEquals(errors, ["InvalidStateError"]);
  assertEquals([b.received, late.received, rooms.size("x")], [[], ["other"], 2]);
});

test("publish() copies the caller's bytes", async () => {
  await using rooms = topics();
  const peer = new FakePeer();
  rooms.subscribe(peer, "x");
  peer.stall();
  const bytes = Uint8Array.of(1, 2, 3);
  rooms.publish("x", bytes);
  bytes.fill(0);
  peer.resume();
  await settle();
  assertEquals(peer.received, [Uint8Array.of(1, 2, 3)]);
});

test("a kept topic sends what came after `since`, and says whether all of it did", async () => {
  await using feed = topics({ keep: { messages: 3, age: 60_000 } });
  const positions = [];
  for (let n = 1; n <= 5; n++) positions.push(await feed.publish("x", `${n}`).settled);
  assertEquals(positions.map((position) => position?.offset), [1, 2, 3, 4, 5]);
  const epoch = positions[0]!.epoch;

  const cases: [since: { epoch: string; offset: number } | undefined, unknown[], boolean][] = [
    [{ epoch, offset: 5 }, [], true],
    [{ epoch, offset: 3 }, ["4", "5"], true],
    [{ epoch, offset: 2 }, ["3", "4", "5"], true],
    [{ epoch, offset: 1 }, [], false],
    [{ epoch, offset: 0 }, [], false],
    [{ epoch, offset: 6 }, [], false],
    [{ epoch, offset: 2.5 }, [], false],
    [{ epoch, offset: NaN }, [], false],
    [{ epoch, offset: -1 }, [], false],
    [{ epoch: "other", offset: 4 }, [], false],
    [undefined, [], false],
  ];
  for (const [since, expected, recovered] of cases) {
    const peer = new FakePeer();
    const subscription = feed.subscribe(peer, "x", since === undefined ? {} : { since });
    assertEquals(await subscription.ready, {
      recovered,
      position: { epoch, offset: 5 },
      replayed: expected.length,
    });
    await settle();
    assertEquals(peer.received, expected, `since ${since?.offset}`);
    subscription.unsubscribe();
  }
  const { publications, complete } = await feed.history("x");
  assertEquals([publications.map(({ data }) => data), complete], [["3", "4", "5"], false]);
  const two = await feed.history("x", { since: { epoch, offset: 2 }, limit: 2 });
  assertEquals([two.publications.map(({ data }) => data), two.complete], [["3", "4"], true]);
});

test("kept messages come before those published meanwhile, at the peer's pace", async () => {
  await using feed = topics({ keep: { messages: 100, age: 60_000 } });
  const positions = [];
  for (let n = 1; n <= 10; n++) positions.push(await feed.publish("x", `${n}`).settled);
  const peer = new FakePeer();
  peer.stall();
  const subscription = feed.subscribe(peer, "x", { since: positions[1]!, maxWaiting: 2 });
  feed.publish("x", "11");
  await settle();
  assertEquals([peer.received, subscription.waiting], [[], 9]);
  peer.resume();
  await settle();
  assertEquals(peer.received, ["3", "4", "5", "6", "7", "8", "9", "10", "11"]);
});

test("histories are bounded in age and memory; a history that is gone has another epoch", async () => {
  await using feed = topics({
    keep: (topic) => topic.startsWith("kept") ? { messages: 1000, age: 40 } : undefined,
    maxHistoryMemory: 2000,
  });
  const first = await feed.publish("kept/a", "x").settled;
  assertEquals(await feed.publish("other", "x").settled, undefined);
  for (let n = 0; n < 20; n++) feed.publish("kept/b", new Uint8Array(100));
  assert(feed.stats.historyBytes <= 2000, `${feed.stats.historyBytes}`);
  assertEquals((await feed.history("kept/a")).publications, [], "the oldest of all goes first");
  await eventually(() => feed.stats.topics === 0, 5000, "no topic is left");
  assertEquals([feed.stats.historyBytes, feed.stats.historyMessages], [0, 0]);
  assert((await feed.publish("kept/a", "y").settled)!.epoch !== first!.epoch);
});

test("a kept topic without messages knows its position for its age after the last subscriber", async () => {
  await using feed = topics({ keep: { messages: 10, age: 60_000 } });
  const peer = new FakePeer();
  const { position } = await feed.subscribe(peer, "x").ready;
  peer.end();
  feed.publish("x", "1");
  const back = new FakePeer();
  assertEquals((await feed.subscribe(back, "x", { since: position! }).ready).recovered, true);
  await settle();
  assertEquals(back.received, ["1"]);
});

test("bad input is refused by name", async () => {
  await using rooms = topics();
  const peer = new FakePeer();
  const subscribe = (options: object) => () => rooms.subscribe(peer, "x", options as never);
  assertThrows(() => rooms.subscribe(peer, ""), TypeError, "1 to 1,024");
  assertThrows(() => rooms.subscribe(peer, "x".repeat(10_000_000)), TypeError, "10000000");
  assertThrows(() => rooms.publish("x", 5 as never), TypeError, "got 5");
  assertThrows(subscribe({ whenSlow: "drop" }), TypeError, '"drop"');
  assertThrows(subscribe({ maxWaiting: 0 }), RangeError, "maxWaiting");
  assertThrows(subscribe({ onGaps() {} }), TypeError, "onGaps");
  assertThrows(subscribe({ since: "x:1" }), TypeError, "since");
  assertThrows(subscribe({ key: 1 }), TypeError, "key");
  assertThrows(() => topics({ kept: 1 } as never), TypeError, "kept");
  assertThrows(() => topics({ maxSubscriptions: -1 }), RangeError, "maxSubscriptions");
  assertThrows(() => topics({ keep: { messages: 0, age: 1 } }), RangeError, "messages");
  assertThrows(() => topics({ keep: { messages: 1.5, age: 1 } }), RangeError, "messages");
  rooms.subscribe(peer, "a\0*> b");
  assertThrows(() => rooms.subscribe(peer, "a\0*> b"), DOMException, "already");
  assertEquals(counts(rooms.publish("a\0*> b", "1")), [1, 1, 0, 0, 0]);
  assertThrows(subscribe({ signal: AbortSignal.abort() }), DOMException);
  peer.readyState = 2;
  assertThrows(subscribe({}), DOMException, "not open");
});

test("maxSubscriptions bounds the topics of one peer", async () => {
  await using rooms = topics({ maxSubscriptions: 2 });
  const peer = new FakePeer();
  rooms.subscribe(peer, "a");
  rooms.subscribe(peer, "b");
  const error = assertThrows(() => rooms.subscribe(peer, "c"), DOMException, "maxSubscriptions");
  assertEquals([error.name, rooms.stats.topics], ["QuotaExceededError", 2]);
  rooms.unsubscribe(peer, "a");
  rooms.subscribe(peer, "c");
});

test("a signal ends a subscription, and disposal ends all", async () => {
  const controller = new AbortController();
  const rooms = topics();
  const peer = new FakePeer();
  rooms.subscribe(peer, "x", { signal: controller.signal });
  rooms.subscribe(peer, "y");
  controller.abort();
  assertEquals([rooms.size("x"), rooms.size("y")], [0, 1]);
  await rooms[Symbol.asyncDispose]();
  assertEquals(rooms.size("y"), 0);
  assertThrows(() => rooms.publish("y", "1"), DOMException, "disposed");
  assertThrows(() => rooms.subscribe(peer, "y"), DOMException, "disposed");
});

test("topics() serves connections of this library, and forgets them when they close", async () => {
  await using rooms = topics();
  await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, {
    open(socket) {
      rooms.subscribe(socket, "chat");
    },
    message(socket, message) {
      rooms.publish("chat", message, { except: socket });
    },
  });
  const { port } = server.addr as { port: number };
  const clients = await Promise.all([1, 2, 3].map(() => connect(`ws://127.0.0.1:${port}/`)));
  await eventually(() => rooms.size("chat") === 3, 5000, "three subscribers");
  clients[0]!.send("hello");
  for (const client of clients.slice(1)) {
    for await (const message of client) {
      assertEquals(message, "hello");
      break;
    }
  }
  for (const client of clients) client.close();
  await Promise.all(clients.map(({ closed }) => closed));
  await eventually(() => rooms.stats.subscriptions === 0, 5000, "no subscriber");
  assertEquals(rooms.stats.topics, 0);
});

test("random calls keep the account of every message", async () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const rooms = topics({ maxSubscriptions: 8 });
  const names = ["a", "b", "c", "d"];
  const whenSlow = ["drop-oldest", "drop-newest", "latest", "close"] as const;
  const all: { sent: number; waiting: number; dropped: number }[] = [];
  const expected = { sent: 0, closed: 0 };
  let peers = Array.from({ length: 12 }, () => new FakePeer());
  for (let n = 0; n < 50_000; n++) {
    const peer = peers[random(peers.length)]!;
    const topic = names[random(names.length)]!;
    const choice = random(20);
    if (choice < 2 && peer.readyState === 1 && !rooms.unsubscribe(peer, topic)) {
      const maxWaiting = 1 + random(4);
      const options = { whenSlow: whenSlow[random(4)]!, maxWaiting, key: () => n % 3 };
      all.push(rooms.subscribe(peer, topic, options));
    } else if (choice === 2) peer.stall();
    else if (choice === 3) peer.bufferedAmount = 0;
    else if (choice === 4 && random(10) === 0) {
      peer.end();
      peers = peers.map((other) => other === peer ? new FakePeer() : other);
    } else {
      const published = rooms.publish(topic, `${n}`);
      counts(published);
      expected.closed += published.closed;
    }
    peers = peers.map((other) => other.readyState === 1 ? other : new FakePeer());
  }
  const sum = (name: "sent" | "waiting" | "dropped") =>
    all.reduce((total, of) => total + of[name], 0);
  const { stats } = rooms;
  assertEquals([stats.sent, stats.waiting, stats.dropped], [
    sum("sent"),
    sum("waiting"),
    sum("dropped"),
  ]);
  assertEquals(stats.closed, expected.closed);
  await rooms[Symbol.asyncDispose]();
});

test("a peer's subscription to a disposed history rejects nothing and leaves no timer", async () => {
  const feed = topics({ keep: { messages: 1, age: 1e9 } });
  feed.publish("x", "1");
  await feed[Symbol.asyncDispose]();
  await assertRejects(() => Promise.resolve().then(() => feed.publish("x", "2")), DOMException);
});
