import { ConnectionCounters } from "../../src/connection/counters.ts";
import { RateLimiter } from "../../src/connection/rate_limiter.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { PolicyViolationError } from "../../src/protocol/errors.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertThrows, delay, eventually, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { frame } from "../support/frames.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";
import { openRaw, serving } from "../support/server.ts";

function limiterOf(limits: Partial<Limits>, overRate: "pause" | "close" = "pause") {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const limiter = RateLimiter.for({ limits: resolveLimits(limits), timers, overRate });
  return { clock, limiter: limiter!, timers };
}

/** Returns how many messages a limiter takes before one must wait. */
function takeAll(limiter: RateLimiter): number {
  limiter.refill();
  let count = 1;
  while (limiter.takeMessage() && count < 10_000) count++;
  return count;
}

test("RateLimiter.for() makes none without a limit", () => {
  assertEquals(limiterOf({}).limiter, undefined);
  assertEquals(limiterOf({ burst: 5 }).limiter, undefined);
});

test("RateLimiter takes a burst, then so many messages a second", () => {
  const { clock, limiter } = limiterOf({ messageRate: 10, burst: 4 });
  assertEquals(takeAll(limiter), 4);
  clock.advance(500);
  assertEquals(takeAll(limiter), 4, "5 would be due, 4 is the burst");
  clock.advance(200);
  assertEquals(takeAll(limiter), 2);
  clock.advance(60_000);
  assertEquals(takeAll(limiter), 4);
});

test("RateLimiter has a burst of one second by default, and of one message at least", () => {
  assertEquals(takeAll(limiterOf({ messageRate: 25 }).limiter), 25);
  const { clock, limiter } = limiterOf({ messageRate: 0.1 });
  assertEquals(takeAll(limiter), 1);
  clock.advance(10_000);
  assertEquals(takeAll(limiter), 1);
});

test("RateLimiter keeps the rate of bytes on average, whatever the chunks", () => {
  const { clock, limiter } = limiterOf({ byteRate: 1000 });
  assertEquals(limiter.takeBytes(999), true);
  assertEquals(limiter.takeBytes(5000), false, "a chunk that exceeds the rate is taken");
  let called = 0;
  limiter.wait(() => called++);
  clock.advance(4900);
  assertEquals(called, 0);
  clock.advance(300);
  assertEquals(called, 1);
  limiter.refill();
  assertEquals(limiter.takeBytes(50), true);
});

test("RateLimiter.wait() can be cancelled", () => {
  const { clock, limiter } = limiterOf({ messageRate: 1 });
  takeAll(limiter);
  const cancel = limiter.wait(() => assert(false, "not called"));
  cancel();
  clock.advance(10_000);
});

test("RateLimiter that closes throws at the first message over the rate", () => {
  const { clock, limiter } = limiterOf({ messageRate: 10, burst: 2 }, "close");
  for (let n = 0; n < 2; n++) assertEquals(limiter.takeMessage(), true);
  const error = assertThrows(() => limiter.takeMessage(), PolicyViolationError);
  assertEquals(error.code, "ERR_RATE_LIMIT");
  clock.advance(100);
  limiter.refill();
  assertEquals(limiter.takeMessage(), true);
});

test("RateLimiter that closes allows in addition what came during a pause of ours", () => {
  const { clock, limiter } = limiterOf({ messageRate: 10, byteRate: 100 }, "close");
  limiter.refill();
  clock.advance(5000);
  limiter.resumed();
  for (let n = 0; n < 60; n++) limiter.takeMessage();
  assertThrows(() => limiter.takeMessage(), PolicyViolationError);
  const bytes = limiterOf({ byteRate: 100 }, "close");
  bytes.limiter.takeBytes(100);
  assertThrows(() => bytes.limiter.takeBytes(1), PolicyViolationError);
});

