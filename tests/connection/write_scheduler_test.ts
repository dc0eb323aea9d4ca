import { notQuiet, whenLate, whenQuiet } from "../../src/connection/write_scheduler.ts";
import { assertEquals, test } from "../harness.ts";

/** Those who wait, and what they have been told. */
function makeWaiting(...names: string[]) {
  const told: string[] = [];
  return { told, all: names.map((name) => ({ settled: () => void told.push(name) })) };
}

async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

test("whenQuiet tells all who wait, in order, after a few microtasks without a send", async () => {
  const { told, all } = makeWaiting("a", "b", "c");
  for (const one of all) whenQuiet(one);
  await microtasks(6);
  assertEquals(told, []);
  await microtasks(4);
  assertEquals(told, ["a", "b", "c"], "and each once");
  await microtasks(20);
  assertEquals(told.length, 3);
});

test("whenQuiet waits for as long as one of them sends", async () => {
  const { told, all: [a, b] } = makeWaiting("a", "b");
  whenQuiet(a!);
  for (let i = 0; i < 20; i++) {
    await microtasks(4);
    notQuiet();
  }
  whenQuiet(b!);
  await microtasks(6);
  assertEquals(told, []);
  await microtasks(4);
  assertEquals(told, ["a", "b"]);
});

test("whenQuiet is for the next time, too, where it's called by who is told", async () => {
  const told: number[] = [];
  const one = {
    settled(): void {
      if (told.push(told.length) < 3) whenQuiet(one);
    },
  };
  whenQuiet(one);
  await microtasks(40);
  assertEquals(told, [0, 1, 2]);
});

test("whenLate tells all who wait once no microtask is left", async () => {
  const { told, all: [a, b] } = makeWaiting("a", "b");
  whenLate(a!);
  whenLate(b!);
  await microtasks(1000);
  assertEquals(told, []);
  const { promise, resolve } = Promise.withResolvers<void>();
  whenLate({ settled: resolve });
  await promise;
  assertEquals(told, ["a", "b"]);
});
