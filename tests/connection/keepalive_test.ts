import fc from "fast-check";
import { Keepalive } from "../../src/connection/keepalive.ts";
import type { KeepaliveCore } from "../../src/connection/keepalive.ts";
import type { WebSocketError } from "../../src/protocol/errors.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertLess, assertRejects, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { turns } from "../support/open.ts";

/** A connection that records what its keepalive does. */
class FakeCore implements KeepaliveCore {
  readonly clock = new FakeClock();
  readonly settings: KeepaliveCore["settings"];
  readonly sent: (FrameInit & { at: number })[] = [];
  readonly sender = {
    isFull: false,
    queuedBytes: 0,
    enqueue: (frame: FrameInit) => void this.sent.push({ ...frame, at: this.clock.now() - START }),
    flush() {},
  };
  hasReceivedClose = false;
  isPausedLocally = false;
  updateMemoryUsage(): void {}
  error: WebSocketError | undefined;
  lostAt: number | undefined;

  constructor(limits: Partial<Limits>) {
    const counters = new ConnectionCounters();
    this.settings = { limits: resolveLimits(limits), timers: new Timers(this.clock), counters };
  }

  peerLost(error: WebSocketError): void {
    this.error = error;
    this.lostAt = this.clock.now() - START;
  }

  /** When each Ping to a silent peer was sent, in milliseconds from the start. */
  get beats(): number[] {
    return this.sent.filter(({ opcode }) => opcode === Opcode.Ping).map(({ at }) => at);
  }
}

const START = new FakeClock().now();

function startKeepalive(limits: Partial<Limits> = {}) {
  const core = new FakeCore(limits);
  const keepalive = new Keepalive(core);
  keepalive.start();
  const pong = (payload: Uint8Array) => keepalive.take({ opcode: Opcode.Pong, payload });
  return { core, clock: core.clock, keepalive, pong };
}

function assertNear(actual: number | undefined, expected: number): void {
  const late = (actual ?? NaN) - expected;
  assert(late >= -expected * 0.02 - 1 && late <= expected * 0.04 + 8, `${actual}, not ${expected}`);
}

test("Keepalive sends a Ping after pingInterval of silence, and loses the peer after pongTimeout more", () => {
  const { core, clock } = startKeepalive();
  clock.advance(29_000);
  assertEquals(core.beats, []);
  clock.advance(2000);
  assertNear(core.beats[0], 30_000);
  clock.advance(17_000);
  assertEquals(core.error, undefined);
  clock.advance(10_000);
  assertNear(core.lostAt, 50_000);
  assertEquals(core.beats.length, 1);
  const { code, closeCode, message } = core.error!;
  assertEquals([code, closeCode], ["ERR_PONG_TIMEOUT", 1006]);
  assertEquals(message, "The peer has been silent for 20000 ms after a Ping");
  assertEquals(clock.pending.size, 0);
});

test("Keepalive sends no Ping to a peer that is heard more often than that", () => {
  const { core, clock, keepalive } = startKeepalive();
  for (let i = 0; i < 100; i++) {
    clock.advance(28_000);
    keepalive.onActivity();
  }
  assertEquals(core.beats, []);
  clock.advance(31_000);
  assertEquals(core.beats.length, 1);
  keepalive.stopTimer();
  assertEquals(clock.pending.size, 0);
});

test("Keepalive counts from when the peer was last heard", () => {
  const { core, clock, keepalive } = startKeepalive();
  clock.advance(20_000);
  keepalive.onActivity();
  clock.advance(100_000);
  assertNear(core.beats[0], 50_000);
  assertNear(core.lostAt, 70_000);
});

for (const [pingInterval, pongTimeout] of [[1000, 20_000], [30_000, 1000], [100, 100]]) {
  test(`Keepalive starts again after an answer: ${pingInterval} and ${pongTimeout} ms`, () => {
    const { core, clock, keepalive } = startKeepalive({ pingInterval, pongTimeout });
    for (let i = 1; i <= 3; i++) {
      clock.advance(pingInterval * 1.1 + 10);
      assertEquals(core.beats.length, i);
      clock.advance(2);
      keepalive.start();
    }
    clock.advance(pingInterval * 2 + pongTimeout * 2);
    assertEquals(core.beats.length, 4);
    assertNear(core.lostAt! - core.beats[3], pongTimeout);
    assertEquals(clock.pending.size, 0);
  });
}

test("Keepalive keeps a peer that answers no Ping and sends something else", () => {
  const { core, clock, keepalive } = startKeepalive();
  for (let i = 0; i < 20; i++) {
    clock.advance(40_000);
    keepalive.onActivity();
  }
  assertEquals(core.error, undefined);
  assertEquals(core.beats.length, 20);
  keepalive.stopTimer();
});

