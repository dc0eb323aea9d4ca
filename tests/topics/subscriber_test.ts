import { SharedMessage } from "../../src/connection/shared_message.ts";
import { Poll, Subscriber, whenClosed } from "../../src/topics/subscriber.ts";
import { Topic } from "../../src/topics/topic.ts";
import { assertEquals, delay, eventually, onTestEnd, test } from "../harness.ts";
import { FakePeer, PlainPeer } from "./fake_peer.ts";

/** A subscription that counts how often it is flushed. */
function subscriptionOf(subscriber: Subscriber, topic: string, flush = () => true) {
  const subscription = {
    parent: new Topic(topic, undefined, false),
    isActive: true,
    flushes: 0,
    flush() {
      subscription.flushes++;
      return flush();
    },
    unsubscribe() {
      subscription.isActive = false;
      subscriber.forget(subscription);
    },
  };
  subscriber.add(subscription);
  return subscription;
}

function make<Kind extends FakePeer | PlainPeer>(peer: Kind) {
  const poll = new Poll();
  onTestEnd(() => poll.close());
  const seen = { empty: 0, errors: [] as unknown[] };
  const subscriber = new Subscriber(peer, poll, {
    counts: { sent: 0, waiting: 0, dropped: 0, closed: 0 },
    onGap: undefined,
    reportError: (error) => seen.errors.push(error),
    removed() {},
    left: () => seen.empty++,
  });
  return { peer, subscriber, seen };
}

test("Subscriber.send() tells whether a message was sent, or why not", () => {
  const { peer, subscriber } = make(new FakePeer());
  assertEquals(subscriber.send(new SharedMessage("1")), "sent");
  peer.stall();
  assertEquals([subscriber.isSlow, subscriber.send(new SharedMessage("2"))], [true, "full"]);
  peer.readyState = 3;
  assertEquals([subscriber.isOpen, subscriber.send(new SharedMessage("3"))], [false, "closed"]);
  assertEquals(peer.received, ["1"]);
});

for (const Peer of [FakePeer, PlainPeer]) {
  test(`Subscriber flushes ${Peer.name} as soon as it is not slow, each subscription once`, async () => {
    const { peer, subscriber } = make(new Peer());
    peer.bufferedAmount = 100_000;
    const [a, b] = [subscriptionOf(subscriber, "a"), subscriptionOf(subscriber, "b")];
    for (let n = 0; n < 3; n++) {
      subscriber.drain(a);
      subscriber.drain(b);
    }
    await delay(5);
    assertEquals([a.flushes, b.flushes], [0, 0]);
    if (peer instanceof FakePeer) peer.resume();
    else peer.bufferedAmount = 0;
    await eventually(() => a.flushes === 1 && b.flushes === 1, 5000, "one flush each");
  });
}

test("Subscriber flushes again what is not done, and not what has ended", async () => {
  const { subscriber } = make(new FakePeer());
  const again = subscriptionOf(subscriber, "a", () => again.flushes >= 3);
  const ended = subscriptionOf(subscriber, "b");
  subscriber.drain(again);
  subscriber.drain(ended);
  ended.unsubscribe();
  await eventually(() => again.flushes === 3, 5000, "three flushes");
  await delay(5);
  assertEquals([again.flushes, ended.flushes], [3, 0]);
});

test("Subscriber ends all subscriptions when the peer closes, is too slow, or is found closed", async () => {
  const ends: ((peer: FakePeer, subscriber: Subscriber) => void)[] = [
    (peer) => peer.end(),
    (_peer, subscriber) => subscriber.closeSlow(),
    (peer, subscriber) => {
      peer.readyState = 3;
      subscriber.flush();
    },
  ];
  for (const end of ends) {
    const { peer, subscriber, seen } = make(new FakePeer());
    const all = ["a", "b"].map((topic) => subscriptionOf(subscriber, topic));
    end(peer, subscriber);
    assertEquals(all.map(({ isActive }) => isActive), [false, false]);
    assertEquals([seen.empty, subscriber.size], [1, 0]);
    await delay(0);
  }
  const { peer, subscriber } = make(new FakePeer());
  subscriber.closeSlow();
  assertEquals(peer.closedWith?.[0], 1013);
});

test("Subscriber finds and forgets few subscriptions and many, in any order", () => {
  for (const count of [1, 3, 128, 129, 300]) {
    const { subscriber, seen } = make(new FakePeer());
    const all = Array.from({ length: count }, (_, n) => subscriptionOf(subscriber, `${n}`));
    assertEquals(subscriber.size, count);
    for (const one of all) assertEquals(subscriber.find(one.parent), one);
    assertEquals(subscriber.find(new Topic("0", undefined, false)), undefined);
    // From the middle, the start and the end.
    const order = all.map((one, n) => ({ one, key: (n * 7) % count }))
      .sort((a, b) => a.key - b.key).map(({ one }) => one);
    for (const [n, one] of order.entries()) {
      assertEquals(seen.empty, 0);
      one.unsubscribe();
      assertEquals([subscriber.size, subscriber.find(one.parent)], [count - n - 1, undefined]);
      for (const other of order.slice(n + 1, n + 4)) {
        assertEquals(subscriber.find(other.parent), other);
      }
    }
    assertEquals(seen.empty, 1);
  }
});

test("Subscriber ends many subscriptions when the peer closes", () => {
  const { peer, subscriber, seen } = make(new FakePeer());
  const all = Array.from({ length: 300 }, (_, n) => subscriptionOf(subscriber, `${n}`));
  peer.end();
  assertEquals(all.filter(({ isActive }) => isActive).length, 0);
  assertEquals([seen.empty, subscriber.size], [1, 0]);
});

test("whenClosed() listens to an event or to `closed`, until it is cancelled", async () => {
  let closes = 0;
  const peer = new FakePeer();
  const cancel = whenClosed(peer, () => closes++);
  cancel();
  peer.end();
  assertEquals(closes, 0);
  const own = Object.assign(new PlainPeer(), { closed: Promise.reject(new Error("broken")) });
  whenClosed(own, () => closes++);
  whenClosed(own, () => closes++)();
  await delay(0);
  assertEquals(closes, 1);
});
