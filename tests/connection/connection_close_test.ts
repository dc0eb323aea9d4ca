import { ReadyState } from "../../src/connection/ready_state.ts";
import {
  InvalidPayloadError,
  MessageTooBigError,
  ProtocolError,
} from "../../src/protocol/errors.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertInstanceOf, deadline, delay, test } from "../harness.ts";
import { ROLES } from "../protocol/frames.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { collect, open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

for (const role of ROLES) {
  test(`close of a ${role} waits for the peer's Close, and for TCP's end`, async () => {
    const { socket, peer, transport } = open({ role });
    socket.send("last");
    const closed = socket.close(4000, "enough");
    assertEquals(socket.readyState, ReadyState.Closing);
    assertEquals(await peer.received(2), ["text last", "close 4000 enough"]);
    await turns();
    assertEquals(transport.isClosed, false);
    assertEquals(peer.hasEnded, false, "no end before the peer's Close");
    peer.send(closeFrame(4001, "so it is"));
    await turns();
    // RFC 6455 §7.1.1: the server ends TCP first.
    assertEquals(peer.hasEnded, role === "server");
    assertEquals(transport.isClosed, false);
    peer.transport.close();
    assertEquals(await closed, { closeCode: 4001, reason: "so it is", wasClean: true });
    assertEquals(transport.isClosed, true);
  });

  test(`a ${role} answers a Close with its code`, async () => {
    const { socket, peer, errors } = open({ role });
    const received = collect(socket);
    peer.send(closeFrame(3999, "bye"));
    assertEquals(await peer.received(1), ["close 3999"]);
    await peer.end();
    assertEquals(await socket.closed, { closeCode: 3999, reason: "bye", wasClean: true });
    assertEquals(await received, []);
    assertEquals(errors, []);
  });

  test(`a ${role} answers a Close without a code by one without`, async () => {
    const { socket, peer } = open({ role });
    peer.send(closeFrame());
    assertEquals(await peer.received(1), ["close"]);
    await peer.end();
    assertEquals(await socket.closed, { closeCode: 1005, reason: "", wasClean: true });
  });

  test(`a ${role} sends one Close where both begin to close`, async () => {
    const { socket, peer } = open({ role });
    socket.close(1000, "mine");
    peer.send(closeFrame(1001, "yours"));
    socket.close(3000, "again");
    await peer.received(1);
    await peer.end();
    assertEquals(await socket.closed, { closeCode: 1001, reason: "yours", wasClean: true });
    assertEquals(peer.words, ["close 1000 mine"]);
  });

  test(`a ${role} takes messages and pings after its own Close`, async () => {
    const { socket, peer } = open({ role });
    const received = collect(socket);
    socket.close(1000);
    await peer.received(1);
    peer.send(textFrame("one"), { first: First.Ping, payload: "?" }, textFrame("two"));
    peer.send(closeFrame(1000));
    await peer.end();
    assertEquals(await received, ["one", "two"]);
    assertEquals((await socket.closed).wasClean, true);
    // RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a Close
    // frame": it speaks of data alone, so a Pong may or may not come.
    assertEquals(peer.words.filter((words) => !words.startsWith("pong")), ["close 1000"]);
  });

  test(`a ${role} ignores what follows the peer's Close`, async () => {
    const { socket, peer, errors } = open({ role });
    const received = collect(socket);
    peer.send(closeFrame(1000), textFrame("late"), { first: 0xff }, { first: First.Ping });
    await peer.received(1);
    peer.sendBytes(new Uint8Array([0xff, 0xff]));
    await peer.end();
    assertEquals(await received, []);
    assertEquals(await socket.closed, { closeCode: 1000, reason: "", wasClean: true });
    assertEquals(peer.words, ["close 1000"]);
    assertEquals(errors, []);
  });

  test(`a ${role} whose peer ends without a Close sees 1006`, async () => {
    const { socket, peer, transport, errors } = open({ role });
    const received = collect(socket);
    peer.send(textFrame("one"));
    peer.transport.shutdown();
    const { error, ...info } = await socket.closed;
    assertEquals(info, { closeCode: 1006, reason: "", wasClean: false });
    assertInstanceOf(error, WebSocketError);
    assertEquals(error.code, "ERR_NO_CLOSE_FRAME");
    assertEquals(await received, ["one"]);
    assertEquals(transport.isClosed, true);
    assertEquals(errors, []);
  });

  test(`a ${role} drops a peer that never answers its Close`, async () => {
    const { socket, peer } = open({ role, limits: { closeTimeout: 20 } });
    const started = performance.now();
    const { error, ...info } = await socket.close(1000);
    assertEquals(info, { closeCode: 1006, reason: "", wasClean: false });
    assertInstanceOf(error, WebSocketError);
    assertEquals(error.code, "ERR_CLOSE_TIMEOUT");
    assertEquals(error.message, "The peer has not answered our Close frame within 20 ms");
    assert(performance.now() - started > 15);
    await peer.until(() => peer.isClosed, "the reset");
    assertEquals(peer.words, ["close 1000"]);
  });

  test(`a ${role} drops a peer that answers, and never ends TCP`, async () => {
    const { socket, peer } = open({ role, limits: { closeTimeout: 20 } });
    peer.send(closeFrame(1000));
    assertEquals(await socket.closed, { closeCode: 1000, reason: "", wasClean: true });
    await peer.until(() => peer.isClosed, "the reset");
  });

  const mask = role === "server" ? [0x80] : [0];
  const faults: [
    what: string,
    bytes: number[],
    code: number,
    type: new (...args: never[]) => Error,
  ][] = [
    ["a reserved opcode", [0x83], 1002, ProtocolError],
    [
      "text that is not UTF-8",
      [0x81, mask[0] | 1, ...(role === "server" ? [0, 0, 0, 0] : []), 0xff],
      1007,
      InvalidPayloadError,
    ],
    [
      "a message over the limit",
      [0x82, mask[0] | 127, 0, 0, 0, 0, 0, 0x10, 0, 1, ...(role === "server" ? [0, 0, 0, 0] : [])],
      1009,
      MessageTooBigError,
    ],
    [
      "a Close of one byte",
      [0x88, mask[0] | 1, ...(role === "server" ? [0, 0, 0, 0] : []), 3],
      1002,
      ProtocolError,
    ],
  ];
  for (const [what, fault, code, type] of faults) {
    test(`a ${role} answers ${what} with ${code}, and reads no further`, async () => {
      const told: unknown[] = [];
      const { socket, peer, errors } = open({
        role,
        handler: {
          message: (_, message) => told.push(message),
          error: (_, error) => told.push(error),
          close: (_, info) => told.push(info),
        },
      });
      peer.send(textFrame("one"));
      peer.sendBytes(new Uint8Array(fault));
      peer.send(textFrame("two"));
      assertEquals(await peer.received(1), [`close ${code}`]);
      await peer.until(() => peer.hasEnded, "the end");
      peer.send(closeFrame(code));
      peer.transport.close();
      const info = await socket.closed;
      assertInstanceOf(info.error, type);
      assertEquals(info, { closeCode: 1006, reason: "", wasClean: false, error: info.error });
      assertEquals(told, ["one", info.error, info]);
      assertEquals(errors, [info.error]);
    });
  }

  test(`a ${role} drops a peer that broke the protocol and stays`, async () => {
    const { socket, peer } = open({ role, limits: { closeTimeout: 20 } });
    peer.sendBytes(new Uint8Array([0x83]));
    assertEquals((await socket.closed).closeCode, 1006);
    assertEquals(peer.words, ["close 1002"]);
  });
}