test("Keepalive loses no peer while reading is paused, and counts from its end", () => {
  const { core, clock, keepalive } = startKeepalive();
  core.isPausedLocally = true;
  clock.advance(500_000);
  assertEquals(core.beats, []);
  core.isPausedLocally = false;
  keepalive.onActivity();
  const start = clock.now();
  clock.advance(100_000);
  assertNear(core.beats[0] - (start - START), 30_000);
  assertNear(core.lostAt! - (start - START), 50_000);
});

test("Keepalive loses no peer while reading is paused after a Ping", () => {
  const { core, clock } = startKeepalive();
  clock.advance(31_000);
  core.isPausedLocally = true;
  clock.advance(100_000);
  assertEquals(core.error, undefined);
  core.isPausedLocally = false;
  clock.advance(100_000);
  assertEquals(core.error?.code, "ERR_PONG_TIMEOUT");
});

test("Keepalive of an infinite pingInterval sets no timer", () => {
  const { clock, keepalive } = startKeepalive({ pingInterval: Infinity });
  keepalive.onActivity();
  assertEquals(clock.count, 0);
});

test("Keepalive of an infinite pongTimeout goes on sending pings, and loses no peer", () => {
  const { core, clock, keepalive } = startKeepalive({ pongTimeout: Infinity });
  clock.advance(320_000);
  assertEquals(core.beats.length, 10);
  assertEquals(core.error, undefined);
  keepalive.stopTimer();
});

test("Keepalive counts no stall, whenever it comes: what came meanwhile is heard first", () => {
  for (let at = 0; at < 52_000; at += 500) {
    const { core, clock, keepalive } = startKeepalive();
    clock.advance(at);
    if (core.error !== undefined) {
      assert(at >= 50_000);
      break;
    }
    clock.stall(60_000);
    assertEquals(core.error, undefined);
    keepalive.onActivity();
    const start = clock.now();
    clock.advance(29_000);
    assertEquals(core.error, undefined);
    clock.advance(30_000);
    assertNear(core.lostAt! - (start - START), 50_000);
  }
});

