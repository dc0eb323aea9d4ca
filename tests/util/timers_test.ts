import fc from "fast-check";
import { Timer, Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertLess, delay, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A timer that writes down when its time was up. */
class Alarm extends Timer {
  readonly times: number[] = [];
  constructor(readonly clock: { now(): number }, readonly onTime: () => void = () => {}) {
    super();
  }

  timeUp(): void {
    this.times.push(this.clock.now());
    this.onTime();
  }
}

function makeTimers() {
  const clock = new FakeClock();
  return { clock, timers: new Timers(clock) };
}

for (
  const ms of [1, 4, 10, 20, 50, 100, 480, 481, 1000, 5000, 10_000, 20_000, 30_000, 86_400_000]
) {
  test(`Timers are never early, and at most 3 % or two ticks of 4 ms late: ${ms} ms`, () => {
    for (const offset of [0, 1, 3.9, ms / 3]) {
      const { clock, timers } = makeTimers();
      const other = new Alarm(clock);
      timers.start(other, ms);
      clock.advance(offset);
      const start = clock.now();
      const alarm = new Alarm(clock);
      timers.start(alarm, ms);
      clock.advance(ms * 2 + 10);
      assertEquals(alarm.times.length, 1);
      const late = alarm.times[0] - start - ms;
      assert(late >= -0.5 && late <= Math.max(8, ms * 0.03), `${late} ms late`);
    }
  });
}

test("Timers set one timer of the runtime's for all, and none while nothing waits", () => {
  const { clock, timers } = makeTimers();
  assertEquals(clock.pending.size, 0);
  const alarms = Array.from({ length: 1000 }, () => new Alarm(clock));
  alarms.forEach((alarm, i) => timers.start(alarm, 1 + i * 20));
  assertEquals(clock.pending.size, 1);
  clock.advance(500);
  assertEquals(clock.pending.size, 1);
  for (const alarm of alarms) alarm.stopTimer();
  assertEquals(clock.pending.size, 0);
  clock.advance(100_000);
  assertEquals(alarms.filter(({ times }) => times.length > 0).length, 25);
  timers.start(alarms[0], 10);
  clock.advance(100);
  assertEquals(alarms[0].times.length, 2);
  assertEquals(clock.pending.size, 0);
});

test("Timers set the runtime's forward where a shorter one is started", () => {
  const { clock, timers } = makeTimers();
  const long = new Alarm(clock);
  const short = new Alarm(clock);
  timers.start(long, 30_000);
  timers.start(short, 10);
  clock.advance(20);
  assertEquals([long.times.length, short.times.length], [0, 1]);
  assertEquals(clock.pending.size, 1);
  long.stopTimer();
});

test("Timers start anew what waits already, on whichever wheel", () => {
  const { clock, timers } = makeTimers();
  const alarm = new Alarm(clock);
  const start = clock.now();
  for (const ms of [1000, 5000, 1000, 1000]) {
    timers.start(alarm, ms);
    clock.advance(900);
  }
  assertEquals(alarm.times, []);
  clock.advance(500);
  assertEquals(alarm.times.length, 1);
  assert(alarm.times[0] - start >= 3700 && alarm.times[0] - start <= 3750);
  assertEquals(clock.pending.size, 0);
});

test("Timers of Infinity never end, and stop what waits", () => {
  const { clock, timers } = makeTimers();
  const alarm = new Alarm(clock);
  timers.start(alarm, Infinity);
  assertEquals(clock.pending.size, 0);
  timers.start(alarm, 10);
  timers.start(alarm, Infinity);
  alarm.stopTimer();
  assertEquals(clock.pending.size, 0);
  timers.start(alarm, 1e12);
  assert([...clock.pending.values()].every(({ at }) => at - clock.now() < 2 ** 31));
  clock.advance(1e11);
  assertEquals(alarm.times, []);
  alarm.stopTimer();
});

test("Timers may be started and stopped while others' time is up", () => {
  const { clock, timers } = makeTimers();
  const stopped = new Alarm(clock);
  const again: Alarm = new Alarm(clock, () => {
    stopped.stopTimer();
    if (again.times.length < 5) timers.start(again, 20);
  });
  timers.start(again, 20);
  timers.start(stopped, 20);
  clock.advance(300);
  assertEquals(again.times.length, 5);
  assertEquals(stopped.times, []);
  again.times.reduce((before, time) => {
    assert(time - before >= 19.5 && time - before <= 28, `${time - before} ms`);
    return time;
  });
  assertEquals(clock.pending.size, 0);
});

for (const ms of [100, 5000, 20_000]) {
  test(`Timers of ${ms} ms count nothing of a stall, and read before the next tick`, () => {
    const { clock, timers } = makeTimers();
    const alarms = Array.from({ length: 100 }, () => new Alarm(clock));
    for (const alarm of alarms) {
      timers.start(alarm, ms);
      clock.advance(ms / 105);
    }
    // The first is due at once; it has to wait for what may have come meanwhile.
    clock.stall(ms * 3);
    assertEquals(alarms.flatMap(({ times }) => times), []);
    assertEquals(clock.pending.size, 1);
    const start = clock.now();
    clock.advance(ms * 2);
    alarms.forEach(({ times }, i) => {
      const due = ms - (100 - i) * (ms / 105);
      const late = times[0] - start - due;
      // The tick in which the stall began is lost as well.
      assert(late >= -0.5 && late <= Math.max(16, ms * 0.05), `${late} ms late`);
    });
  });
}

test("Timers end where turn after turn is a stall, too", () => {
  const { clock, timers } = makeTimers();
  const alarm = new Alarm(clock);
  const start = clock.now();
  timers.start(alarm, 5000); // Ticks of 64 ms.
  while (alarm.times.length === 0 && clock.now() < start + 100_000) clock.stall(500);
  assertEquals(alarm.times.length, 1);
  assertLess(alarm.times[0] - start, 30_000);
});

test("Timers keep time where each turn takes as long as two ticks", () => {
  const { clock, timers } = makeTimers();
  const alarm = new Alarm(clock);
  const start = clock.now();
  timers.start(alarm, 5000);
  while (alarm.times.length === 0) clock.stall(128);
  assert(alarm.times[0] - start >= 5000);
  assertLess(alarm.times[0] - start, 5300);
});

test("Timers.stall tells how long the loop did not turn, for a second", () => {
  const { clock, timers } = makeTimers();
  const alarm = new Alarm(clock);
  timers.start(alarm, 30_000);
  clock.advance(5000);
  assert(timers.stall(clock.now()) <= 4);
  clock.time += 3000; // Asked before the timer has fired.
  assert(timers.stall(clock.now()) > 2700);
  clock.advance(0);
  assert(timers.stall(clock.now()) > 2700 && timers.stall(clock.now()) <= 3000);
  clock.advance(600);
  clock.stall(300);
  assert(timers.stall(clock.now()) > 2700, "the longest one");
  clock.advance(500);
  assert(timers.stall(clock.now()) < 300);
  alarm.stopTimer();
  assert(timers.stall(clock.now()) <= 0);
});

test("Timers report what a timer throws, and go on", async () => {
  const thrown: unknown[] = [];
  const queue = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback) => {
    try {
      callback();
    } catch (error) {
      thrown.push(error);
    }
  };
  try {
    const { clock, timers } = makeTimers();
    const error = new Error("from the timer");
    const broken = new Alarm(clock, () => {
      throw error;
    });
    const other = new Alarm(clock);
    timers.start(broken, 10);
    timers.start(other, 10);
    clock.advance(50);
    assertEquals(thrown, [error]);
    assertEquals(other.times.length, 1);
    assertEquals(clock.pending.size, 0);
  } finally {
    globalThis.queueMicrotask = queue;
  }
  await delay(0);
});

