import { TurnBudget } from "../../src/transport/turn_budget.ts";
import { assertEquals, test } from "../harness.ts";

function make() {
  let now = 0;
  const later = { afterMicrotasks: [] as (() => void)[], nextTurn: [] as (() => void)[] };
  const budget = new TurnBudget({
    now: () => now,
    afterMicrotasks: (run) => later.afterMicrotasks.push(run),
    nextTurn: (run) => {
      later.nextTurn.push(run);
      return () => later.nextTurn.splice(later.nextTurn.indexOf(run), 1);
    },
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

test("TurnBudget makes the slices shorter for slow work, and longer again", () => {
  const { budget, pass } = make();
  const first = budget.slice;
  const look = (ms: number) => {
    pass(ms);
    budget.isSpent();
  };
  for (let i = 0; i < 20; i++) look(5);
  assertEquals(budget.slice, 1);
  look(2);
  assertEquals(budget.slice, 1, "neither slow nor fast");
  for (let i = 0; i < 20; i++) look(0.1);
  assertEquals(budget.slice, 2 * first);
});
