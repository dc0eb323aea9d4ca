import { topics } from "../../src/topics/mod.ts";
import type {
  History,
  Message,
  Publication,
  Relay,
  RelayNode,
  SubscribeOptions,
  Topics,
} from "../../src/topics/mod.ts";
import { assert, assertEquals, delay, eventually, test } from "../harness.ts";
import { FakePeer } from "./fake_peer.ts";

/** A relay whose store is a list; the test delivers its messages. */
class FakeRelay implements Relay {
  node!: RelayNode;
  readonly stored: string[] = [];
  subscriptions = 0;
  /** What the next calls reject with. */
  readonly failures: { subscribe?: Error; read?: Error } = {};

  start(node: RelayNode): Promise<void> {
    this.node = node;
    return Promise.resolve();
  }

  async subscribe(): Promise<void> {
    this.subscriptions++;
    await this.#fail("subscribe");
  }

  unsubscribe = () => {};
  send = () => () => Promise.resolve();

  /** Stores a message, without delivering it. */
  store({ data }: { data: Message }) {
    return Promise.resolve({ epoch: "e", offset: this.stored.push(data as string) });
  }

  reads = 0;

  /** What happens while the store is read. */
  onRead = () => {};

  async read(topic: string, since = { epoch: "e", offset: 0 }): Promise<History> {
    this.reads++;
    await this.#fail("read");
    const publications = this.stored.map((data, n) => ({
      topic,
      data,
      position: { epoch: "e", offset: n + 1 },
    })).slice(since.offset);
    const position = { epoch: "e", offset: this.stored.length };
    this.onRead();
    return { publications, position, complete: true };
  }

  #fail(what: "subscribe" | "read"): Promise<void> {
    const error = this.failures[what];
    delete this.failures[what];
    return error === undefined ? Promise.resolve() : Promise.reject(error);
  }

  /** Delivers a stored message. */
  deliver(offset: number, epoch = "e"): void {
    const data = this.stored[offset - 1]!;
    this.node.receive({ topic: "x", data, node: "other", position: { epoch, offset } });
  }

  /** Stores messages, and delivers them. */
  publish(...messages: string[]): void {
    for (const message of messages) this.deliver(this.stored.push(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const keep = { messages: 100, age: 60_000 };

test("a message that was read from the store is not sent again when it arrives", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  relay.stored.push("1", "2");
  const peer = new FakePeer();
  const subscription = rooms.subscribe(peer, "x", { since: { epoch: "e", offset: 1 } });
  assertEquals((await subscription.ready).replayed, 1);
  relay.deliver(2);
  relay.stored.push("3");
  relay.deliver(3);
  await eventually(() => peer.received.length >= 2, 1000, "the messages");
  assertEquals(peer.received, ["2", "3"]);
  assertEquals([subscription.sent, subscription.dropped], [2, 0]);
});

test("a topic that is live does not begin again when a read of its store fails", async () => {
  const relay = new FakeRelay();
  const errors: unknown[] = [];
  await using rooms = topics({ relay, keep, onError: (error) => errors.push(error) });
  const [first, second] = [new FakePeer(), new FakePeer()];
  relay.stored.push("1");
  await rooms.subscribe(first, "x").ready;
  const failure = relay.failures.read = new Error("The broker is down");
  const since = { epoch: "e", offset: 0 };
  assertEquals((await rooms.subscribe(second, "x", { since }).ready).replayed, 1);
  assertEquals([relay.subscriptions, errors], [1, [failure]]);
});

test("a topic begins again when its subscription at the broker fails", async () => {
  const relay = new FakeRelay();
  const errors: unknown[] = [];
  await using rooms = topics({ relay, keep, onError: (error) => errors.push(error) });
  const failure = relay.failures.subscribe = new Error("The broker is down");
  const ready = [new FakePeer(), new FakePeer()].map((peer) => rooms.subscribe(peer, "x").ready);
  await Promise.all(ready);
  assertEquals([relay.subscriptions, [...new Set(errors)]], [2, [failure]]);
});

test("subscribers that return one after the other share reads of the store", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  relay.stored.push("1", "2");
  const all = [];
  for (let n = 0; n < 100; n++) {
    all.push(rooms.subscribe(new FakePeer(), "x", { since: { epoch: "e", offset: n % 2 } }).ready);
    await delay(0);
  }
  const replayed = (await Promise.all(all)).map(({ replayed }) => replayed);
  assertEquals(replayed, all.map((_, n) => 2 - n % 2));
  assert(relay.reads < 20, `${relay.reads} reads`);
});

/** Subscribes a peer, and returns what it gets and whether it has recovered. */
async function recover(rooms: Topics, offset: number, encode?: SubscribeOptions["encode"]) {
  const peer = new FakePeer();
  const since = { epoch: "e", offset };
  const options = encode === undefined ? { since } : { since, encode };
  const { recovered, position } = await rooms.subscribe(peer, "x", options).ready;
  await delay(0);
  return [recovered, position?.offset, ...peer.received];
}

test("a read of the store serves later subscribers, with the live messages after it", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  relay.stored.push("1", "2");
  // A message that arrives while the store is read, and is not in what is read.
  relay.onRead = () => {
    relay.onRead = () => {};
    relay.publish("3");
  };
  assertEquals(await recover(rooms, 1), [true, 2, "2", "3"]);
  relay.publish("4");
  assertEquals(await recover(rooms, 4), [true, 4]);
  assertEquals(await recover(rooms, 2), [true, 4, "3", "4"]);
  assertEquals(await recover(rooms, 0), [true, 4, "1", "2", "3", "4"]);
  relay.deliver(3);
  assertEquals(await recover(rooms, 2), [true, 4, "3", "4"]);
  const { position } = await rooms.subscribe(new FakePeer(), "x").ready;
  assertEquals([position, relay.reads], [{ epoch: "e", offset: 4 }, 1]);
});