test("a Close is answered once a slow loop is done with the last message", async () => {
  const { socket, peer } = open();
  const running = (async () => {
    for await (const message of socket) {
      await delay(10);
      await socket.send(`done with ${message}`);
    }
  })();
  peer.send(textFrame("one"), textFrame("two"), closeFrame(1000));
  await peer.received(3);
  await peer.end();
  await running;
  assertEquals(peer.words, ["text done with one", "text done with two", "close 1000"]);
  assertEquals((await socket.closed).wasClean, true);
});

test("a Close is answered before a loop that is too slow is done", async () => {
  const { socket, peer } = open({ limits: { closeTimeout: 20 } });
  const { promise, resolve } = Promise.withResolvers<void>();
  const running = (async () => {
    for await (const _ of socket) await promise;
  })();
  peer.send(textFrame("one"), closeFrame(1000));
  assertEquals(await peer.received(1), ["close 1000"]);
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
  resolve();
  await running;
});

test("a Close is answered at once if there is no reader and no message", async () => {
  const { socket, peer } = open();
  peer.send(closeFrame(1000));
  await peer.received(1);
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
});

test("a Close is answered at once where nothing is reading, and unread messages stay readable", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), textFrame("two"), closeFrame(1000));
  await peer.received(1);
  assertEquals([peer.words, socket.readyState], [["close 1000"], ReadyState.Closing]);
  await peer.end();
  assertEquals(await socket.closed, { closeCode: 1000, reason: "", wasClean: true });
  assertEquals(await collect(socket), ["one", "two"]);
});

