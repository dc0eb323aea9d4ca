import { RestartableTimer } from "../../src/util/restartable_timer.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";

function makeTimer() {
  const clock = new FakeClock();
  const times: number[] = [];
  const timers = new Timers(clock);
  const timer = new RestartableTimer(() => times.push(clock.now()), timers);
  return { clock, times, timer };
}

/** The most that a timer may be late, in milliseconds. */
const late = (ms: number) => Math.max(24, ms * 0.12);

for (const ms of [5, 100, 5000, 65_000]) {
  test(`RestartableTimer is never early, and counts from its last start: ${ms} ms`, () => {
    for (const pause of [0, ms * 0.1, ms * 0.5, ms * 0.99]) {
      const { clock, times, timer } = makeTimer();
      for (let i = 0; i < 4; i++) {
        timer.start(ms);
        clock.advance(pause);
        timer.stop();
      }
      const start = clock.now();
      timer.start(ms);
      clock.advance(ms - 0.5);
      assertEquals(times, [], `after a pause of ${pause} ms`);
      clock.advance(late(ms));
      assertEquals(times.length, 1);
      assert(times[0] >= start + ms - 0.5, `${times[0] - start} ms`);
    }
  });
}

test("RestartableTimer does nothing once it is stopped, and can start again", () => {
  const { clock, times, timer } = makeTimer();
  timer.start(100);
  timer.stop();
  clock.advance(1000);
  assertEquals([times, timer.wheel], [[], undefined]);
  timer.start(100);
  clock.advance(200);
  assertEquals(times.length, 1);
  clock.advance(1000);
  assertEquals(times.length, 1);
});

test("RestartableTimer changes its time", () => {
  const { clock, times, timer } = makeTimer();
  timer.start(5000);
  clock.advance(100);
  timer.start(100);
  clock.advance(150);
  assertEquals(times.length, 1);
  timer.start(100);
  timer.start(5000);
  clock.advance(4000);
  assertEquals(times.length, 1);
  timer.start(Infinity);
  clock.advance(100_000);
  assertEquals([times.length, timer.wheel], [1, undefined]);
});

test("RestartableTimer's stopTimer() takes it out of its wheel", () => {
  const { clock, times, timer } = makeTimer();
  timer.start(100);
  timer.stopTimer();
  assertEquals(timer.wheel, undefined);
  clock.advance(1000);
  assertEquals(times, []);
});
