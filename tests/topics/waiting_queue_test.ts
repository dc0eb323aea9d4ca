import { SharedMessage } from "../../src/connection/shared_message.ts";
import { WaitingQueue } from "../../src/topics/waiting_queue.ts";
import type { Publication } from "../../src/topics/types.ts";
import { Random } from "../fuzz/random.ts";
import { assertEquals, test } from "../harness.ts";

const message = (text: string) => new SharedMessage(text);

/** What a queue holds: each message with the gaps before it, and the gap at its end. */
function contents(queue: WaitingQueue): unknown[] {
  const all: unknown[] = [];
  while (queue.length > 0) {
    const { message, gap } = queue.shift()!;
    all.push(...gap?.of("x").map(({ count, why }) => `${why} ${count}`) ?? []);
    all.push(message.data);
  }
  const end = queue.takeGapAtEnd();
  all.push(...end?.of("x").map(({ count, why }) => `${why} ${count}`) ?? []);
  return all;
}

test('WaitingQueue "close" takes up to its maximum, and no more', () => {
  const queue = new WaitingQueue("close", 2);
  const added = ["1", "2", "3"].map((text) => queue.add(message(text), undefined).added);
  assertEquals(added, ["waiting", "waiting", "full"]);
  assertEquals([queue.length, contents(queue), queue.shift()], [2, ["1", "2"], undefined]);
});

test('WaitingQueue "drop-oldest" counts at the front, "drop-newest" at the end', () => {
  const oldest = new WaitingQueue("drop-oldest", 2);
  const newest = new WaitingQueue("drop-newest", 2);
  const results = ["1", "2", "3", "4"].map((text) => [
    oldest.add(message(text), undefined).displaced,
    newest.add(message(text), undefined).added,
  ]);
  assertEquals(results, [[0, "waiting"], [0, "waiting"], [1, "dropped"], [1, "dropped"]]);
  assertEquals(contents(oldest), ["slow 2", "3", "4"]);
  assertEquals(contents(newest), ["1", "2", "slow 2"]);
});

test('WaitingQueue "drop-oldest" with one place adds the gaps of what it drops', () => {
  const queue = new WaitingQueue("drop-oldest", 1);
  queue.skipLost(3);
  queue.add(message("1"), undefined);
  queue.skipLost(2);
  assertEquals(queue.add(message("2"), undefined), { added: "waiting", displaced: 1 });
  assertEquals(contents(queue), ["relay 5", "slow 1", "2"]);
});

test('WaitingQueue "latest" replaces the message of the same key, at its place', () => {
  const queue = new WaitingQueue("latest", 2);
  queue.add(message("a1"), "a");
  queue.add(message("b1"), "b");
  assertEquals(queue.add(message("a2"), "a"), { added: "waiting", displaced: 1 });
  assertEquals(queue.add(message("c1"), "c"), { added: "waiting", displaced: 1 });
  assertEquals(contents(queue), ["slow 2", "b1", "c1"]);
  queue.add(message("a3"), "a");
  assertEquals(contents(queue), ["a3"], "the key of a message that has gone is free");
});

test('WaitingQueue "latest" tells what is missing before a message that takes an earlier place', () => {
  const queue = new WaitingQueue("latest", 2);
  queue.add(message("a1"), "a");
  queue.add(message("b1"), "b");
  queue.skipLost(3);
  queue.add(message("a2"), "a");
  assertEquals(contents(queue), ["relay 3", "slow 1", "a2", "b1"]);
});

test("WaitingQueue counts lost messages at the end, an unknown number as unknown", () => {
  const queue = new WaitingQueue("close", 9);
  queue.skipLost(2);
  queue.skip();
  queue.add(message("1"), undefined);
  queue.skipLost(1);
  queue.skipLost(undefined);
  assertEquals(contents(queue), ["relay 2", "slow 1", "1", "relay undefined"]);
  assertEquals(queue.takeGapAtEnd(), undefined);
});

test("WaitingQueue does not count what is sent again for its maximum", () => {
  const queue = new WaitingQueue("close", 1);
  const kept = [1, 2, 3].map((n): Publication => ({ topic: "x", data: `kept ${n}` }));
  queue.replay(kept);
  assertEquals(queue.add(message("1"), undefined).added, "waiting");
  assertEquals(queue.add(message("2"), undefined).added, "full");
  queue.shift();
  assertEquals(queue.add(message("2"), undefined).added, "full", "a kept message makes no room");
  assertEquals(contents(queue), ["kept 2", "kept 3", "1"]);
});

test("WaitingQueue keeps the order over many messages", () => {
  const queue = new WaitingQueue("close", Infinity);
  const out: unknown[] = [];
  for (let n = 0; n < 3000; n++) {
    queue.add(message(`${n}`), undefined);
    if (n % 3 > 0) out.push(queue.shift()?.message.data);
  }
  assertEquals(out.concat(contents(queue)), Array.from({ length: 3000 }, (_, n) => `${n}`));
});

test("WaitingQueue keeps the messages of each of many queues that share them", () => {
  const random = new Random(5);
  const maxima = [1, 3, 64, 200];
  const queues = Array.from({ length: 40 }, (_, n) => ({
    queue: new WaitingQueue("drop-oldest", maxima[n % 4]!),
    max: maxima[n % 4]!,
    expected: [] as unknown[],
  }));
  const shift = ({ queue, expected }: typeof queues[number]) => {
    assertEquals(queue.shift()?.message.data, expected.shift());
  };
  for (let n = 0; n < 3000; n++) {
    // Some messages are as large as a block, and some queues do not get all.
    const next = message(`${n}`.padEnd(n % 97 === 0 ? 20_000 : 1 + random.below(900)));
    for (const one of queues) {
      const { queue, max, expected } = one;
      if (n % 50 > 20 && random.once(5)) continue;
      const isFull = expected.length === max;
      assertEquals(queue.add(next, undefined), { added: "waiting", displaced: isFull ? 1 : 0 });
      expected.push(next.data);
      if (isFull) expected.shift();
      assertEquals(queue.length, expected.length);
      if (random.once(20)) { while (queue.length > 0) shift(one); }
      else if (random.once(2)) shift(one);
    }
  }
  for (const one of queues) {
    while (one.queue.length > 0) shift(one);
    assertEquals(one.expected, []);
  }
});

test("WaitingQueue adds messages after a replay, and leaves the replayed list as it is", () => {
  const replayed: Publication[] = ["1", "2"].map((data) => ({ topic: "x", data }));
  const [a, b] = [new WaitingQueue("close", 2), new WaitingQueue("close", 2)];
  a.replay(replayed);
  b.replay(replayed);
  for (const queue of [a, b]) {
    assertEquals(["3", "4", "5"].map((text) => queue.add(message(text), undefined).added), [
      "waiting",
      "waiting",
      "full",
    ]);
  }
  assertEquals([contents(a), contents(b)], [["1", "2", "3", "4"], ["1", "2", "3", "4"]]);
  assertEquals(replayed.length, 2);
});
