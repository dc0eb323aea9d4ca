import { SharedMessage } from "../../src/connection/shared_message.ts";
import { Poll, Subscriber, whenClosed } from "../../src/topics/subscriber.ts";
import { assertEquals, delay, eventually, onTestEnd, test } from "../harness.ts";
import { FakePeer, PlainPeer } from "./fake_peer.ts";

/** A subscription that counts how often it is flushed. */
function subscriptionOf(subscriber: Subscriber, topic: string, flush = () => true) {
  const subscription = {
    topic,
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
  subscriber.subscriptions.set(topic, subscription);
  return subscription;
}

function make<Kind extends FakePeer | PlainPeer>(peer: Kind) {
  const poll = new Poll();
  onTestEnd(() => poll.close());
  const seen = { empty: 0, errors: [] as unknown[] };
  const subscriber = new Subscriber(peer, poll, {
    onEmpty: () => seen.empty++,
    onError: (error) => seen.errors.push(error),
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
    assertEquals([seen.empty, subscriber.subscriptions.size], [1, 0]);
    await delay(0);
  }
  const { peer, subscriber } = make(new FakePeer());
  subscriber.closeSlow();
  assertEquals(peer.closedWith?.[0], 1013);
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
