import { numberBeforeSequence, SequenceTracker } from "../../src/topics/sequence_tracker.ts";
import type { Loss } from "../../src/topics/sequence_tracker.ts";
import { assert, assertEquals, test } from "../harness.ts";

const lost = (count: number | undefined): Loss[] => [{ topic: "x", count }];

/** A tracker that tracks "x" since 0, and knows a publisher "p" that started before or after that. */
function known(startedAt: number): SequenceTracker {
  const tracker = new SequenceTracker();
  tracker.track("x", 0);
  assertEquals(tracker.answer("p", {}, 100 - startedAt, 100, 100), []);
  return tracker;
}

test("SequenceTracker counts numbers that are skipped, and leaves out those that come twice", () => {
  const tracker = known(10);
  assertEquals(tracker.message("p", "x", 1, 200), []);
  assertEquals(tracker.message("p", "x", 2, 200), []);
  assertEquals(tracker.message("p", "x", 2, 200), undefined);
  assertEquals(tracker.message("p", "x", 6, 200), lost(3));
  assertEquals(tracker.message("p", "x", 5, 200), undefined);
  assertEquals(tracker.message("p", "y", 1, 200), undefined, "a topic that is not tracked");
});

test("SequenceTracker counts from the start of a new sequence, whatever the numbers of the old one", () => {
  const tracker = known(10);
  const before = numberBeforeSequence(3);
  tracker.message("p", "x", 5, 200);
  assertEquals(tracker.message("p", "x", before + 1, 300), []);
  assertEquals(tracker.message("p", "x", 6, 300), undefined, "of the old sequence");
  assertEquals(tracker.message("p", "x", before + 3, 300), lost(1));
  const later = numberBeforeSequence(5);
  assertEquals(tracker.heartbeat("p", { x: later + 4 }, 400), []);
  assertEquals(tracker.message("p", "x", later + 1, 400), []);
  assertEquals(tracker.heartbeat("p", {}, 500), lost(3));
  assertEquals(tracker.message("p", "x", numberBeforeSequence(6) + 3, 600), lost(2));
});

test("SequenceTracker counts what is announced twice without having come", () => {
  const tracker = known(10);
  tracker.message("p", "x", 1, 200);
  assertEquals(tracker.heartbeat("p", { x: 3 }, 300), []);
  assertEquals(tracker.heartbeat("p", {}, 400), lost(2));
  assertEquals(tracker.heartbeat("p", { x: 3 }, 500), []);
  assertEquals(tracker.heartbeat("p", { x: 3 }, 600), []);
  assertEquals(tracker.message("p", "x", 3, 700), undefined, "it has been counted as lost");
});

test("SequenceTracker waits one heartbeat for messages that are still on their way", () => {
  const tracker = known(10);
  assertEquals(tracker.heartbeat("p", { x: 2 }, 200), []);
  assertEquals(tracker.message("p", "x", 1, 210), []);
  assertEquals(tracker.message("p", "x", 2, 220), []);
  assertEquals(tracker.heartbeat("p", { x: 2 }, 300), []);
});

test("SequenceTracker misses nothing of before the topic was tracked", () => {
  const tracker = new SequenceTracker();
  tracker.answer("p", {}, 1000, 100, 100);
  tracker.track("x", 200);
  assertEquals(tracker.message("p", "x", 57, 210), []);
  assertEquals(tracker.message("p", "x", 59, 220), lost(1));
  tracker.untrack("x");
  tracker.track("x", 300);
  assertEquals(tracker.message("p", "x", 70, 310), []);
  tracker.untrack("x");
  tracker.track("x", 400);
  assertEquals(tracker.answer("p", { x: 80 }, 1300, 400, 410), []);
  assertEquals(tracker.message("p", "x", 82, 420), lost(1));
});

test("SequenceTracker misses all of a publisher that started after the topic was tracked", () => {
  assertEquals(known(10).message("p", "x", 4, 200), lost(3));
  assertEquals(known(10).message("p", "x", numberBeforeSequence(2) + 4, 200), lost(3));
  const announced = known(10);
  announced.heartbeat("p", { x: 5 }, 200);
  assertEquals(announced.heartbeat("p", {}, 300), lost(5));
});

test("SequenceTracker judges what a publisher sent before it was known, once it has answered", () => {
  for (const [age, expected] of [[50, lost(6)], [5000, []]] as const) {
    const tracker = new SequenceTracker();
    tracker.track("x", 0);
    assertEquals(tracker.message("p", "x", 7, 90), []);
    assert(tracker.hasUnknown);
    assertEquals(tracker.heartbeat("p", { x: 7 }, 95), []);
    assertEquals(tracker.answer("p", { x: 7 }, age, 100, 110), expected);
    assertEquals(tracker.hasUnknown, false);
  }
});

test("SequenceTracker does not guess where the round trip leaves it open", () => {
  const tracker = new SequenceTracker();
  tracker.track("x", 100);
  tracker.message("p", "x", 7, 120);
  // It started between 90 and 190, and the topic was tracked at 100.
  assertEquals(tracker.answer("p", {}, 10, 100, 200), lost(undefined));
  const announced = new SequenceTracker();
  announced.track("x", 100);
  assertEquals(announced.answer("p", { x: 3 }, 10, 100, 200), lost(undefined));
  assertEquals(announced.message("p", "x", 4, 210), []);
});

