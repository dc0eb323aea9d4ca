import {
  flushAfterMicrotasks,
  flushAfterQuiet,
  noteSend,
  uncorkAfterTurn,
} from "../../src/connection/write_scheduler.ts";
import type { ScheduledSender } from "../../src/connection/write_scheduler.ts";
import { assertEquals, delay, test } from "../harness.ts";

/** Senders that write their names down when they are flushed or uncorked. */
function makeSenders(...names: string[]) {
  const calls: string[] = [];
  const all = names.map((name): ScheduledSender => ({
    flushScheduled: () => void calls.push(name),
    uncorkScheduled: () => void calls.push(`${name} uncorked`),
  }));
  return { calls, all };
}

async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

test("flushAfterQuiet flushes all senders, in order, after a few microtasks without a send", async () => {
  const { calls, all } = makeSenders("a", "b", "c");
  for (const one of all) flushAfterQuiet(one);
  await microtasks(6);
  assertEquals(calls, []);
  await microtasks(4);
  assertEquals(calls, ["a", "b", "c"], "and each once");
  await microtasks(20);
  assertEquals(calls.length, 3);
});

test("flushAfterQuiet waits while one of the senders sends", async () => {
  const { calls, all: [a, b] } = makeSenders("a", "b");
  flushAfterQuiet(a!);
  for (let i = 0; i < 20; i++) {
    await microtasks(4);
    noteSend();
  }
  flushAfterQuiet(b!);
  await microtasks(6);
  assertEquals(calls, []);
  await microtasks(4);
  assertEquals(calls, ["a", "b"]);
});

test("flushAfterQuiet may be called by the sender that it flushes", async () => {
  const calls: number[] = [];
  const one = {
    flushScheduled(): void {
      if (calls.push(calls.length) < 3) flushAfterQuiet(one);
    },
    uncorkScheduled() {},
  };
  flushAfterQuiet(one);
  await microtasks(40);
  assertEquals(calls, [0, 1, 2]);
});

test("flushAfterMicrotasks flushes all senders when no microtask is left", async () => {
  const { calls, all: [a, b] } = makeSenders("a", "b");
  flushAfterMicrotasks(a!);
  flushAfterMicrotasks(b!);
  await microtasks(1000);
  assertEquals(calls, []);
  const { promise, resolve } = Promise.withResolvers<void>();
  flushAfterMicrotasks({ flushScheduled: resolve, uncorkScheduled() {} });
  await promise;
  assertEquals(calls, ["a", "b"]);
});

test("uncorkAfterTurn uncorks a group of 64 at once, and a smaller one after the turn", async () => {
  const names = Array.from({ length: 66 }, (_, i) => `${i}`);
  const { calls, all } = makeSenders(...names);
  for (const sender of all.slice(0, 63)) uncorkAfterTurn(sender);
  assertEquals(calls, []);
  uncorkAfterTurn(all[63]!);
  assertEquals(calls, names.slice(0, 64).map((name) => `${name} uncorked`));
  for (const sender of all.slice(64)) uncorkAfterTurn(sender);
  assertEquals(calls.length, 64);
  await delay(0);
  assertEquals(calls.slice(64), ["64 uncorked", "65 uncorked"]);
});