test("Keepalive loses silent peers, and no others, whatever happens", () => {
  const step = fc.record({
    event: fc.constantFrom("heard", "answered", "hold", "release", "stall", "nothing"),
    ms: fc.integer({ min: 1, max: 25_000 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { core, clock, keepalive } = startKeepalive();
    let silence = 0; // Time awake since the peer could last be heard.
    let beats = 0;
    for (const { event, ms } of steps) {
      if (event === "stall") clock.stall(ms);
      else clock.advance(ms);
      if (core.isPausedLocally) silence = 0;
      else if (event !== "stall") silence += ms;
      if (core.error !== undefined) {
        assert(silence >= 20_000 - 1, `lost after ${silence} ms`);
        assertEquals(clock.pending.size, 0);
        return;
      }
      assertLess(silence, 52_000 + 1024 * steps.length);
      assert(core.beats.length <= beats + 1, "one Ping for each silence");
      beats = core.beats.length;
      if (event === "hold") core.isPausedLocally = true;
      if (event === "release") core.isPausedLocally = false;
      if (event === "answered") keepalive.start();
      if (event === "heard" || event === "release") keepalive.onActivity();
      if (event === "answered" || event === "heard" || event === "release") silence = 0;
    }
    assertEquals(clock.pending.size, 1);
    keepalive.stopTimer();
  }));
});

test("Keepalive sends a silent peer no second Ping while the first is in the send queue", () => {
  const { core, clock, keepalive } = startKeepalive({ pongTimeout: Infinity });
  clock.advance(31_000);
  core.sender.queuedBytes = 6;
  clock.advance(100_000);
  assertEquals(core.sent.length, 1);
  core.sender.queuedBytes = 0;
  clock.advance(31_000);
  assertEquals(core.sent.length, 2);
  assertEquals(core.sent[1].payload, new Uint8Array([0, 0, 0, 1]));
  keepalive.close(undefined);
  assertEquals(clock.pending.size, 0);
});

test("ping() numbers its frames, and resolves to the time until the Pong", async () => {
  const { core, clock, keepalive, pong } = startKeepalive();
  const first = keepalive.ping();
  clock.advance(5);
  const second = keepalive.ping();
  assertEquals(core.sent.map(({ payload }) => payload), [
    new Uint8Array([0, 0, 0, 0]),
    new Uint8Array([0, 0, 0, 1]),
  ]);
  assertEquals(keepalive.roundTrip, undefined);
  clock.advance(20);
  pong(core.sent[1].payload!);
  assertEquals(await Promise.all([first, second]), [25, 20]);
  assertEquals(keepalive.roundTrip, 20);
});

test("Keepalive reads a Pong's number wherever it lies in its buffer", async () => {
  const { keepalive, pong } = startKeepalive();
  const roundTrip = keepalive.ping();
  pong(new Uint8Array([9, 9, 0, 0, 0, 0]).subarray(2));
  await roundTrip;
});

test("Keepalive ignores a Pong that answers no Ping", async () => {
  const { keepalive, pong } = startKeepalive();
  let isAnswered = false;
  keepalive.ping().then(() => isAnswered = true, () => {});
  for (const payload of [[], [0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0, 0]]) {
    pong(new Uint8Array(payload));
  }
  await turns();
  assertEquals([isAnswered, keepalive.isAwaited], [false, true]);
});

test("Keepalive expects one Pong of a silent peer, which gives the round trip", async () => {
  const { core, clock, keepalive, pong } = startKeepalive({
    pingInterval: 1000,
    pongTimeout: Infinity,
  });
  const asked = keepalive.ping();
  clock.advance(2100);
  assertEquals(core.sent.length, 3);
  pong(core.sent[1].payload!);
  assertEquals(keepalive.roundTrip, undefined);
  clock.advance(20);
  pong(core.sent[2].payload!);
  assertEquals(keepalive.roundTrip, clock.now() - START - core.sent[2].at);
  // It answers those before it.
  assertEquals(await asked, clock.now() - START);
  assertEquals(keepalive.isAwaited, false);
});

test("Keepalive.close rejects what ping() has returned, and the promise may be ignored", async () => {
  const { keepalive, pong } = startKeepalive();
  const roundTrip = keepalive.ping();
  keepalive.ping();
  const gone = new Error("gone");
  keepalive.close(gone);
  assertEquals(await assertRejects(() => roundTrip), gone);
  pong(new Uint8Array(4));
});

test("pings are answered by their own Pong or a later one, whatever Pongs come", async () => {
  const id = fc.integer({ min: -1, max: 12 });
  const step = fc.oneof(fc.constantFrom("ping", "silence"), id, fc.uint8Array({ maxLength: 6 }));
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const limits = { pingInterval: 1000, pongTimeout: Infinity, maxControlFrames: Infinity };
    const { core, clock, keepalive, pong } = startKeepalive(limits);
    const answered: number[] = [];
    const expected: number[] = [];
    let open: { id: number; isAsked: boolean }[] = [];
    let sent = 0;
    for (const step of steps) {
      if (step === "ping") {
        const id = sent;
        keepalive.ping().then(() => answered.push(id), () => {});
      } else if (step === "silence") {
        clock.advance(1100);
      } else {
        const payload = typeof step === "number" ? new Uint8Array([0, 0, 0, step]) : step;
        const named = payload.length === 4 ? new DataView(payload.buffer).getUint32(0) : -1;
        pong(payload);
        if (open.some(({ id }) => id === named)) {
          const gone = open.filter(({ id, isAsked }) => id <= named && isAsked);
          expected.push(...gone.map(({ id }) => id));
          open = open.filter(({ id }) => id > named);
        }
      }
      for (const { payload } of core.sent.slice(sent)) {
        assertEquals(payload, new Uint8Array([0, 0, 0, sent]));
        const isAsked = step === "ping";
        if (!isAsked) open = open.filter(({ isAsked }) => isAsked);
        open.push({ id: sent++, isAsked });
      }
      assertEquals(keepalive.isAwaited, open.length > 0);
    }
    await turns();
    assertEquals(answered, expected);
    keepalive.close(new Error("gone"));
  }));
});

test("Keepalive keeps the last Pong that a full send queue has no room for", () => {
  const { core, keepalive } = startKeepalive();
  const ping = (byte: number) =>
    keepalive.take({ opcode: Opcode.Ping, payload: new Uint8Array([byte]) });
  ping(1);
  core.sender.isFull = true;
  ping(2);
  ping(3);
  keepalive.onDrain();
  assertEquals(core.sent.length, 1);
  core.sender.isFull = false;
  keepalive.onDrain();
  keepalive.onDrain();
  assertEquals(core.sent.map(({ opcode, payload }) => [opcode, ...payload!]), [[10, 1], [10, 3]]);
  core.hasReceivedClose = true;
  ping(4);
  assertEquals(core.sent.length, 2);
});
