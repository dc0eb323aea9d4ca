// What the callbacks of topics throw, and what their promises reject with, goes to onError, or is printed.
// It never ends the process, and it leaves the topics usable.
import { presence, topics, topicsHandler } from "../../src/topics/mod.ts";
import type {
  Message,
  Relay,
  RelayNode,
  SubscribeOptions,
  TopicsHandlerOptions,
  TopicsOptions,
} from "../../src/topics/mod.ts";
import { assert, assertEquals, assertThrows, delay, eventually, test } from "../harness.ts";
import { printed } from "../support/printed.ts";
import { FakePeer, PlainPeer } from "./fake_peer.ts";

const BUG = new Error("a bug of the application");

const ways: [name: string, run: () => never][] = [
  ["throws", () => {
    throw BUG;
  }],
  ["returns a promise that rejects", () => Promise.reject(BUG) as never],
];

for (const [name, run] of ways) {
  test(`onError of topics() that ${name} is printed, and the topic goes on`, async () => {
    const lines = await printed(async () => {
      await using rooms = topics({ onError: run });
      const [broken, peer] = [new PlainPeer(), new PlainPeer()];
      rooms.subscribe(broken, "a", {
        encode: () => {
          throw new TypeError("encode");
        },
      });
      rooms.subscribe(peer, "a");
      for (const text of ["one", "two"]) {
        assertEquals(rooms.publish("a", text).sent, 1);
      }
      assertEquals(peer.received, ["one", "two"]);
      await delay(0);
    });
    assertEquals(lines, [["onError() has thrown", BUG], ["onError() has thrown", BUG]]);
  });

  for (const callback of ["onStart", "onGap", "encode", "key"] as const) {
    test(`${callback} of subscribe() that ${name} is reported to onError`, async () => {
      const errors: unknown[] = [];
      await using rooms = topics({ onError: (error) => errors.push(error) });
      const [peer, other] = [new FakePeer(), new FakePeer()];
      const options: SubscribeOptions = { maxWaiting: 1, whenSlow: "latest", [callback]: run };
      rooms.subscribe(peer, "a", options);
      rooms.subscribe(other, "a");
      rooms.publish("a", "one");
      peer.stall();
      for (const text of ["two", "three"]) rooms.publish("a", text);
      peer.resume();
      await eventually(() => errors.length > 0, 5000, "the error");
      const isReported = errors.includes(BUG) ||
        (callback === "encode" && errors.every((error) => error instanceof TypeError));
      assert(isReported, String(errors));
      assertEquals(other.received, ["one", "two", "three"]);
    });
  }

  test(`send() and close() of a peer that ${name} are reported to onError`, async () => {
    for (const method of ["send", "close"] as const) {
      const errors: unknown[] = [];
      await using rooms = topics({ onError: (error) => errors.push(error) });
      const peer = Object.assign(new PlainPeer(), { [method]: run });
      rooms.subscribe(peer, "a", { maxWaiting: 1 });
      rooms.publish("a", "one");
      peer.bufferedAmount = 100_000;
      for (const text of ["two", "three"]) rooms.publish("a", text);
      await eventually(() => errors.includes(BUG), 5000, "the error");
    }
  });

  test(`onGap of topics() that ${name} is reported to onError, also for a relay`, async () => {
    const errors: unknown[] = [];
    let node: RelayNode | undefined;
    const relay: Relay = {
      start: (started) => {
        node = started;
        return Promise.resolve();
      },
      subscribe: () => Promise.resolve(),
      unsubscribe() {},
      send: () => () => Promise.resolve(),
      store: () => Promise.reject(BUG),
      read: () => Promise.reject(BUG),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    await using rooms = topics({ relay, onGap: run, onError: (error) => errors.push(error) });
    rooms.subscribe(new PlainPeer(), "a");
    node!.gap({ topic: "a", count: 1, why: "relay" });
    await eventually(() => errors.includes(BUG), 5000, "the error");
  });

  test(`keep() that ${name} throws from publish() and subscribe()`, async () => {
    await using rooms = topics({ keep: run as TopicsOptions["keep"] & (() => never) });
    assertThrows(() => rooms.publish("a", "one"));
    assertThrows(() => rooms.subscribe(new PlainPeer(), "a"));
    await delay(0);
  });

  test(`subscribe() and onError() of topicsHandler() that ${name} refuse, and are printed`, async () => {
    const lines = await printed(async () => {
      await using rooms = topics();
      const handler = topicsHandler<PlainPeer>(rooms, { subscribe: run, onError: run });
      const peer = new PlainPeer();
      handler.open(peer);
      handler.message(peer, JSON.stringify({ subscribe: "a" }));
      await eventually(() => peer.received.length === 1, 5000, "the refusal");
      assertEquals(JSON.parse(peer.received[0] as string).refused, "a");
      assertEquals(rooms.size("a"), 0);
    });
    assertEquals(lines, [["onError() has thrown", BUG]]);
  });

  test(`send() of a peer of topicsHandler() that ${name} is reported to onError`, async () => {
    const errors: unknown[] = [];
    await using rooms = topics({ onError: (error) => errors.push(error) });
    const options: TopicsHandlerOptions<PlainPeer> = {
      subscribe: () => true,
      onError: (error) => errors.push(error),
    };
    const handler = topicsHandler(rooms, options);
    const peer = Object.assign(new PlainPeer(), { send: run });
    for (const control of [{ subscribe: "a" }, { subscribe: "a" }, { unsubscribe: "a" }]) {
      handler.message(peer, JSON.stringify(control));
      await delay(0);
    }
    assert(errors.includes(BUG));
  });
}

const refusals: unknown[] = [
  new Response(null, { status: 403 }),
  new Error("no"),
  [],
  new Map(),
  new (class Denied {})(),
  "yes",
  1,
  { status: 401 },
  Symbol("yes"),
  () => true,
];
for (const [i, answer] of refusals.entries()) {
  test(`subscribe() of topicsHandler() lets no client in by the result ${i}`, async () => {
    const errors: unknown[] = [];
    await using rooms = topics();
    const handler = topicsHandler<PlainPeer>(rooms, {
      subscribe: () => answer as boolean,
      onError: (error) => errors.push(error),
    });
    const peer = new PlainPeer();
    handler.message(peer, JSON.stringify({ subscribe: "a" }));
    await eventually(() => peer.received.length === 1, 5000, "the answer");
    assertEquals(JSON.parse(peer.received[0] as string).refused, "a");
    assertEquals(rooms.size("a"), 0);
    assert(errors[0] instanceof TypeError, String(errors[0]));
  });
}

test("an encode() that returns nothing sends nothing, not the plain message", async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  await using rooms = topics({ onError });
  const encode = (() => undefined) as unknown as () => Message;
  const handler = topicsHandler<PlainPeer>(rooms, { subscribe: () => ({ encode }), onError });
  const peer = new PlainPeer();
  handler.message(peer, JSON.stringify({ subscribe: "a" }));
  await eventually(() => rooms.size("a") === 1, 5000, "the subscription");
  rooms.publish("a", "secret");
  await delay(0);
  assert(!peer.received.some((message) => String(message).includes("secret")));
  assert(errors[0] instanceof TypeError, String(errors[0]));
});

test("presence goes on when onError of its topics throws", async () => {
  const lines = await printed(async () => {
    await using rooms = topics({ onError: ways[0]![1] });
    await using people = presence<string>(rooms);
    people.join(new PlainPeer(), "a", "key", "state");
    assertEquals(people.count("a"), 1);
  });
  assertEquals(lines, []);
});