for (const way of ["no reader", "a loop that was left", "messageStreams()"] as const) {
  test(`a Close behind more messages than are read is found: ${way}`, async () => {
    const clock = new FakeClock();
    const { socket, peer } = open({
      timers: new Timers(clock),
      limits: { incomingMaxMessages: 2, incomingHighWaterMark: 64 * 1024 },
    });
    const texts = Array.from({ length: 60 }, (_, i) => `message ${i}`);
    const iterator = way === "messageStreams()" ? socket.messageStreams() : undefined;
    for (const text of texts) {
      peer.send(textFrame(text));
      if (Number(text.slice(8)) % 10 === 0) await turns(1);
    }
    peer.send(closeFrame(1000));
    if (way === "a loop that was left") { for await (const _ of socket) break; }
    await turns();
    assertEquals(peer.words, [], "the peer is held back");
    clock.advance(300);
    await peer.received(1);
    assertEquals([peer.words, socket.readyState], [["close 1000"], ReadyState.Closing]);
    await peer.end();
    assertEquals(await socket.closed, { closeCode: 1000, reason: "", wasClean: true });
    const got: unknown[] = [];
    if (iterator === undefined) {
      got.push(...await collect(socket));
    } else {
      for await (const { readable } of iterator) {
        got.push((await Array.fromAsync(readable as ReadableStream<string>)).join(""));
      }
    }
    assertEquals(got, way === "a loop that was left" ? texts.slice(1) : texts);
  });
}

test("a peer whose messages are not read is held back after four times the high-water mark", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({
    timers: new Timers(clock),
    memory: { capacity: 1000 },
    limits: { incomingHighWaterMark: 10_000 },
  });
  for (let i = 0; i < 1000; i++) peer.send({ first: First.Binary, payload: new Uint8Array(1000) });
  await turns();
  clock.advance(1000);
  await turns();
  clock.advance(1000);
  await turns();
  assert(peer.isStuck);
  assert(socket.heldBytes > 10_000 && socket.heldBytes < 60_000, `${socket.heldBytes} bytes`);
  assertEquals(
    (await collect((async function* () {
      for await (const message of socket) {
        yield message;
        if (!peer.isStuck) return;
      }
    })())).length > 900,
    true,
  );
});

test("a Close is answered at once after a loop was left, and the next loop gets the rest", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), textFrame("two"), textFrame("three"));
  for await (const message of socket) if (message === "two") break;
  peer.send(closeFrame(1000));
  await peer.received(1);
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
  assertEquals(await collect(socket), ["three"]);
});