test("Timers run on the runtime's clock where they are given none", async () => {
  const timers = new Timers();
  const alarm = new Alarm(performance);
  const { promise, resolve } = Promise.withResolvers<void>();
  const last = new Alarm(performance, resolve);
  const start = performance.now();
  timers.start(last, 60);
  timers.start(alarm, 20);
  await promise;
  assert(alarm.times[0] - start >= 19, `${alarm.times[0] - start} ms`);
  assert(last.times[0] - start >= 59, `${last.times[0] - start} ms`);
});

test("Timers do as a list of all timers would, whatever is started and stopped", () => {
  const lengths = fc.constantFrom(3, 10, 20, 100, 480, 500, 1000, 5000, 30_000);
  const step = fc.oneof(
    fc.record({ start: fc.nat(9), ms: lengths }),
    fc.record({ stop: fc.nat(9) }),
    fc.record({ pass: fc.integer({ min: 1, max: 2000 }) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const { clock, timers } = makeTimers();
    const alarms = Array.from({ length: 10 }, () => new Alarm(clock));
    const due = new Map<Alarm, { at: number; ms: number }>();
    const check = () => {
      for (const alarm of alarms) {
        const times = alarm.times.splice(0);
        const expected = due.get(alarm);
        if (expected === undefined) {
          assertEquals(times, []);
          continue;
        }
        const { at, ms } = expected;
        const latest = at + Math.max(8, ms * 0.04);
        if (times.length === 0) assertLess(clock.now(), latest + 1);
        else assert(times.length === 1 && times[0] >= at - 0.5 && times[0] <= latest);
        if (times.length > 0) due.delete(alarm);
      }
      assertEquals(clock.pending.size, due.size === 0 ? 0 : 1);
    };
    for (const step of steps) {
      if ("pass" in step) {
        clock.advance(step.pass);
      } else if ("stop" in step) {
        alarms[step.stop].stopTimer();
        due.delete(alarms[step.stop]);
      } else {
        timers.start(alarms[step.start], step.ms);
        due.set(alarms[step.start], { at: clock.now() + step.ms, ms: step.ms });
      }
      check();
    }
  }));
});
