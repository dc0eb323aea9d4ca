import { SharedMessage } from "../../src/connection/shared_message.ts";
import { Poll, Subscriber } from "../../src/topics/subscriber.ts";
import { TopicSubscription } from "../../src/topics/subscription.ts";
import { Topic } from "../../src/topics/topic.ts";
import type { Publication, SubscribeOptions } from "../../src/topics/types.ts";
import { assertEquals, assertRejects, delay, onTestEnd, test } from "../harness.ts";
import { FakePeer } from "./fake_peer.ts";

const at = (offset: number, epoch = "e") => ({ epoch, offset });

/** A message, kept if it has an offset. */
function publication(data: string, offset?: number, epoch?: string): Publication {
  return offset === undefined
    ? { topic: "x", data }
    : { topic: "x", data, position: at(offset, epoch) };
}

function make(options: SubscribeOptions = {}) {
  const peer = new FakePeer();
  const poll = new Poll();
  onTestEnd(() => poll.close());
  const counts = { sent: 0, waiting: 0, dropped: 0, closed: 0 };
  const errors: unknown[] = [];
  const reportError = (error: unknown) => errors.push(error);
  const context = { counts, onGap: undefined, reportError, removed() {}, left() {} };
  const subscriber = new Subscriber(peer, poll, context);
  const topic = new Topic<TopicSubscription>("x", undefined, false);
  const subscription = new TopicSubscription(topic, subscriber, {
    onGap: ({ count, why }) => peer.received.push(`${why} ${count}`),
    ...options,
  }, false);
  topic.add(subscription);
  subscriber.add(subscription);
  const deliver = (data: string, offset?: number, epoch?: string) =>
    subscription.deliver(publication(data, offset, epoch), new SharedMessage(data));
  return { peer, subscription, counts, errors, deliver };
}

test("TopicSubscription.deliver() sends, queues for a slow peer, and counts each message once", async () => {
  const { peer, subscription, counts, deliver } = make();
  subscription.begin(undefined, false, []);
  assertEquals(deliver("1"), "sent");
  peer.stall();
  assertEquals([deliver("2"), deliver("3")], ["waiting", "waiting"]);
  assertEquals([subscription.sent, subscription.waiting, counts.waiting], [1, 2, 2]);
  peer.resume();
  await delay(0);
  assertEquals(peer.received, ["1", "2", "3"]);
  assertEquals(counts, { sent: 3, waiting: 0, dropped: 0, closed: 0 });
});

test("a gap is told before a message of the same turn", () => {
  const { peer, subscription, deliver } = make();
  subscription.begin(undefined, false, []);
  subscription.skipLost(2, undefined);
  deliver("3");
  assertEquals(peer.received, ["relay 2", "3"]);
});

test("a gap before the start does not keep the process busy", async () => {
  const { peer, subscription, deliver } = make();
  subscription.queueUntilBegin();
  deliver("4", 4);
  subscription.skipLost(1, at(5));
  deliver("6", 6);
  // A timer runs, although messages wait.
  await delay(1);
  assertEquals([peer.received, subscription.waiting], [[], 2]);
  subscription.begin(at(3), false, []);
  await delay(0);
  assertEquals(peer.received, ["4", "relay 1", "6"]);
});

test("a plain subscription is not told of losses of before its start", async () => {
  const { peer, subscription } = make();
  subscription.skipLost(3, undefined);
  subscription.begin(undefined, false, []);
  await delay(0);
  assertEquals(peer.received, []);
});

test("what the store's answer had is neither sent again nor told as lost", async () => {
  const { peer, subscription, deliver } = make();
  subscription.queueUntilBegin();
  deliver("2", 2);
  subscription.skipLost(2, at(4));
  deliver("5", 5);
  subscription.begin(at(3), true, [publication("1", 1), publication("2", 2), publication("3", 3)]);
  assertEquals([subscription.hasHad(at(3)), subscription.hasHad(at(4))], [true, false]);
  assertEquals([subscription.hasHad(at(1, "other")), subscription.hasHad(undefined)], [
    false,
    false,
  ]);
  await delay(0);
  assertEquals(peer.received, ["1", "2", "3", "relay 1", "5"]);
});

test("messages of an earlier history that came before the start are not sent", async () => {
  const { peer, subscription, deliver } = make();
  subscription.queueUntilBegin();
  deliver("old", 9, "earlier");
  deliver("2", 2);
  subscription.begin(at(1), false, []);
  await delay(0);
  assertEquals(peer.received, ["2"]);
  assertEquals(subscription.waiting, 0);
});

test("the end drops what waits, and rejects `ready` of a subscription that has not started", async () => {
  const { peer, subscription, counts, deliver } = make();
  subscription.queueUntilBegin();
  const { ready } = subscription;
  deliver("1", 1);
  deliver("2", 2);
  subscription.unsubscribe();
  subscription.unsubscribe();
  assertEquals([subscription.isActive, subscription.dropped, counts.waiting], [false, 2, 0]);
  await assertRejects(() => ready, DOMException, "ended");
  subscription.begin(at(0), false, []);
  assertEquals(peer.received, []);
});

test("onGap may end the subscription, and with it the message that follows", () => {
  const { peer, subscription, deliver } = make({ onGap: () => subscription.unsubscribe() });
  subscription.begin(undefined, false, []);
  subscription.skipLost(1, undefined);
  assertEquals(deliver("2"), "dropped");
  assertEquals([peer.received, subscription.isActive], [[], false]);
});

test("a peer that is closed already is counted as closed, and a send() that throws as dropped", () => {
  const { peer, subscription, counts, errors, deliver } = make();
  subscription.begin(undefined, false, []);
  peer.fails = new Error("broken");
  assertEquals(deliver("1"), "dropped");
  peer.fails = undefined;
  peer.readyState = 3;
  assertEquals(deliver("2"), "closed");
  assertEquals([counts.dropped, counts.closed, errors.length], [1, 1, 1]);
});