for (const compact of [false, true]) {
  const how = compact ? "in one chunk" : "each in a chunk";
  test(`a connection takes messageRate messages a second, sent ${how}`, async () => {
    const clock = new FakeClock();
    const timers = new Timers(clock);
    const counters = new ConnectionCounters();
    const got: string[] = [];
    const handler = {
      message: (_: unknown, message: string | Uint8Array) => got.push(`${message}`),
    };
    const limits = { messageRate: 10, burst: 5, pingInterval: Infinity };
    const opened = open({ handler: handler as never, limits, timers, counters });
    const texts = Array.from({ length: 30 }, (_, n) => `${n}`);
    if (compact) opened.peer.send(...texts.map(textFrame));
    else for (const text of texts) opened.peer.send(textFrame(text));
    opened.peer.send(closeFrame(1000));
    await turns(10);
    assertEquals(got, texts.slice(0, 5), "the burst");
    for (let second = 1; second <= 2; second++) {
      for (let n = 0; n < 10; n++) {
        clock.advance(100);
        await turns(2);
      }
      const most = 5 + second * 10;
      assert(got.length <= most + 1 && got.length >= most - 3, `${got.length} after ${second} s`);
    }
    for (let n = 0; n < 20; n++) {
      clock.advance(100);
      await turns(2);
    }
    assertEquals(got, texts, "none is lost, and their order is kept");
    assert(counters.rateLimited >= 5 && counters.rateLimited <= 30, `${counters.rateLimited}`);
    assertEquals(opened.errors, []);
    await opened.peer.end();
    assertEquals((await opened.socket.closed).wasClean, true);
  });
}

test("a fragmented message counts once, at its end", async () => {
  const clock = new FakeClock();
  const got: unknown[] = [];
  const limits = { messageRate: 1, burst: 2, pingInterval: Infinity };
  const handler = { message: (_: unknown, message: unknown) => got.push(message) };
  const { peer, socket } = open({ handler: handler as never, limits, timers: new Timers(clock) });
  peer.send({ first: First.TextStart, payload: "a" });
  for (let n = 0; n < 50; n++) peer.send({ first: First.Continuation, payload: "-" });
  peer.send({ first: First.ContinuationEnd, payload: "b" }, textFrame("two"), textFrame("three"));
  await turns(20);
  assertEquals(got, [`a${"-".repeat(50)}b`, "two"]);
  assertEquals(socket.readyState, 1);
});

test("a control frame is answered while the rate allows no message", async () => {
  const clock = new FakeClock();
  const { peer } = open({
    handler: {},
    limits: { messageRate: 1, pingInterval: Infinity },
    timers: new Timers(clock),
  });
  peer.send({ first: First.Ping, payload: "1" }, textFrame("x"), {
    first: First.Ping,
    payload: "2",
  });
  await turns();
  assertEquals(peer.words, ["pong 31"], "behind a message that waits, a Ping waits, too");
  clock.advance(1100);
  await turns();
  assertEquals(peer.words, ["pong 31", "pong 32"]);
});

test("after our Close frame, the rate does not delay the peer's", async () => {
  const clock = new FakeClock();
  const limits = { messageRate: 0.001, pingInterval: Infinity };
  const { peer, socket } = open({ handler: {}, limits, timers: new Timers(clock) });
  peer.send(textFrame("1"), textFrame("2"), textFrame("3"));
  await turns();
  const closed = socket.close(1000);
  peer.send(closeFrame(1000));
  await peer.received(1);
  await peer.end();
  assertEquals((await closed).wasClean, true);
});

test('overRate: "close" closes with 1008, and names the rate', async () => {
  const { server, errors } = serving({}, {
    limits: { messageRate: 0.1, burst: 10 },
    overRate: "close",
  });
  const client = await openRaw(server);
  client.send(...Array.from({ length: 11 }, (_, n) => textFrame(`${n}`)));
  await client.received("\x88\x02\x03\xf0");
  assertEquals(server.stats.messagesReceived, 10);
  const [{ error } = { error: undefined }] = errors;
  assertEquals((error as PolicyViolationError).code, "ERR_RATE_LIMIT");
});

test("byteRate holds a flood over TCP back, and the connection stays open", async () => {
  const rate = 1_000_000;
  const { server, errors } = serving({}, { limits: { byteRate: rate } });
  const client = await openRaw(server);
  const bytes = frame({ opcode: 2, payload: new Uint8Array(10_000) });
  const start = performance.now();
  const before = server.stats.bytesReceived;
  for (let n = 0; n < 2000; n++) client.tcp.write(bytes);
  await eventually(() => server.stats.rateLimited >= 1, 10_000, "a wait");
  await delay(1500);
  const seconds = (performance.now() - start) / 1000;
  const received = server.stats.bytesReceived - before;
  // A second's worth may come at once. On Bun a pause takes effect after all that the kernel holds.
  assert(received <= rate * (seconds + 1) + 6_000_000, `${received} bytes in ${seconds} s`);
  assert(received >= rate * seconds, `${received} bytes in ${seconds} s`);
  assertEquals(errors, []);
  assertEquals(server.stats.open, 1);
});
