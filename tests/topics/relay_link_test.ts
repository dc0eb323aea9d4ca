import { topics } from "../../src/topics/mod.ts";
import type { History, Relay, RelayNode } from "../../src/topics/mod.ts";
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

  store() {
    return Promise.reject(new Error("not used"));
  }

  reads = 0;

  async read(topic: string, since = { epoch: "e", offset: 0 }): Promise<History> {
    this.reads++;
    await this.#fail("read");
    const publications = this.stored.map((data, n) => ({
      topic,
      data,
      position: { epoch: "e", offset: n + 1 },
    })).slice(since.offset);
    const position = { epoch: "e", offset: this.stored.length };
    return { publications, position, complete: true };
  }

  #fail(what: "subscribe" | "read"): Promise<void> {
    const error = this.failures[what];
    delete this.failures[what];
    return error === undefined ? Promise.resolve() : Promise.reject(error);
  }

  /** Delivers a stored message. */
  deliver(offset: number): void {
    const data = this.stored[offset - 1]!;
    this.node.receive({ topic: "x", data, node: "other", position: { epoch: "e", offset } });
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
  await rooms.subscribe(first, "x").ready;
  const failure = relay.failures.read = new Error("The broker is down");
  relay.stored.push("1");
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
