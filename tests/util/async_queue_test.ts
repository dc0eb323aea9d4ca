import { AsyncQueue } from "../../src/util/async_queue.ts";
import { assertEquals, assertStrictEquals, test } from "../harness.ts";

const END: IteratorResult<never, undefined> = { done: true, value: undefined };
const got = <T>(value: T): IteratorResult<T, undefined> => ({ done: false, value });

function queueOf<T extends NonNullable<unknown>>(...items: T[]): AsyncQueue<T> {
  const queue = new AsyncQueue<T>();
  for (const item of items) queue.push(item);
  return queue;
}

test("AsyncQueue gives its items in the order they were pushed", async () => {
  const queue = queueOf("a", "b");
  queue.end();
  const items: string[] = [];
  for await (const item of queue) items.push(item);
  assertEquals(items, ["a", "b"]);
});

test("AsyncQueue gives falsy items", async () => {
  const queue = queueOf<string | number | false>("", 0, false);
  assertEquals(await queue.next(), got(""));
  assertEquals(queue.poll(), 0);
  assertEquals(await queue.next(), got(false));
});

test("AsyncQueue answers waiting consumers in the order of their calls", async () => {
  const queue = queueOf<number>();
  const results = [queue.next(), queue.next(), queue.next()];
  assertEquals(queue.isAwaited, true);
  assertEquals(queue.push(1), true);
  assertEquals(queue.push(2), true);
  assertEquals(queue.isAwaited, true);
  queue.end();
  assertEquals(queue.isAwaited, false);
  assertEquals(await Promise.all(results), [got(1), got(2), END]);
});

test("AsyncQueue.push reports whether a consumer has got the item", async () => {
  const queue = queueOf<number>();
  const result = queue.next();
  assertEquals(queue.push(1), true);
  assertEquals(queue.push(2), false);
  assertEquals(await result, got(1));
  assertEquals(queue.length, 1);
});

test("AsyncQueue ends after the items that are left, and stays ended", async () => {
  const queue = queueOf(1);
  assertEquals(queue.hasEnded, false);
  queue.end();
  assertEquals(queue.hasEnded, true);
  assertEquals(await queue.next(), got(1));
  assertEquals(await queue.next(), END);
  assertEquals(await queue.next(), END);
});

test("AsyncQueue.return keeps the items for the next loop", async () => {
  const queue = queueOf(1, 2);
  for await (const item of queue) {
    assertEquals(item, 1);
    break;
  }
  assertEquals(await queue.return(), END);
  assertEquals(await queue.next(), got(2));
});

test("AsyncQueue.poll takes an item that is there, and never waits", () => {
  const queue = queueOf(1);
  assertEquals(queue.poll(), 1);
  assertEquals(queue.poll(), undefined);
  assertEquals(queue.isAwaited, false);
});

test("AsyncQueue.at counts from the oldest item, or backwards from the newest", () => {
  const queue = queueOf("a", "b", "c");
  queue.poll();
  assertEquals([queue.at(0), queue.at(1), queue.at(2)], ["b", "c", undefined]);
  assertEquals([queue.at(-1), queue.at(-2), queue.at(-3)], ["c", "b", undefined]);
});

test("AsyncQueue.pop removes the newest item, and never one that was taken", () => {
  const queue = queueOf("a", "b", "c");
  assertEquals(queue.poll(), "a");
  assertEquals([queue.pop(), queue.pop(), queue.pop()], ["c", "b", undefined]);
  assertEquals(queue.length, 0);
  queue.push("d");
  assertEquals(queue.poll(), "d");
});

test("AsyncQueue.takeAll empties the queue", () => {
  const queue = queueOf("a", "b", "c");
  queue.poll();
  assertEquals(queue.takeAll(), ["b", "c"]);
  assertEquals(queue.length, 0);
  assertEquals(queue.takeAll(), []);
  queue.push("d");
  assertEquals(queue.takeAll(), ["d"]);
});

test("AsyncQueue keeps order and length while it is never empty", () => {
  const queue = queueOf<number>(0);
  for (let i = 1; i < 1000; i++) {
    queue.push(2 * i - 1);
    queue.push(2 * i);
    assertEquals(queue.poll(), i - 1);
    assertEquals(queue.length, i + 1);
    assertEquals(queue.at(0), i);
    assertEquals(queue.at(-1), 2 * i);
  }
});

test("AsyncQueue is its own iterator", () => {
  const queue = queueOf<number>();
  assertStrictEquals(queue[Symbol.asyncIterator](), queue);
});

test("AsyncQueue takes items with poll() in next(), so that a subclass may add to it", async () => {
  class Counting extends AsyncQueue<string> {
    taken = 0;
    override poll(): string | undefined {
      const item = super.poll();
      if (item !== undefined) this.taken++;
      return item;
    }
  }
  const queue = new Counting();
  queue.push("a");
  await queue.next();
  void queue.next();
  assertEquals(queue.taken, 1);
  queue.end();
});
