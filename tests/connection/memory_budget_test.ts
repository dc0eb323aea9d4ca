import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { MemoryAccount } from "../../src/connection/memory_account.ts";
import type { AccountCore } from "../../src/connection/memory_account.ts";
import { MemoryBudget } from "../../src/connection/memory_budget.ts";
import { Timers, timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertThrows, deadline, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { collect, open, turns } from "../support/open.ts";
import { First, textFrame } from "../support/memory_peer.ts";

const KIB = 1024;

/** A connection of no more than a number of bytes. */
class Holder implements AccountCore {
  readonly settings: AccountCore["settings"];
  readonly sender = { memoryUsage: 0, isFull: false };
  readonly keepalive = { memoryUsage: 0 };
  readonly receiver = {
    unfinishedBytes: 0,
    onBudgetChange: () => void this.log.push(this.account.isStopped ? "stop" : "go"),
  };
  readonly transport = { abort: () => void this.log.push("abort") };
  readonly readers = { dropUnread: (most: number) => void this.log.push(`drop to ${most}`) };
  hasFailed = false;
  isClosed = false;
  readonly account: MemoryAccount;
  readonly log: string[] = [];
  /** Whether to close it frees what it holds. */
  frees = true;

  constructor(budget: MemoryBudget | undefined, limits: Partial<Limits> = {}) {
    budget?.join();
    this.settings = { limits: resolveLimits(limits), budget };
    this.account = new MemoryAccount(this);
  }

  fail(error: unknown): void {
    const { code, closeCode } = error as { code: string; closeCode: number };
    this.log.push(`${code} ${closeCode}`);
  }

  updateMemoryUsage(): void {
    if (this.frees) this.account.update(0);
  }
}

/** A budget of 1,000 KiB, and holders of so many KiB each. */
function make(held: number[], patience = 1000) {
  const clock = new FakeClock();
  const budget = new MemoryBudget(1000 * KIB, patience, new Timers(clock));
  const holders = held.map(() => new Holder(budget));
  const note = (i: number, kib: number) => holders[i].account.update(kib * KIB);
  held.forEach((kib, i) => note(i, kib));
  const end = () => holders.forEach((_, i) => note(i, 0));
  return { budget, holders, note, end, clock };
}

const EVICTED = "ERR_SERVER_MEMORY 1013";

test("MemoryBudget drops the unread messages of a connection that is closed, and whose handler runs", () => {
  const { holders, note, end } = make([100, 100]);
  holders[0].isClosed = true;
  holders[1].frees = false;
  note(1, 900);
  note(0, 1900);
  assertEquals(holders[0].log, ["stop", "drop to 0"]);
  end();
});

test("MemoryBudget refuses a bound that is not above 0", () => {
  for (const max of [0, -1, NaN, "1" as unknown as number]) {
    assertThrows(() => new MemoryBudget(max, 1000, timers), RangeError, `maxMemory`);
  }
  assertEquals(new MemoryBudget(Infinity, Infinity, timers).isOver, false);
});

test("MemoryBudget sums up what has changed by a step, and what is gone", () => {
  const { budget, note } = make([7, 100]);
  assertEquals(budget.memoryUsage, 100 * KIB, "less than a step is nothing");
  note(1, 107);
  assertEquals(budget.memoryUsage, 100 * KIB);
  note(1, 108);
  note(0, 8);
  assertEquals(budget.memoryUsage, 116 * KIB);
  note(1, 7);
  note(0, 0);
  assertEquals(budget.memoryUsage, 0);
});

test("MemoryBudget is over until it is back at 90 %", () => {
  const { budget, note, end } = make([500, 500], 2500);
  assertEquals(budget.isOver, false);
  note(0, 510);
  assert(budget.isOver);
  note(0, 450);
  assert(budget.isOver, "950 of 1,000 are not below 90 %");
  note(0, 390);
  assertEquals(budget.isOver, false);
  end();
});

test("MemoryBudget stops the heaviest that grow, and lets them go on", () => {
  // A fair share is 500 / 4 KiB.
  const { holders, note, end } = make([700, 200, 50, 0]);
  note(2, 110);
  assertEquals(holders.map(({ log }) => log), [[], [], [], []]);
  note(1, 310);
  note(3, 60);
  note(0, 690);
  assertEquals(
    holders.map(({ log }) => log),
    [[], ["stop"], [], []],
    "the one that grows, above its share",
  );
  note(0, 700);
  note(1, 320);
  assertEquals(holders.map(({ log }) => log), [["stop"], ["stop"], [], []], "once");
  note(0, 400);
  assertEquals(holders.map(({ log }) => log), [["stop", "go"], ["stop", "go"], [], []]);
  end();
});

test("MemoryBudget closes the heaviest at twice as much, down to one and a half", () => {
  const { budget, holders, note, end } = make([400, 100, 300, 100]);
  note(1, 1000);
  assertEquals(holders[1].log, ["stop"]);
  note(3, 300);
  assertEquals(budget.memoryUsage, 2000 * KIB);
  note(3, 310);
  assertEquals(holders.map(({ log }) => log), [[], ["stop", EVICTED], [], ["stop"]]);
  assertEquals(budget.memoryUsage, 1010 * KIB);
  end();
  assertEquals(budget.isOver, false);
});

test("MemoryBudget closes the heaviest where nothing gets less, down to 90 %", () => {
  const { budget, holders, end, clock } = make([300, 400, 200, 110], 1000);
  assert(budget.isOver);
  clock.advance(990);
  assert(budget.isOver);
  clock.advance(60);
  assertEquals(budget.isOver, false);
  assertEquals(holders.map(({ log }) => log.includes(EVICTED)), [false, true, false, false]);
  assertEquals(budget.memoryUsage, 610 * KIB);
  end();
});

test("MemoryBudget waits as long as it gets less", () => {
  const { budget, holders, note, end, clock } = make([600, 500], 1000);
  for (let kib = 580; kib > 410; kib -= 20) {
    clock.advance(200);
    note(0, kib);
    assert(budget.isOver);
  }
  assertEquals(holders.map(({ log }) => log.includes(EVICTED)), [false, false]);
  end();
});

test("MemoryBudget closes again what has not freed anything", () => {
  const { budget, holders, note, end, clock } = make([0, 200, 1100], 1000);
  const heavy = holders[2];
  note(1, 0);
  heavy.frees = false;
  const evictions = () => heavy.log.filter((entry) => entry === EVICTED).length;
  clock.advance(2600);
  assertEquals(evictions(), 2);
  assert(budget.isOver);
  assertEquals([holders[0].log, holders[1].log], [[], []], "not one that holds nothing any more");
  end();
  assertEquals(budget.isOver, false);
});

for (
  const [what, closeCode, parts] of [
    ["the send queue", 1013, { sent: 40, pings: 20 }],
    ["an unfinished message", 1009, { unfinished: 60 }],
    ["unread messages", 1008, { sent: 50, unfinished: 50 }],
  ] as const
) {
  test(`MemoryAccount fails a connection over its limit with ${closeCode}: ${what}`, () => {
    const { sent = 0, pings = 0, unfinished = 0 } = parts as Record<string, number>;
    const holder = new Holder(undefined, { maxConnectionMemory: 99 });
    holder.sender.memoryUsage = sent;
    holder.keepalive.memoryUsage = pings;
    holder.receiver.unfinishedBytes = unfinished;
    holder.account.update(99);
    assertEquals(holder.log, []);
    holder.account.update(100);
    assertEquals(holder.log, [`ERR_CONNECTION_MEMORY ${closeCode}`]);
    holder.hasFailed = true;
    holder.account.update(200);
    assertEquals(holder.log.length, 1, "once");
    assertEquals(MemoryAccount.isNeeded(99, holder.settings), false);
    assertEquals(MemoryAccount.isNeeded(100, holder.settings), true);
  });
}

test("MemoryAccount drops a connection whose Close frame would free nothing", () => {
  const { budget, holders, note, end } = make([400, 100, 300, 100]);
  holders[1].sender.isFull = true;
  note(1, 1000);
  note(3, 610);
  assertEquals(budget.isOver, true);
  assertEquals(holders[1].log, ["stop", EVICTED, "abort"]);
  end();
});

/** What is sent of a message that doesn't end. */
function start(size: number) {
  return { first: 0x02, payload: new Uint8Array(size) };
}

test("a connection stopped by the budget is not read, and goes on when there is room", async () => {
  const budget = new MemoryBudget(100 * KIB, 60_000, timers);
  const other = new Holder(budget);
  const { socket, peer } = open({ budget, handler: { message() {} }, memory: { capacity: 1000 } });
  other.account.update(90 * KIB);
  peer.send(start(60_000));
  await turns(10);
  assert(budget.isOver);
  assert(peer.isStuck, "it is not read");
  assertEquals(budget.memoryUsage, 90 * KIB + socket.heldBytes, "within a step");
  other.account.update(0);
  await peer.until(() => !peer.isStuck, "the rest is read");
  assertEquals(budget.isOver, false);
  peer.send({ first: First.ContinuationEnd, payload: "" });
  await turns();
  assertEquals(budget.memoryUsage, 0);
});

test("what a stopped connection has received is taken, which frees it", async () => {
  const budget = new MemoryBudget(100 * KIB, 60_000, timers);
  const { socket, peer } = open({ budget, peerMemory: { capacity: 200 * KIB } });
  peer.send(...Array.from({ length: 100 }, () => textFrame("x".repeat(1000))));
  await turns();
  assert(budget.isOver);
  const texts: unknown[] = [];
  for await (const text of socket) if (texts.push(text) === 100) break;
  assertEquals(budget.isOver, false);
  assertEquals(budget.memoryUsage, 0);
  peer.send(textFrame("more"));
  for await (const text of socket) {
    assertEquals(text, "more");
    break;
  }
});

test("a stopped connection whose peer reads goes on when that has freed enough", async () => {
  const budget = new MemoryBudget(200 * KIB, 60_000, timers);
  const { peer } = open({
    budget,
    memory: { capacity: 10_000 },
    handler: { message: (socket, message) => void socket.send(message) },
  });
  peer.transport.pause();
  for (let i = 0; i < 20; i++) peer.send(textFrame("x".repeat(50_000)));
  await turns(100);
  assert(peer.isStuck);
  peer.transport.resume();
  await peer.received(20);
  assertEquals(peer.isStuck, false);
  await turns();
  assertEquals(budget.memoryUsage, 0);
});

test("a message that does not end is closed with 1013 when the patience ends", async () => {
  const clock = new FakeClock();
  const budget = new MemoryBudget(100 * KIB, 1000, new Timers(clock));
  const { socket, peer, errors } = open({ budget, handler: { message() {} } });
  peer.send(start(130_000));
  await turns();
  assert(budget.isOver);
  clock.advance(1100);
  await peer.until(() => peer.words.includes("close 1013"), "the close");
  assertEquals(budget.memoryUsage, 0, "freed at once");
  assertEquals(budget.isOver, false);
  assertEquals((errors[0] as { code: string }).code, "ERR_SERVER_MEMORY");
  peer.send({ first: First.Close, payload: new Uint8Array([3, 0xf5]) });
  await peer.end();
  const { error } = await deadline(socket.closed, 1000, "the end");
  assertEquals(error, errors[0]);
});

test("a queue that its peer does not read is dropped when the patience ends", async () => {
  const clock = new FakeClock();
  const budget = new MemoryBudget(100 * KIB, 1000, new Timers(clock));
  const { socket, peer } = open({ budget, memory: { capacity: 100 } });
  peer.transport.pause();
  for (let i = 0; i < 30; i++) socket.send(new Uint8Array(10_000));
  clock.advance(1100);
  const { closeCode, error } = await deadline(socket.closed, 1000, "the drop");
  assertEquals([closeCode, (error as { code: string }).code], [1006, "ERR_SERVER_MEMORY"]);
  assertEquals(budget.memoryUsage, 0);
});

test("what a server sends to many that do not read stays below twice its budget", async () => {
  const budget = new MemoryBudget(400 * KIB, 60_000, timers);
  const all = Array.from({ length: 10 }, () => open({ budget, memory: { capacity: 100 } }));
  for (const { peer } of all) peer.transport.pause();
  let most = 0;
  for (let i = 0; i < 100; i++) {
    for (const { socket } of all) {
      if (socket.readyState === 1) socket.send(new Uint8Array(2000));
      most = Math.max(most, all.reduce((sum, { socket }) => sum + socket.heldBytes, 0));
    }
    await turns(1);
  }
  assert(most > 600 * KIB, `${most} bytes: they are not all closed at once`);
  assert(most <= 800 * KIB + 10 * 8 * KIB + 64 * KIB, `${most} bytes`);
  for (const { socket } of all) socket.abort();
  assertEquals(budget.memoryUsage, 0);
  assertEquals(budget.isOver, false);
});

test("a stopped connection's own close sees the peer's", async () => {
  const budget = new MemoryBudget(80 * KIB, 60_000, timers);
  const other = new Holder(budget);
  const { socket, peer } = open({ budget, memory: { capacity: 1000 } });
  const running = collect(socket);
  other.account.update(75 * KIB);
  peer.send(start(60_000));
  await turns(10);
  assert(peer.isStuck);
  socket.close(1000);
  peer.send({ first: First.ContinuationEnd, payload: "" });
  await peer.closeBack();
  assertEquals((await deadline(socket.closed, 1000, "the end")).wasClean, true);
  await running;
  other.account.update(0);
});
