import { ReadyState } from "../../src/connection/ready_state.ts";
import {
  InvalidPayloadError,
  MessageTooBigError,
  ProtocolError,
} from "../../src/protocol/errors.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertInstanceOf, delay, test } from "../harness.ts";
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
    assertEquals(await socket.close(1000), { closeCode: 1006, reason: "", wasClean: false });
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

test("a Close is answered at once where nobody reads and nothing has come", async () => {
  const { socket, peer } = open();
  peer.send(closeFrame(1000));
  await peer.received(1);
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
});

test("a Close waits for a loop that begins late", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), closeFrame(1000));
  await turns();
  assertEquals(peer.words, []);
  for await (const message of socket) {
    await socket.send(`got ${message}`);
    peer.end();
  }
  assertEquals(peer.words, ["text got one", "close 1000"]);
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