test("SequenceTracker counts what a publisher announced before it ended, or fell silent", () => {
  const ended = known(10);
  ended.heartbeat("p", { x: 2 }, 200);
  assertEquals(ended.end("p", { x: 3 }, 0), lost(3));
  assertEquals(ended.end("p", { x: 3 }, 0), []);
  assertEquals(ended.message("p", "x", 3, 200), undefined, "it has been counted as lost");
  assertEquals(ended.expire(150), []);
  const repeated = known(10);
  assertEquals(repeated.message("p", "x", 1, 200), []);
  assertEquals(repeated.end("p", { x: 1 }, 0), []);
  assertEquals(repeated.message("p", "x", 1, 210), undefined, "a client has sent it again");
  repeated.message("q", "x", 1, 200);
  assert(repeated.hasUnknown);
  repeated.end("q", {}, 0);
  assert(!repeated.hasUnknown, "a node that has ended is not asked");
  const unheard = known(10);
  unheard.heartbeat("p", { x: 2 }, 200);
  unheard.discount(1000, 300);
  assertEquals(unheard.expire(300), []);
  assertEquals(unheard.expire(301), lost(2));
  const silent = known(10);
  silent.heartbeat("p", { x: 2 }, 200);
  assertEquals(silent.expire(150), []);
  assertEquals(silent.expire(250), lost(2));
});

/** A pseudo-random sequence that a seed decides. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/**
 * Publishers, and one receiver that tracks the topic before they start, on a broker that loses, delays and
 * repeats, on a virtual clock. Returns what was published, and what the receiver got and was told.
 */
function simulate(seed: number): { published: number; received: number; told: number } {
  const random = randomOf(seed);
  const tracker = new SequenceTracker();
  const result = { published: 0, received: 0, told: 0 };
  const report = (losses: Loss[]) => {
    for (const { count } of losses) result.told += count ?? NaN;
  };
  const publishers = Array.from({ length: 1 + random(3) }, (_, n) => ({
    name: `p${n}`,
    startsAt: 100 + random(8000),
    number: 0,
    announce: 0,
  }));
  let cutUntil = 0;
  /** What is on its way to the receiver, in the broker's order. */
  let queue: { at: number; take: (now: number) => void }[] = [];
  let last = 0;
  const send = (now: number, take: (now: number) => void) => {
    if (now < cutUntil) return;
    last = Math.max(last, now + random(30));
    queue.push({ at: last, take });
  };
  const ask = (now: number) => {
    for (const { name, startsAt, number } of publishers) {
      if (now < startsAt) continue;
      send(now, (then) => report(tracker.answer(name, { x: number }, now - startsAt, now, then)));
    }
  };
  tracker.track("x", 0);
  const end = 20_000;
  for (let now = 0; now < end + 8000; now += 10) {
    for (const { take } of queue.filter(({ at }) => at <= now)) take(now);
    queue = queue.filter(({ at }) => at > now);
    if (random(400) === 0 && now < end) {
      cutUntil = Math.max(cutUntil, now + random(3000));
      // The connection breaks: of what is on its way, the beginning arrives.
      queue.length = random(queue.length + 1);
    }
    const isUpAgain = now >= cutUntil && now - cutUntil < 10;
    if (isUpAgain || tracker.hasUnknown && now % 1000 === 0) ask(now);
    for (const publisher of publishers) {
      const { name, startsAt } = publisher;
      if (now < startsAt) continue;
      if (random(20) === 0 && now < end) {
        const number = ++publisher.number;
        publisher.announce = 3;
        result.published++;
        const take = (then: number) => {
          const losses = tracker.message(name, "x", number, then);
          if (losses === undefined) return;
          report(losses);
          result.received++;
        };
        send(now, take);
        if (random(10) === 0) send(now, take);
      }
      if (now % 1000 === 0) {
        const numbers: Record<string, number> = publisher.announce-- > 0
          ? { x: publisher.number }
          : {};
        send(now, (then) => report(tracker.heartbeat(name, numbers, then)));
      }
    }
  }
  return result;
}

test("SequenceTracker: received and told lost is what was published, over 500 schedules", () => {
  let lost = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const { published, received, told } = simulate(seed);
    assertEquals(received + told, published, `seed ${seed}: ${received} and ${told}`);
    lost += told;
  }
  assert(lost > 1000, `${lost} messages were lost`);
});

test("a publisher that ends before it has answered may have lost what came before its first message", () => {
  const tracker = new SequenceTracker();
  tracker.track("x", 100);
  // It may have started after the topic was tracked, or before.
  for (const node of ["after", "before"]) {
    assertEquals(tracker.message(node, "x", 3, 200), []);
  }
  assertEquals(tracker.end("after", { x: 3 }, 150), [{ topic: "x", count: undefined }]);
  assertEquals(tracker.end("before", { x: 3 }, 90), []);
  assertEquals(tracker.message("whole", "x", 1, 200), []);
  assertEquals(tracker.end("whole", { x: 1 }, 150), []);
});

test("a publisher that is silent before it has answered may have lost what came before, once", () => {
  const tracker = new SequenceTracker();
  tracker.track("x", 100);
  assertEquals(tracker.message("p", "x", 3, 200), []);
  assertEquals(tracker.giveUp(200), []);
  assertEquals(tracker.giveUp(201), [{ topic: "x", count: undefined }]);
  assertEquals(tracker.giveUp(300), []);
  // Its answer comes late.
  assertEquals(tracker.answer("p", { x: 3 }, 10, 400, 410), []);
  assertEquals(tracker.message("p", "x", 5, 420), [{ topic: "x", count: 1 }]);
});
