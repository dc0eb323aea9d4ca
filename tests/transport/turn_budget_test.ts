import { LoopBudget, TurnBudget } from "../../src/transport/turn_budget.ts";
import { assertEquals, test } from "../harness.ts";

function make(pollsEachTurn = false) {
  let now = 0;
  const later = { afterMicrotasks: [] as (() => void)[], nextTurn: [] as (() => void)[] };
  const budget = new TurnBudget({
    now: () => now,
    afterMicrotasks: (run) => later.afterMicrotasks.push(run),
    nextTurn: (run) => {
      later.nextTurn.push(run);
      return () => later.nextTurn.splice(later.nextTurn.indexOf(run), 1);
    },
    pollsEachTurn,
  }, 15);
  const pass = (ms: number) => now += ms;
  const run = (what: keyof typeof later) => later[what].splice(0).forEach((run) => run());
  return { budget, pass, run, later };
}

test("TurnBudget is spent after its time, until those that wait have had their turn", () => {
  const { budget, pass, run, later } = make();
  pass(1000);
  assertEquals(budget.isSpent(), false, "the first look starts the clock");
  for (let i = 0; i < 2; i++) {
    pass(7);
    run("afterMicrotasks");
    assertEquals(budget.isSpent(), false);
  }
  pass(1);
  assertEquals(budget.isSpent(), true);
  const log: string[] = [];
  budget.wait(() => log.push(`first ${budget.isSpent()}`));
  budget.wait(() => log.push(`second ${pass(14) && budget.isSpent()}`));
  assertEquals(budget.isSpent(), true);
  assertEquals([log, later.nextTurn.length], [[], 1]);
  run("nextTurn");
  assertEquals(log, ["first false", "second false"]);
  pass(1);
  assertEquals(budget.isSpent(), true);
});

test("TurnBudget starts anew after an idle time, and not after slow work", () => {
  const { budget, pass, run } = make();
  budget.isSpent();
  pass(100);
  assertEquals(budget.isSpent(), true, "no microtask has been left: it was work");
  run("afterMicrotasks");
  pass(9);
  assertEquals(budget.isSpent(), false);
});

test("TurnBudget starts anew after each turn of a loop that polls the sockets, unless others continue", () => {
  const { budget, pass, run } = make(true);
  for (let i = 0; i < 10; i++) {
    assertEquals(budget.isSpent(), false);
    pass(7);
    assertEquals(budget.isSpent(), false, "the turn goes on");
    run("afterMicrotasks");
  }
  budget.isSpent();
  pass(15);
  assertEquals(budget.isSpent(), true);
  run("afterMicrotasks");
  budget.wait(() => assertEquals(budget.isSpent(), false));
  run("nextTurn");
  pass(15);
  assertEquals(
    budget.isSpent(),
    true,
    "the next data shares the time of those that have continued",
  );
  run("afterMicrotasks");
  assertEquals(budget.isSpent(), false);
});

test("TurnBudget lets less work be done between two looks if it is slow, and more again", () => {
  const { budget, pass, run } = make();
  const look = (ms: number) => {
    pass(ms);
    if (budget.isSpent()) {
      budget.wait(() => {});
      run("nextTurn");
      assertEquals(budget.isSpent(), false);
    }
    return budget.work;
  };
  const first = look(0);
  for (let i = 0; i < 40; i++) look(5);
  assertEquals(look(1.5), 1);
  assertEquals(look(0.5), 1, "neither slow nor fast");
  for (let i = 0; i < 20; i++) look(0.1);
  assertEquals(look(0.1), 2 * first);
});

test("TurnBudget has each connection look after each unit of work when the time is spent", () => {
  const { budget, pass, run, later } = make();
  budget.isSpent();
  assertEquals(budget.work > 0, true);
  pass(15);
  assertEquals([budget.isSpent(), budget.work], [true, 0]);
  budget.work--;
  assertEquals([budget.isSpent(), budget.work], [true, 0]);
  budget.wait(() => assertEquals(budget.work > 0, true));
  run("nextTurn");
  assertEquals(later.nextTurn, []);
});

test("TurnBudget gives each of those that wait a share, and the rest of them another turn", () => {
  const { budget, pass, run, later } = make();
  const times = new Array<number>(100).fill(0);
  const log: number[][] = [];
  const flood = (i: number): void => {
    log.at(-1)!.push(i);
    while (!budget.isSpent()) {
      pass(0.25);
      times[i]! += 0.25;
    }
    budget.wait(() => flood(i));
  };
  for (let i = 0; i < 100; i++) budget.wait(() => flood(i));
  for (let turn = 0; turn < 20; turn++) {
    log.push([]);
    run("nextTurn");
    assertEquals(later.nextTurn.length, 1);
  }
  assertEquals(log[0], Array.from({ length: 30 }, (_, i) => i), "30 shares of 0.5 ms");
  assertEquals(log[3]!.slice(9, 12), [99, 0, 1]);
  assertEquals(Math.max(...times) - Math.min(...times) <= 0.5, true);
});

