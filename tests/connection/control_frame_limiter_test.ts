import { ControlFrameLimiter } from "../../src/connection/control_frame_limiter.ts";
import { PolicyViolationError } from "../../src/protocol/errors.ts";
import { Timer, Timers } from "../../src/util/timers.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A timer that always waits, as a heartbeat does. */
class Idle extends Timer {
  constructor(readonly timers: Timers) {
    super();
    this.timeUp();
  }

  timeUp(): void {
    this.timers.start(this, 30_000);
  }
}

function makeRate(max: number) {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  new Idle(timers);
  const rate = new ControlFrameLimiter(max, timers);
  const count = (times: number) => {
    for (let i = 0; i < times; i++) rate.count();
  };
  const assertTooMany = () => {
    const error = assertThrows(() => rate.count(), PolicyViolationError);
    assertEquals([error.code, error.closeCode], ["ERR_TOO_MANY_CONTROL_FRAMES", 1008]);
  };
  return { clock, rate, count, assertTooMany };
}

test("ControlFrameLimiter takes as many at once, and no more than have been refilled since", () => {
  const { clock, count, assertTooMany } = makeRate(1000);
  count(1000);
  assertTooMany();
  clock.advance(999);
  count(999);
  assertTooMany();
  clock.advance(1000);
  count(1000);
  assertTooMany();
});

test("ControlFrameLimiter takes no more than a second's number at once after a long silence", () => {
  const { clock, count, assertTooMany } = makeRate(10);
  count(5);
  clock.advance(100_000);
  count(9);
  clock.advance(500);
  count(6);
  assertTooMany();
});

test("ControlFrameLimiter takes any number of frames at exactly its rate", () => {
  for (const max of [1, 3, 7, 300, 999]) {
    const { clock, count, assertTooMany } = makeRate(max);
    count(max);
    for (let i = 0; i < 3000; i++) {
      clock.time += 1000 / max;
      count(1);
    }
    assertTooMany();
  }
});

test("ControlFrameLimiter takes what waited while the event loop was stalled, and no more", () => {
  const { clock, count, assertTooMany } = makeRate(1000);
  for (let i = 0; i < 50; i++) {
    count(70);
    clock.advance(100);
  }
  clock.stall(5000);
  count(3500);
  for (let i = 0; i < 50; i++) {
    count(70);
    clock.advance(100);
  }
  clock.advance(1000);
  clock.stall(2000);
  count(2700);
  for (let i = 0; i < 300; i++) {
    try {
      count(1);
    } catch {
      break;
    }
  }
  assertTooMany();
  clock.advance(1100);
  count(1000);
  assertTooMany();
});

test("ControlFrameLimiter takes what waited before the timers have noticed that they are late", () => {
  const { clock, count, assertTooMany } = makeRate(100);
  clock.advance(10_000);
  clock.time += 3000;
  count(350);
  clock.advance(0);
  clock.advance(2000);
  count(100);
  assertTooMany();
});

test("ControlFrameLimiter takes what waited while the connection was not read, and no more", () => {
  const { clock, rate, count, assertTooMany } = makeRate(100);
  count(50);
  rate.paused();
  clock.advance(5000);
  rate.resumed();
  count(550);
  assertTooMany();
  clock.advance(1000);
  count(100);
  assertTooMany();
});

test("ControlFrameLimiter remembers the pause before where reading stops again at once", () => {
  const { clock, rate, count, assertTooMany } = makeRate(100);
  count(1);
  rate.paused();
  clock.advance(5000);
  rate.resumed();
  count(200);
  rate.paused();
  clock.advance(10);
  rate.resumed();
  count(400);
  assertTooMany();
});

test("ControlFrameLimiter of Infinity takes all", () => {
  const { count } = makeRate(Infinity);
  count(10_000);
});
