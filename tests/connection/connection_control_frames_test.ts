import { PolicyViolationError } from "../../src/protocol/errors.ts";
import { Timers } from "../../src/util/timers.ts";
import { assertEquals, assertInstanceOf, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { ROLES } from "../protocol/frames.ts";
import type { RawFrame } from "../support/frames.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

const PING: RawFrame = { first: First.Ping };
const PONG: RawFrame = { first: First.Pong };

for (const role of ROLES) {
  /** A connection under test, and so many of a frame as one chunk. */
  const openAwake = (maxControlFrames?: number) => {
    const clock = new FakeClock();
    const opened = open({
      role,
      handler: {},
      timers: new Timers(clock),
      limits: maxControlFrames === undefined ? {} : { maxControlFrames },
      memory: { capacity: 1e6 },
    });
    const flood = async (count: number, frame: RawFrame) => {
      const bytes = rawFrame(frame, role);
      opened.peer.sendBytes(join(...Array.from({ length: count }, () => bytes)));
      await turns();
    };
    return { ...opened, clock, flood };
  };

  for (const [name, frame] of [["pings", PING], ["pongs", PONG]] as const) {
    test(`a ${role} takes 1,000 ${name} in one chunk, and closes with 1008 on one more`, async () => {
      const { socket, peer, errors, flood } = openAwake();
      await flood(1000, frame);
      assertEquals(socket.readyState, 1);
      assertEquals(peer.frames.length, frame === PING ? 1000 : 0);
      await flood(1, frame);
      assertEquals(peer.words.at(-1), "close 1008");
      peer.transport.close();
      const { closeCode, error } = await socket.closed;
      assertEquals(closeCode, 1006);
      assertInstanceOf(error, PolicyViolationError);
      assertEquals(error.code, "ERR_TOO_MANY_CONTROL_FRAMES");
      assertEquals(errors, [error]);
    });

    test(`a ${role} takes as many ${name} again in the next second`, async () => {
      const { socket, clock, flood } = openAwake(100);
      for (let i = 0; i < 10; i++) {
        await flood(100, frame);
        clock.advance(1000);
      }
      assertEquals(socket.readyState, 1);
      await flood(101, frame);
      assertEquals(socket.readyState, 2);
    });
  }

  test(`a ${role} counts pings and pongs together, and neither messages nor a Close`, async () => {
    const { socket, peer } = openAwake(4);
    const messages = Array.from({ length: 50 }, () => textFrame("x"));
    peer.send(PING, ...messages, PONG, PING, ...messages, PONG, closeFrame(1000));
    await peer.received(3);
    await peer.end();
    assertEquals((await socket.closed).wasClean, true);
  });

  test(`a ${role} does not count the pongs that it has asked for`, async () => {
    const { socket, peer } = openAwake(1);
    const pings = Array.from({ length: 10 }, () => socket.ping());
    await peer.received(10);
    for (const { payload } of peer.frames) peer.send({ first: First.Pong, payload });
    await Promise.all(pings);
    peer.send(PONG);
    await turns();
    assertEquals(socket.readyState, 1);
    // Once answered, a Ping asks for no more.
    peer.send({ first: First.Pong, payload: peer.frames[9].payload });
    await turns();
    assertEquals(socket.readyState, 2);
  });

  test(`a ${role} takes what a peer has sent while the event loop was stalled`, async () => {
    const { socket, clock, flood } = openAwake();
    for (let i = 0; i < 20; i++) {
      await flood(30, PING);
      clock.advance(100);
    }
    clock.stall(5000);
    await flood(1500, PING);
    assertEquals(socket.readyState, 1);
    await flood(5000, PING);
    assertEquals(socket.readyState, 2);
  });
}

test("a server takes what a peer has sent while its own loop was slow", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({
    timers: new Timers(clock),
    limits: { maxControlFrames: 100, incomingMaxMessages: 1 },
  });
  peer.send(PING, textFrame("one"), textFrame("two"));
  await turns();
  peer.send(textFrame("three"));
  await turns();
  for (let i = 0; i < 10; i++) {
    clock.advance(1000);
    peer.send(...Array.from({ length: 50 }, () => PING));
    await turns();
  }
  const messages = socket[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await messages.next();
  messages.next();
  await peer.received(501);
  assertEquals(socket.readyState, 1);
});

for (const role of ["server", "client"] as const) {
  test(`a ${role} sends the Pong that waited for the replies before it, written at once`, async () => {
    const { peer } = open({
      role,
      memory: { capacity: 10_000_000 },
      handler: { message: (socket, message) => void socket.send(message) },
    });
    // In one chunk: the replies are above the mark of 64 KiB when the Ping is processed.
    const messages = Array.from({ length: 20 }, () => ({
      first: First.Binary,
      payload: new Uint8Array(5000),
    }));
    peer.send(...messages, { first: First.Ping, payload: "?" });
    assertEquals((await peer.received(21))[20], "pong 3f");
  });
}