test("TurnBudget lets 8 connections read in a turn, fewer if others wait, and at least one", () => {
  for (const [waiting, reading] of [[0, 8], [1, 7], [7, 1], [8, 1], [20, 1]] as const) {
    const { budget, run, later } = make();
    const wait = (): void => void budget.wait(wait);
    for (let i = 0; i < waiting; i++) wait();
    const log: number[] = [];
    for (let i = 0; i < 20; i++) budget.waitToRead(() => log.push(i));
    assertEquals([log, later.nextTurn.length], [[], 1]);
    run("nextTurn");
    assertEquals(log, Array.from({ length: reading }, (_, i) => i), `${waiting} wait`);
    for (let i = 0; i < 20 && log.length < 20; i++) run("nextTurn");
    assertEquals(log, Array.from({ length: 20 }, (_, i) => i), "in their order");
    assertEquals(later.nextTurn.length, waiting > 0 ? 1 : 0);
  }
});

test("TurnBudget does not drop the turn of those that read, nor take their wait for work", () => {
  const { budget, pass, run, later } = make(true);
  budget.isSpent();
  pass(14);
  budget.isSpent();
  let isRead = false;
  budget.waitToRead(() => isRead = true);
  budget.wait(() => {})();
  budget.release();
  assertEquals(later.nextTurn.length, 1);
  run("afterMicrotasks");
  run("nextTurn");
  assertEquals(isRead, true);
  pass(7);
  assertEquals(budget.isSpent(), false);
  pass(14);
  assertEquals(budget.isSpent(), false, "the time has begun with the first look");
});

test("TurnBudget does not call those that have cancelled, and is not spent if all have", () => {
  const { budget, pass, run, later } = make();
  const log: string[] = [];
  budget.isSpent();
  pass(15);
  budget.isSpent();
  const cancel = budget.wait(() => log.push("first"));
  budget.wait(() => log.push("second"));
  cancel();
  cancel();
  run("nextTurn");
  assertEquals(log, ["second"]);
  pass(15);
  budget.isSpent();
  budget.wait(() => {})();
  assertEquals(later.nextTurn, []);
  pass(1);
  assertEquals(budget.isSpent(), true, "by the clock");
  run("afterMicrotasks");
  pass(9);
  budget.wait(() => {})();
  assertEquals(budget.isSpent(), false);
});

test("TurnBudget lets those that have nothing left skip the wait, unless the next turn is late", () => {
  const { budget, pass, run, later } = make();
  budget.isSpent();
  pass(15);
  assertEquals([budget.isSpent(), budget.skipWait(), later.nextTurn.length], [true, true, 1]);
  pass(14);
  assertEquals([budget.skipWait(), later.nextTurn.length], [true, 1]);
  pass(1);
  assertEquals(budget.skipWait(), false);
  budget.release();
  assertEquals(later.nextTurn, [], "no caller waits");
  assertEquals(budget.isSpent(), true, "the time is still spent");
  budget.wait(() => {});
  budget.release();
  assertEquals(later.nextTurn.length, 1);
  run("nextTurn");
  assertEquals(budget.isSpent(), false);
});

test("TurnBudget asks whether microtasks are left only after a pause, unless the loop polls the sockets", () => {
  const { budget, pass, run, later } = make();
  budget.isSpent();
  assertEquals(later.afterMicrotasks.length, 1, "the first look");
  run("afterMicrotasks");
  const polling = make(true);
  polling.budget.isSpent();
  polling.run("afterMicrotasks");
  for (const each of [{ budget, pass }, polling]) {
    each.pass(0.5);
    each.budget.isSpent();
  }
  assertEquals([later.afterMicrotasks.length, polling.later.afterMicrotasks.length], [0, 1]);
  pass(1000);
  assertEquals(budget.isSpent(), true, "work or a pause: it has not asked");
  assertEquals(budget.skipWait(), true);
  run("nextTurn");
  run("afterMicrotasks");
  pass(1000);
  assertEquals(budget.isSpent(), false, "a pause");
});

test("LoopBudget counts work, and returns a promise for the next turn if the time is spent", async () => {
  const { budget, pass, run, later } = make();
  budget.isSpent();
  const { work } = budget;
  const loop = new LoopBudget(budget);
  assertEquals([loop.spend(work), budget.work], [undefined, 0]);
  pass(14);
  assertEquals(loop.spend(128), undefined);
  pass(1);
  let isNext = false;
  const next = loop.spend(budget.work + 128)?.then(() => isNext = true);
  await Promise.resolve();
  assertEquals([isNext, later.nextTurn.length], [false, 1]);
  run("nextTurn");
  await next;
  assertEquals(isNext, true);
});

test("LoopBudget.end() ends a wait, and leaves nothing that waits", async () => {
  const { budget, pass, later } = make();
  budget.isSpent();
  pass(15);
  const loop = new LoopBudget(budget);
  loop.end();
  const waiting = loop.spend(1000);
  assertEquals(later.nextTurn.length, 1);
  loop.end();
  await waiting;
  assertEquals(later.nextTurn, []);
});

test("LoopBudget does a slice of work in each turn, however many others flood", async () => {
  const { budget, pass, run } = make();
  budget.isSpent();
  pass(15);
  assertEquals(budget.isSpent(), true);
  const loop = new LoopBudget(budget);
  let steps = 0;
  const sending = (async () => {
    for (; steps < 300; steps++) await loop.spend(1);
  })();
  const stepsOfTurn: number[] = [];
  while (steps < 300) {
    const before = steps;
    for (let i = 0; i < 1000; i++) await Promise.resolve();
    stepsOfTurn.push(steps - before);
    // The others have spent the time of each turn before the loop continues.
    run("nextTurn");
    pass(15);
    budget.isSpent();
  }
  await sending;
  assertEquals(stepsOfTurn, [127, 128, 45]);
});
