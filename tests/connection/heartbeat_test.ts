import fc from "fast-check";
import { Heartbeat } from "../../src/connection/heartbeat.ts";
import type { HeartbeatSettings } from "../../src/connection/heartbeat.ts";
import type { WebSocketError } from "../../src/protocol/errors.ts";
import { resolveLimits } from "../../src/protocol/limits.ts";
import type { Limits } from "../../src/protocol/limits.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertLess, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** A heartbeat that writes down when it beats, and when it loses its peer, from its start on. */
class Beats extends Heartbeat {
  readonly settings: HeartbeatSettings;
  isHeldBack = false;
  readonly beats: number[] = [];
  error: WebSocketError | undefined;
  lostAt: number | undefined;
  readonly #startedAt: number;

  constructor(readonly clock: FakeClock, limits: Partial<Limits> = {}) {
    const settings = { limits: resolveLimits(limits), timers: new Timers(clock) };
    super(settings);
    this.settings = settings;
    this.#startedAt = clock.now();
    this.start();
  }

  beat(): void {
    this.beats.push(this.clock.now() - this.#startedAt);
  }

  lost(error: WebSocketError): void {
    this.error = error;
    this.lostAt = this.clock.now() - this.#startedAt;
  }
}

function assertNear(actual: number | undefined, expected: number): void {
  const late = (actual ?? NaN) - expected;
  assert(late >= -expected * 0.02 - 1 && late <= expected * 0.04 + 8, `${actual}, not ${expected}`);
}

test("Heartbeat beats after pingInterval of silence, and loses its peer after pongTimeout more", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  clock.advance(29_000);
  assertEquals(heartbeat.beats, []);
  clock.advance(2000);
  assertNear(heartbeat.beats[0], 30_000);
  clock.advance(17_000);
  assertEquals(heartbeat.error, undefined);
  clock.advance(10_000);
  assertNear(heartbeat.lostAt, 50_000);
  assertEquals(heartbeat.beats.length, 1);
  const { code, closeCode, message } = heartbeat.error!;
  assertEquals([code, closeCode], ["ERR_PONG_TIMEOUT", 1006]);
  assertEquals(message, "The peer has been silent for 20000 ms after a Ping");
  assertEquals(clock.pending.size, 0);
});

test("Heartbeat does not beat for a peer that is heard more often than that", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  for (let i = 0; i < 100; i++) {
    clock.advance(28_000);
    heartbeat.heard();
  }
  assertEquals(heartbeat.beats, []);
  clock.advance(31_000);
  assertEquals(heartbeat.beats.length, 1);
  heartbeat.stopTimer();
  assertEquals(clock.pending.size, 0);
});

test("Heartbeat counts from when the peer was last heard", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  clock.advance(20_000);
  heartbeat.heard();
  clock.advance(100_000);
  assertNear(heartbeat.beats[0], 50_000);
  assertNear(heartbeat.lostAt, 70_000);
});

for (const [pingInterval, pongTimeout] of [[1000, 20_000], [30_000, 1000], [100, 100]]) {
  test(`Heartbeat goes on after an answer: ${pingInterval} and ${pongTimeout} ms`, () => {
    const clock = new FakeClock();
    const heartbeat = new Beats(clock, { pingInterval, pongTimeout });
    for (let i = 1; i <= 3; i++) {
      clock.advance(pingInterval * 1.1 + 10);
      assertEquals(heartbeat.beats.length, i);
      clock.advance(2);
      heartbeat.start();
    }
    clock.advance(pingInterval * 2 + pongTimeout * 2);
    assertEquals(heartbeat.beats.length, 4);
    assertNear(heartbeat.lostAt! - heartbeat.beats[3], pongTimeout);
    assertEquals(clock.pending.size, 0);
  });
}

test("Heartbeat keeps a peer that answers no Ping and sends something else", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  for (let i = 0; i < 20; i++) {
    clock.advance(40_000);
    heartbeat.heard();
  }
  assertEquals(heartbeat.error, undefined);
  assertEquals(heartbeat.beats.length, 20);
  heartbeat.stopTimer();
});

test("Heartbeat loses nobody while the connection is held back, and counts from its end", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  heartbeat.isHeldBack = true;
  clock.advance(500_000);
  assertEquals(heartbeat.beats, []);
  heartbeat.isHeldBack = false;
  heartbeat.heard();
  const start = clock.now();
  clock.advance(100_000);
  assertNear(heartbeat.beats[0] - (start - 1_000_003), 30_000);
  assertNear(heartbeat.lostAt! - (start - 1_000_003), 50_000);
});

test("Heartbeat loses nobody who is held back while a Ping is under way", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock);
  clock.advance(31_000);
  heartbeat.isHeldBack = true;
  clock.advance(100_000);
  assertEquals(heartbeat.error, undefined);
  heartbeat.isHeldBack = false;
  clock.advance(100_000);
  assertEquals(heartbeat.error?.code, "ERR_PONG_TIMEOUT");
});

test("Heartbeat of an infinite pingInterval waits for nothing", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock, { pingInterval: Infinity });
  heartbeat.heard();
  assertEquals(clock.count, 0);
});

test("Heartbeat of an infinite pongTimeout beats on, and loses nobody", () => {
  const clock = new FakeClock();
  const heartbeat = new Beats(clock, { pongTimeout: Infinity });
  clock.advance(320_000);
  assertEquals(heartbeat.beats.length, 10);
  assertEquals(heartbeat.error, undefined);
  heartbeat.stopTimer();
});

test("Heartbeat counts no stall, whenever it comes: what came meanwhile is heard first", () => {
  for (let at = 0; at < 52_000; at += 500) {
    const clock = new FakeClock();
    const heartbeat = new Beats(clock);
    clock.advance(at);
    if (heartbeat.error !== undefined) {
      assert(at >= 50_000);
      break;
    }
    clock.stall(60_000);
    assertEquals(heartbeat.error, undefined);
    heartbeat.heard();
    const start = clock.now();
    clock.advance(29_000);
    assertEquals(heartbeat.error, undefined);
    clock.advance(30_000);
    assertNear(heartbeat.lostAt! - (start - 1_000_003), 50_000);
  }
});

test("Heartbeat loses those who are silent, and nobody else, whatever happens", () => {
  const step = fc.record({
    event: fc.constantFrom("heard", "answered", "hold", "release", "stall", "nothing"),
    ms: fc.integer({ min: 1, max: 25_000 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const clock = new FakeClock();
    const heartbeat = new Beats(clock);
    let silence = 0; // Time awake since the peer could last be heard.
    let beats = 0;
    for (const { event, ms } of steps) {
      if (event === "stall") clock.stall(ms);
      else clock.advance(ms);
      if (heartbeat.isHeldBack) silence = 0;
      else if (event !== "stall") silence += ms;
      if (heartbeat.error !== undefined) {
        assert(silence >= 20_000 - 1, `lost after ${silence} ms`);
        assertEquals(clock.pending.size, 0);
        return;
      }
      assertLess(silence, 52_000 + 1024 * steps.length);
      assert(heartbeat.beats.length <= beats + 1, "one Ping for each silence");
      beats = heartbeat.beats.length;
      if (event === "hold") heartbeat.isHeldBack = true;
      if (event === "release") heartbeat.isHeldBack = false;
      if (event === "answered") heartbeat.start();
      if (event === "heard" || event === "release") heartbeat.heard();
      if (event === "answered" || event === "heard" || event === "release") silence = 0;
    }
    assertEquals(clock.pending.size, 1);
    heartbeat.stopTimer();
  }));
});
