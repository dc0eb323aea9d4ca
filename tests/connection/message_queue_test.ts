import { MessageQueue } from "../../src/connection/message_queue.ts";
import { DEFAULT_LIMITS } from "../../src/connection/limits.ts";
import { assertEquals, test } from "../harness.ts";

/** A queue, and how often its source was asked for more. */
function makeIncoming(limits = {}, onWanted: (incoming: MessageQueue) => void = () => {}) {
  const source = {
    asked: 0,
    wanted() {
      source.asked++;
      onWanted(incoming);
    },
  };
  const incoming = new MessageQueue(source, { ...DEFAULT_LIMITS, ...limits });
  return { incoming, source };
}

test("MessageQueue delivers in order, those that wait and those that came before", async () => {
  const { incoming } = makeIncoming();
  incoming.push("one");
  incoming.push("two");
  assertEquals(await incoming.next(), { done: false, value: "one" });
  assertEquals(await incoming.next(), { done: false, value: "two" });
  const waiting = [incoming.next(), incoming.next()];
  incoming.push("three");
  incoming.push("four");
  assertEquals((await Promise.all(waiting)).map(({ value }) => value), ["three", "four"]);
});

test("MessageQueue asks its source once it is empty, and takes what comes of that", async () => {
  let count = 0;
  const { incoming, source } = makeIncoming({}, (incoming) => incoming.push(`${++count}`));
  incoming.push("first");
  assertEquals((await incoming.next()).value, "first");
  assertEquals(source.asked, 0);
  assertEquals((await incoming.next()).value, "1");
  assertEquals(source.asked, 1);
});

test("MessageQueue is full at its mark of messages, and of bytes or characters", async () => {
  const { incoming } = makeIncoming({ incomingMaxMessages: 2, incomingHighWaterMark: 10 });
  assertEquals(incoming.isFull, false);
  incoming.push("1");
  assertEquals(incoming.isFull, false);
  incoming.push("2");
  assertEquals(incoming.isFull, true);
  await incoming.next();
  assertEquals(incoming.isFull, false);
  await incoming.next();
  incoming.push("0123456789");
  assertEquals(incoming.isFull, true);
  await incoming.next();
  assertEquals(incoming.isFull, false);
  incoming.push(new Uint8Array(10));
  assertEquals(incoming.isFull, true);
});

test("MessageQueue is settled once whoever took the last message asks again, or leaves", async () => {
  const { incoming } = makeIncoming();
  assertEquals(incoming.isSettled, true);
  incoming.push("one");
  assertEquals(incoming.isSettled, false);
  await incoming.next();
  assertEquals(incoming.isSettled, false, "it's being handled");
  const next = incoming.next();
  assertEquals(incoming.isSettled, true);
  incoming.push("two");
  await next;
  assertEquals(incoming.isSettled, false);
  await incoming.return();
  assertEquals(incoming.isSettled, true);
});

test("MessageQueue delivers what it has after its end, then nothing", async () => {
  const { incoming } = makeIncoming();
  incoming.push("one");
  incoming.end();
  assertEquals(await incoming.next(), { done: false, value: "one" });
  assertEquals(await incoming.next(), { done: true, value: undefined });
  assertEquals(await incoming.next(), { done: true, value: undefined });
});

test("MessageQueue's end reaches all who wait", async () => {
  const { incoming } = makeIncoming();
  const waiting = [incoming.next(), incoming.next()];
  incoming.end();
  assertEquals((await Promise.all(waiting)).map(({ done }) => done), [true, true]);
});

test("MessageQueue is its own iterator, and leaving it keeps what is there", async () => {
  const { incoming, source } = makeIncoming();
  assertEquals(incoming[Symbol.asyncIterator]() === incoming, true);
  for (const message of ["one", "two", "three"]) incoming.push(message);
  for await (const message of incoming) {
    assertEquals(message, "one");
    break;
  }
  assertEquals(source.asked, 0);
  for await (const message of incoming) if (message === "three") break;
  assertEquals(source.asked, 1, "there is room for more when the last one is taken");
});
