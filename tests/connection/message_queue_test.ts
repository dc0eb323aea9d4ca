import { MessageQueue } from "../../src/connection/message_queue.ts";
import { DEFAULT_LIMITS } from "../../src/connection/limits.ts";
import { assert, assertEquals, test } from "../harness.ts";

/** A queue, and how often it has reported to its connection that it is idle. */
function makeQueue(limits = {}, more: (queue: MessageQueue) => void = () => {}) {
  const connection = {
    asked: 0,
    onIdle() {
      connection.asked++;
      more(queue);
    },
  };
  const queue = new MessageQueue(connection, { ...DEFAULT_LIMITS, ...limits });
  return { queue, connection };
}

test("MessageQueue delivers in order, messages before and after the calls of next()", async () => {
  const { queue } = makeQueue();
  queue.push("one");
  queue.push("two");
  assertEquals(await queue.next(), { done: false, value: "one" });
  assertEquals(await queue.next(), { done: false, value: "two" });
  const waiting = [queue.next(), queue.next()];
  queue.push("three");
  queue.push("four");
  assertEquals((await Promise.all(waiting)).map(({ value }) => value), ["three", "four"]);
});

test("MessageQueue reports that it is empty, and takes the messages that result from that", async () => {
  let count = 0;
  const { queue, connection } = makeQueue({}, (queue) => queue.push(`${++count}`));
  queue.push("first");
  assertEquals((await queue.next()).value, "first");
  assertEquals(connection.asked, 0);
  assertEquals((await queue.next()).value, "1");
  assertEquals(connection.asked, 1);
});

test("MessageQueue is full at its mark of messages, and of bytes or characters", async () => {
  const { queue } = makeQueue({ incomingMaxMessages: 2, incomingHighWaterMark: 10 });
  assertEquals(queue.isFull, false);
  queue.push("1");
  assertEquals(queue.isFull, false);
  queue.push("2");
  assertEquals(queue.isFull, true);
  await queue.next();
  assertEquals(queue.isFull, false);
  await queue.next();
  queue.push("0123456789");
  assertEquals(queue.isFull, true);
  await queue.next();
  assertEquals(queue.isFull, false);
  queue.push(new Uint8Array(10));
  assertEquals(queue.isFull, true);
});

test("MessageQueue is idle when the caller with the last message asks again, or leaves", async () => {
  const { queue } = makeQueue();
  assertEquals(queue.isIdle, true);
  queue.push("one");
  assertEquals(queue.isIdle, false);
  await queue.next();
  assertEquals(queue.isIdle, false, "it's being handled");
  const next = queue.next();
  assertEquals(queue.isIdle, true);
  queue.push("two");
  await next;
  assertEquals(queue.isIdle, false);
  await queue.return();
  assertEquals(queue.isIdle, true);
});

test("MessageQueue delivers what it has after its end, then nothing", async () => {
  const { queue } = makeQueue();
  queue.push("one");
  queue.end();
  assertEquals(await queue.next(), { done: false, value: "one" });
  assertEquals(await queue.next(), { done: true, value: undefined });
  assertEquals(await queue.next(), { done: true, value: undefined });
});

test("MessageQueue.end reaches all pending calls of next()", async () => {
  const { queue } = makeQueue();
  const waiting = [queue.next(), queue.next()];
  queue.end();
  assertEquals((await Promise.all(waiting)).map(({ done }) => done), [true, true]);
});

test("MessageQueue is its own iterator, and leaving it keeps what is there", async () => {
  const { queue, connection } = makeQueue();
  assertEquals(queue[Symbol.asyncIterator]() === queue, true);
  for (const message of ["one", "two", "three"]) queue.push(message);
  for await (const message of queue) {
    assertEquals(message, "one");
    break;
  }
  assertEquals(connection.asked, 1, "a loop that is left replies to no message any more");
  for await (const message of queue) if (message === "three") break;
  assertEquals(connection.asked, 2, "there is room for more when the last one is taken");
});

test("MessageQueue may be replied to while a caller has a message and does not wait for the next", async () => {
  const { queue } = makeQueue();
  assertEquals(queue.mayReply, false);
  queue.push("one");
  assertEquals(queue.mayReply, false, "it is unread");
  await queue.next();
  assertEquals(queue.mayReply, true);
  const next = queue.next();
  assertEquals(queue.mayReply, false);
  queue.push("two");
  await next;
  assertEquals(queue.mayReply, true);
  queue.release();
  assertEquals(queue.mayReply, false, "the application waits for the end");
});

test("MessageQueue drops all messages after one that has no room, when it may not hold back", async () => {
  const { queue } = makeQueue({ incomingMaxMessages: 1 });
  const connection = {
    socket: undefined,
    isOpen: false,
    isClosing: true,
    onIdle() {},
    handlerFailed() {},
    reportError() {},
  };
  assertEquals(queue.message("one", connection), false);
  assertEquals([queue.message("two", connection), queue.isCut], [false, true]);
  assertEquals((await queue.next()).value, "one");
  assertEquals(queue.message("three", connection), true, "there is room, but");
  assertEquals(queue.length, 0);
});

test("MessageQueue counts the chunks that more than 256 messages keep in memory", async () => {
  const { queue } = makeQueue();
  for (let i = 0; i < 1000; i++) queue.push(new Uint8Array(10_000).subarray(0, 10));
  const usage = queue.memoryUsage;
  assert(usage >= 10_000_000 && usage <= 11_000_000, `${usage}`);
  for (let i = 0; i < 600; i++) await queue.next();
  const left = queue.memoryUsage;
  assert(left >= 4_000_000 && left <= 4_500_000, `${left}`);
  for (let i = 0; i < 400; i++) await queue.next();
  assertEquals(queue.memoryUsage, 0);
});

test("MessageQueue.compact copies messages that keep a much larger chunk, and no others", async () => {
  const { queue } = makeQueue();
  const large = new Uint8Array(10_000);
  const views = [large.subarray(0, 5000), new Uint8Array(9000).subarray(1, 3)];
  for (const view of views) queue.push(view);
  queue.push("text");
  const before = queue.memoryUsage;
  queue.compact();
  assert(before - queue.memoryUsage >= 8900);
  const [first, second] = [await queue.next(), await queue.next()].map(({ value }) => value);
  assertEquals(first === views[0], true);
  assertEquals([second === views[1], second], [false, views[1]]);
  queue.compact();
});