test("a Close is answered when a loop is left with messages unread", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), textFrame("two"), closeFrame(1000));
  for await (const message of socket) {
    socket.send(`got ${message}`);
    await turns();
    assertEquals(peer.words, ["text got one"], "it may still reply");
    break;
  }
  assertEquals(await peer.received(2), ["text got one", "close 1000"]);
});

test("a loop in the middle of a message may still reply to it, in the state Closing", async () => {
  const { socket, peer } = open();
  const states: number[] = [];
  const loop = (async () => {
    for await (const message of socket) {
      await turns();
      states.push(socket.readyState);
      await socket.send(`got ${message}`);
    }
  })();
  await turns();
  peer.send(textFrame("one"), textFrame("two"), closeFrame(3001));
  assertEquals(await peer.received(3), ["text got one", "text got two", "close 3001"]);
  assertEquals(states, [ReadyState.Closing, ReadyState.Closing]);
  await peer.end();
  await loop;
});

for (const order of ["before", "after"] as const) {
  test(`an open iterator does not delay the end, with closed read ${order} the Close`, async () => {
    const { socket, peer } = open();
    const iterator = socket[Symbol.asyncIterator]();
    peer.send(textFrame("hello"));
    assertEquals((await iterator.next()).value, "hello");
    const early = order === "before" ? socket.closed : undefined;
    peer.send(closeFrame(1000));
    await turns();
    const closed = early ?? socket.closed;
    await peer.received(1);
    await peer.end();
    assertEquals((await deadline(closed, 1000, "the end")).wasClean, true);
  });
}

test("a Close is answered while a second next() waits", async () => {
  const { socket, peer } = open();
  const iterator = socket[Symbol.asyncIterator]();
  const nexts = [iterator.next(), iterator.next()];
  // The reply to the message that comes with the Close goes out before ours.
  void nexts[0]!.then(({ value }) => socket.send(`got ${value}`));
  peer.send(textFrame("one"), closeFrame(1000));
  assertEquals(await peer.received(2), ["text got one", "close 1000"]);
  await peer.end();
  assertEquals((await nexts[1]!).done, true);
});

test("a Close is answered while a second next() of messageStreams() waits", async () => {
  const { socket, peer } = open();
  const iterator = socket.messageStreams();
  const nexts = [iterator.next(), iterator.next()];
  peer.send(textFrame("one"), closeFrame(1000));
  assertEquals(await peer.received(1), ["close 1000"]);
  await peer.end();
  assertEquals((await nexts[1]!).done, true);
});

for (const role of ROLES) {
  test(`a loop of a ${role} replies to the messages before a broken rule, then 1002 is sent`, async () => {
    const { socket, peer, errors } = open({ role });
    const loop = (async () => {
      for await (const message of socket) {
        await turns(1);
        await socket.send(`got ${message}`);
      }
    })();
    await turns();
    peer.send(textFrame("one"), textFrame("two"), { first: 0x83 });
    assertEquals(await peer.received(3), ["text got one", "text got two", "close 1002"]);
    await peer.end();
    await loop;
    const { closeCode, error } = await socket.closed;
    assertEquals([closeCode, error], [1006, errors[0]]);
  });
}

test("a loop that does not go on after a broken rule has closeTimeout, also behind TCP's end", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({ timers: new Timers(clock), limits: { closeTimeout: 1000 } });
  const iterator = socket[Symbol.asyncIterator]();
  const next = iterator.next();
  peer.send(textFrame("one"), { first: 0x83 });
  await next;
  peer.transport.shutdown();
  await turns();
  assertEquals([peer.words, socket.readyState], [[], ReadyState.Closing]);
  clock.advance(1100);
  assertEquals(await peer.received(1), ["close 1002"]);
  await peer.end();
  assertInstanceOf((await socket.closed).error, ProtocolError);
});

