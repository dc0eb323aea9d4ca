import { WebSocketError } from "../../src/protocol/errors.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertInstanceOf, onTestEnd, test } from "../harness.ts";
import { ROLES } from "../protocol/frames.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { open, turns } from "../support/open.ts";
import type { OpenOptions } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

/** A connection under test whose time is the test's. */
function openAwake(options: OpenOptions = {}) {
  const clock = new FakeClock();
  onTestEnd(() => assertEquals(clock.pending.size, 0, "a timer is left"));
  const opened = open({ ...options, timers: new Timers(clock) });
  /** Lets time pass in small steps, in which all arrives that is under way. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 5000) {
      clock.advance(Math.min(left, 5000));
      await turns(2);
    }
  };
  return { ...opened, clock, pass };
}

for (const role of ROLES) {
  test(`a ${role} pings an idle peer, and measures the round trip`, async () => {
    const { socket, peer, pass } = openAwake({ role });
    assertEquals(socket.roundTrip, undefined);
    for (let i = 0; i < 3; i++) {
      await pass(29_000);
      assertEquals(peer.frames.length, i);
      await pass(2000);
      assertEquals(peer.frames.length, i + 1);
      const { first, payload } = peer.frames[i];
      assertEquals(first, First.Ping);
      peer.send({ first: First.Pong, payload });
      await turns();
      assert(socket.roundTrip! >= 0, `${socket.roundTrip} ms`);
    }
  });

  test(`a ${role} does not ping a peer that sends, whatever it sends`, async () => {
    const { peer, pass } = openAwake({ role, handler: {} });
    const start = { first: First.TextStart, payload: "a" };
    const end = { first: First.ContinuationEnd, payload: "b" };
    for (const frame of [textFrame("one"), start, { first: First.Pong }, end, textFrame("two")]) {
      await pass(20_000);
      peer.send(frame);
      await turns();
    }
    assertEquals(peer.words, []);
  });

  test(`a ${role} counts a byte that is no frame yet as life`, async () => {
    const { peer, pass } = openAwake({ role });
    for (const byte of [0x81, role === "server" ? 0xfd : 0x7d]) {
      await pass(20_000);
      peer.sendBytes(new Uint8Array([byte]));
      await turns();
    }
    await pass(20_000);
    assertEquals(peer.words, []);
  });

  test(`a ${role} drops a peer that is silent after a Ping, with 1006`, async () => {
    const told: unknown[] = [];
    const { socket, peer, errors, pass, transport } = openAwake({
      role,
      handler: { error: (_, error) => told.push(error), close: (_, info) => told.push(info) },
    });
    await pass(49_000);
    assertEquals(transport.isClosed, false);
    assertEquals(peer.frames.map(({ first }) => first), [First.Ping]);
    await pass(2000);
    const info = await socket.closed;
    assertInstanceOf(info.error, WebSocketError);
    assertEquals(info.error.code, "ERR_PONG_TIMEOUT");
    assertEquals(info, { closeCode: 1006, reason: "", wasClean: false, error: info.error });
    assertEquals(told, [info.error, info]);
    assertEquals(errors, [info.error]);
    await turns();
    assertEquals(peer.isClosed, true);
    assertEquals(peer.frames.length, 1);
  });

  test(`a ${role} keeps a peer that answers no Ping and sends messages`, async () => {
    const { socket, peer, pass } = openAwake({ role, handler: {} });
    for (let i = 0; i < 10; i++) {
      await pass(40_000);
      peer.send(textFrame("here"));
      await turns();
    }
    assertEquals(socket.readyState, 1);
    assertEquals(peer.frames.length, 10);
    assert(peer.frames.every(({ first }) => first === First.Ping));
    assertEquals(socket.roundTrip, undefined);
  });

  test(`a ${role} takes a Pong that answers an older Ping, or none, for life and no more`, async () => {
    const { socket, peer, pass } = openAwake({ role, handler: {} });
    await pass(31_000);
    const old = peer.frames[0].payload;
    for (const payload of ["", "what", new Uint8Array([0, 0, 9, 9])]) {
      peer.send({ first: First.Pong, payload });
      await pass(40_000);
    }
    assertEquals(peer.frames.length, 4);
    peer.send({ first: First.Pong, payload: old });
    await turns();
    assertEquals(socket.roundTrip, undefined);
    peer.send({ first: First.Pong, payload: peer.frames[3].payload });
    await turns();
    assert(socket.roundTrip! >= 0);
  });

  test(`a ${role} does not ping while it closes`, async () => {
    const limits: Partial<Limits> = { closeTimeout: 200_000 };
    for (const first of ["we", "the peer", "both"]) {
      const { socket, peer, pass } = openAwake({ role, limits });
      if (first !== "the peer") socket.close(1000);
      await turns();
      if (first !== "we") peer.send(closeFrame(1000));
      await pass(100_000);
      assertEquals(peer.words, ["close 1000"], first);
      socket.abort();
    }
  });

  test(`a ${role} does not ping for a Close that waits behind a slow loop`, async () => {
    const { socket, peer, pass } = openAwake({ role, limits: { closeTimeout: 200_000 } });
    const next = socket[Symbol.asyncIterator]().next();
    peer.send(textFrame("one"), closeFrame(1000));
    await next;
    await pass(100_000);
    assertEquals(peer.words, []);
    socket.abort();
  });

  test(`a ${role} whose peer has ended TCP, behind a slow loop, is not lost`, async () => {
    const { socket, peer, pass } = openAwake({ role, limits: { incomingMaxMessages: 1 } });
    peer.send(textFrame("one"), textFrame("two"), textFrame("three"));
    peer.transport.shutdown();
    await pass(200_000);
    const messages: unknown[] = [];
    for await (const message of socket) messages.push(message);
    assertEquals(messages, ["one", "two", "three"]);
    const { error } = await socket.closed;
    assertEquals((error as WebSocketError).code, "ERR_NO_CLOSE_FRAME");
  });

  test(`a ${role} does not count the time in which its own loop is slow`, async () => {
    const { socket, peer, pass } = openAwake({ role, limits: { incomingMaxMessages: 1 } });
    peer.send(textFrame("zero"), textFrame("one"), textFrame("two"));
    await socket[Symbol.asyncIterator]().next(); // It processes this message for 500 s.
    peer.send(textFrame("three"));
    await turns();
    peer.send(textFrame("four"));
    await pass(500_000);
    assertEquals(socket.readyState, 1);
    assertEquals(peer.frames.length, 0);
    for (let i = 0; i < 4; i++) await socket[Symbol.asyncIterator]().next();
    await pass(29_000);
    assertEquals(peer.frames.length, 0);
    await pass(22_500);
    assertEquals((await socket.closed).closeCode, 1006);
  });

  test(`a ${role} drops a peer that reads nothing and says nothing, with one Ping in the queue`, async () => {
    const { socket, peer, pass } = openAwake({ role, memory: { capacity: 1000 } });
    peer.transport.pause();
    for (let i = 0; i < 200; i++) socket.send("x".repeat(1000));
    await turns();
    const before = socket.bufferedAmount;
    await pass(40_000);
    const ping = role === "server" ? 6 : 10;
    assertEquals(socket.bufferedAmount - before, ping);
    await pass(12_000);
    assertEquals(((await socket.closed).error as WebSocketError).code, "ERR_PONG_TIMEOUT");
  });

  test(`a ${role} keeps a peer that reads slowly what waits in a full queue`, async () => {
    const { socket, peer, pass } = openAwake({ role, memory: { capacity: 1000 } });
    peer.transport.pause();
    for (let i = 0; i < 200; i++) socket.send("x".repeat(1000));
    await turns();
    for (let i = 0; i < 10; i++) {
      await pass(25_000);
      peer.transport.resume();
      await Promise.resolve();
      peer.transport.pause();
      await turns();
    }
    assertEquals(socket.readyState, 1);
    socket.abort();
  });
}

test("a client queues one Ping for a peer that sends and reads nothing", async () => {
  const { socket, peer, pass } = openAwake({
    role: "client",
    handler: {},
    memory: { capacity: 1000 },
    peerMemory: {},
  });
  peer.transport.pause();
  for (let i = 0; i < 200; i++) socket.send("x".repeat(1000));
  await turns();
  const before = socket.bufferedAmount;
  for (let i = 0; i < 5; i++) {
    await pass(40_000);
    peer.send(textFrame("here"));
    await turns();
  }
  assertEquals(socket.bufferedAmount - before, 10);
  assertEquals(socket.readyState, 1);
  socket.abort();
});

test("a server that holds back a peer that doesn't read drops it where it never does", async () => {
  const { socket, peer, pass } = openAwake({ handler: {}, memory: { capacity: 1000 } });
  peer.transport.pause();
  for (let i = 0; i < 200; i++) socket.send("x".repeat(1000));
  await turns();
  for (let i = 0; i < 9; i++) {
    peer.send(textFrame("y".repeat(500)));
    await turns();
  }
  assertEquals(peer.isStuck, true);
  await pass(52_000);
  assertEquals(((await socket.closed).error as WebSocketError).code, "ERR_PONG_TIMEOUT");
});

test("a connection without heartbeats sets no timer", () => {
  const { clock, socket } = openAwake({ limits: { pingInterval: Infinity } });
  assertEquals(clock.count, 0);
  socket.abort();
});

test("1,000 idle connections share one timer, and leave none", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const all = Array.from({ length: 1000 }, () => open({ timers }));
  assertEquals(clock.pending.size, 1);
  clock.advance(31_000);
  await turns();
  assert(all.every(({ peer }) => peer.frames.length === 1));
  assertEquals(clock.pending.size, 1);
  for (const { socket } of all) socket.abort();
  assertEquals(clock.pending.size, 0);
});

test("a stall closes none of 1,000 connections whose peers have answered meanwhile", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const all = Array.from({ length: 1000 }, () => open({ timers }));
  clock.advance(31_000);
  await turns();
  for (const { peer } of all) {
    peer.send({ first: First.Pong, payload: peer.frames[0].payload });
  }
  clock.stall(60_000); // The timers are told before what has come is read.
  assert(all.every(({ socket }) => socket.readyState === 1));
  await turns();
  clock.advance(25_000);
  assert(all.every(({ socket }) => socket.readyState === 1));
});