test("a replayed message is encoded once for all subscribers with the same encode", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  relay.stored.push("1", "2");
  const encoded: unknown[] = [];
  const encode = ({ data }: Publication) => {
    encoded.push(data);
    return `<${data}>`;
  };
  for (let n = 0; n < 3; n++) {
    assertEquals(await recover(rooms, 0, encode), [true, 2, "<1>", "<2>"]);
    assertEquals(await recover(rooms, 1), [true, 2, "2"]);
  }
  assertEquals(encoded, ["1", "2"]);
});

const ends: [what: string, end: (relay: FakeRelay) => void][] = [
  ["messages are lost", (relay) => relay.node.gap({ topic: "x", count: 1, why: "relay" })],
  ["a message of another epoch comes", (relay) => relay.deliver(1, "other")],
];
for (const [what, end] of ends) {
  test(`the store is read again for later subscribers after ${what}`, async () => {
    const relay = new FakeRelay();
    await using rooms = topics({ relay, keep });
    relay.stored.push("1");
    await recover(rooms, 0);
    relay.stored.push("2"); // never delivered
    end(relay);
    relay.publish("3");
    assertEquals(await recover(rooms, 1), [true, 3, "2", "3"]);
    assertEquals(relay.reads, 2);
  });

  test(`what is read serves no later subscribers if ${what} meanwhile`, async () => {
    const relay = new FakeRelay();
    await using rooms = topics({ relay, keep });
    relay.stored.push("1");
    relay.onRead = () => {
      relay.onRead = () => {};
      relay.stored.push("2"); // never delivered
      end(relay);
      relay.publish("3");
    };
    await recover(rooms, 0);
    assertEquals(await recover(rooms, 1), [true, 3, "2", "3"]);
    assertEquals(relay.reads, 2);
  });
}

test("the store is read again after the last subscriber has left", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  relay.stored.push("1");
  const peer = new FakePeer();
  await rooms.subscribe(peer, "x", { since: { epoch: "e", offset: 0 } }).ready;
  rooms.unsubscribe(peer, "x");
  relay.stored.push("2"); // not delivered: the topic is not received
  assertEquals(await recover(rooms, 1), [true, 2, "2"]);
  assertEquals(relay.reads, 2);
});

test("an earlier read serves no positions of before what is kept, or of another epoch", async () => {
  for (const limits of [{ messages: 2 }, { messages: 100, bytes: 4 }]) {
    const relay = new FakeRelay();
    await using rooms = topics({ relay, keep: { ...limits, age: 60_000 } });
    await recover(rooms, 0);
    relay.publish("1", "2", "3");
    assertEquals(await recover(rooms, 1), [true, 3, "2", "3"]);
    assertEquals(relay.reads, 1);
    await recover(rooms, 0);
    assertEquals(relay.reads, 2);
    assertEquals(await recover(rooms, 4), [false, 3]);
    assertEquals(relay.reads, 3);
    const since = { epoch: "other", offset: 2 };
    assertEquals((await rooms.subscribe(new FakePeer(), "x", { since }).ready).recovered, false);
    assertEquals(relay.reads, 4);
  }
});

test("a read serves later subscribers within maxHistoryMemory, and for a part of age", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep, maxHistoryMemory: 4 });
  await recover(rooms, 0);
  relay.publish("1", "2");
  await recover(rooms, 0);
  assertEquals(relay.reads, 1);
  relay.publish("3");
  await recover(rooms, 1);
  assertEquals(relay.reads, 2);

  const other = new FakeRelay();
  await using short = topics({ relay: other, keep: { messages: 100, age: 500 } });
  other.stored.push("1");
  await recover(short, 1);
  await recover(short, 1);
  assertEquals(other.reads, 1);
  await delay(60);
  await recover(short, 1);
  assertEquals(other.reads, 2);
});

test("a subscriber that comes after a message has settled begins after it", async () => {
  const relay = new FakeRelay();
  await using rooms = topics({ relay, keep });
  await recover(rooms, 0);
  await rooms.publish("x", "1").settled;
  const { position } = await rooms.subscribe(new FakePeer(), "x").ready;
  assertEquals([position?.offset, relay.reads], [1, 2]);
  await rooms.publish("x", "2").settled;
  relay.deliver(2);
  assertEquals(await recover(rooms, 0), [true, 2, "1", "2"]);
  assertEquals(relay.reads, 3);
  await rooms.publish("x", "3").settled;
  relay.deliver(3);
  assertEquals(await recover(rooms, 1), [true, 3, "2", "3"]);
  assertEquals(relay.reads, 3);
});