test("closed has an error when a peer has not read our Close within closeTimeout", async () => {
  const { socket, peer } = open({ memory: { capacity: 10 }, limits: { closeTimeout: 20 } });
  peer.transport.pause();
  socket.send("x".repeat(100));
  const { closeCode, error } = await socket.close(1000);
  assertEquals(closeCode, 1006);
  assertInstanceOf(error, WebSocketError);
  assertEquals(error.message, "The peer has not read our Close frame within 20 ms");
});

test("a Close before TCP's end, both behind a slow loop, ends cleanly", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 1 } });
  peer.send(textFrame("one"), textFrame("two"), textFrame("three"), closeFrame(1000));
  peer.transport.shutdown();
  await turns();
  const messages: unknown[] = [];
  for await (const message of socket) {
    messages.push(message);
    await delay(5);
  }
  assertEquals(messages, ["one", "two", "three"]);
  assertEquals(await peer.received(1), ["close 1000"]);
  assertEquals(await socket.closed, { closeCode: 1000, reason: "", wasClean: true });
});

test("TCP's end without a Close, behind a slow loop, is 1006 after the messages", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 1 } });
  peer.send(textFrame("one"), textFrame("two"), textFrame("three"));
  peer.transport.shutdown();
  await turns();
  assertEquals(await collect(socket), ["one", "two", "three"]);
  assertEquals((await socket.closed).closeCode, 1006);
});

for (const role of ["server", "client"] as const) {
  test(`a loop of a ${role} answers the messages before TCP's end without a Close`, async () => {
    const { socket, peer } = open({ role });
    const ended = (async () => {
      for await (const message of socket) await socket.send(message);
    })();
    peer.send(textFrame("one"), textFrame("two"));
    peer.transport.shutdown();
    assertEquals(await peer.received(2), ["text one", "text two"]);
    assertEquals((await socket.closed).closeCode, 1006);
    await ended;
  });

  test(`a loop of a ${role} that is slow does not delay TCP's end without a Close`, async () => {
    const { socket, peer } = open({ role });
    const slow = Promise.withResolvers<void>();
    const ended = (async () => {
      for await (const _ of socket) await slow.promise;
    })();
    peer.send(textFrame("one"));
    await turns();
    peer.transport.shutdown();
    const { closeCode } = await deadline(socket.closed, 1000, "the end");
    slow.resolve();
    assertEquals(closeCode, 1006);
    await ended;
  });
}

test("close gives a peer that reads slowly more time than closeTimeout in all", async () => {
  const { socket, peer } = open({ memory: { capacity: 16_384 }, limits: { closeTimeout: 600 } });
  peer.readSlowly(600);
  for (let i = 0; i < 600; i++) socket.send("x".repeat(1000));
  const started = performance.now();
  socket.close(1000);
  await peer.received(601);
  assert(performance.now() - started > 600);
  await peer.closeBack();
  assertEquals((await socket.closed).wasClean, true);
});

test("close gives a peer that reads slowly the time for one long message", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({ memory: { capacity: 1000 }, timers: new Timers(clock) });
  peer.transport.pause();
  socket.send("x".repeat(30_000));
  socket.close(1000);
  await turns();
  for (let i = 0; i < 20; i++) {
    clock.advance(4000);
    assertEquals(socket.readyState, ReadyState.Closing);
    peer.transport.resume();
    await Promise.resolve();
    peer.transport.pause();
    await turns();
  }
  // What it has read so far is not enough, and it reads no more.
  clock.advance(5200);
  assertEquals((await socket.closed).closeCode, 1006);
  assertEquals(clock.pending.size, 0);
});

test("close while the queue is full still reads the peer's Close", async () => {
  const { socket, peer } = open({ memory: { capacity: 1000 } });
  peer.transport.pause();
  for (let i = 0; i < 100; i++) socket.send("x".repeat(1000));
  socket.close(1000);
  peer.send(textFrame("a message to be decoded while the queue is full"));
  await turns();
  peer.transport.resume();
  await peer.received(101);
  peer.send(closeFrame(1000));
  await turns();
  peer.transport.close();
  assertEquals((await socket.closed).wasClean, true);
});
