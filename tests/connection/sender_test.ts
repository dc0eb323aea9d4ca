import { Sender } from "../../src/connection/sender.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import { DEFAULT_LIMITS } from "../../src/connection/limits.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, assertRejects, test, toHex } from "../harness.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns } from "../support/open.ts";

/** An Sender over a transport that goes nowhere, and what it told of. */
function makeOutgoing(limits = {}) {
  const transport = new FakeTransport();
  const drains: boolean[] = [];
  /** What was held whenever the owner was told that there is more. */
  const told: number[] = [];
  const owner = {
    isSettled: true,
    written: (wasFull: boolean) => void drains.push(wasFull),
    queued: (): void => void told.push(outgoing.heldBytes),
  };
  const outgoing: Sender = new Sender(
    transport,
    new FrameEncoder({ role: "server" }),
    { ...DEFAULT_LIMITS, ...limits },
    owner,
  );
  transport.handler = {
    data() {},
    end() {},
    close() {},
    drain: () => outgoing.drained(),
  };
  return { transport, outgoing, owner, drains, told };
}

test("Sender writes what one turn sends at once, when the turn is over", async () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.send("a");
  await Promise.resolve();
  outgoing.send({ opcode: Opcode.Ping });
  await Promise.resolve();
  outgoing.send(new Uint8Array([1]));
  assertEquals(transport.writes, []);
  assertEquals(outgoing.bufferedAmount, 8);
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61 89 00 82 01 01"]);
  assertEquals(outgoing.bufferedAmount, 0);
});

test("Sender writes the next turn's on its own", async () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.send("a");
  await turns();
  outgoing.send("b");
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61", "81 01 62"]);
});

test("Sender leaves it to who is at work on a message to write, but not for long", async () => {
  const { outgoing, owner, transport } = makeOutgoing();
  owner.isSettled = false;
  outgoing.send("a");
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assertEquals(transport.writes, []);
  outgoing.send("b");
  outgoing.flush(); // He asks for the next.
  outgoing.send("c");
  assertEquals(transport.writes.map(toHex), ["81 01 61 81 01 62"]);
  await turns(); // He waits for something else.
  assertEquals(transport.writes.map(toHex), ["81 01 61 81 01 62", "81 01 63"]);
});

test("Sender's short replies wait until all that came at one moment has had its turn", async () => {
  const all = Array.from({ length: 100 }, () => makeOutgoing());
  const turn = ({ outgoing }: typeof all[0], text: string) => {
    outgoing.hold();
    outgoing.send(text);
    outgoing.releaseSoon();
  };
  const written = () => all.filter(({ transport }) => transport.writes.length > 0).length;
  for (const each of all.slice(0, 63)) turn(each, "a");
  turn(all[0], "b");
  assertEquals(written(), 0);
  turn(all[63], "a");
  assertEquals(written(), 64, "a group has an end");
  for (const each of all.slice(64)) turn(each, "a");
  assertEquals(written(), 64);
  await turns();
  assertEquals(written(), 100);
  assertEquals(all[0].transport.writes.map(toHex), ["81 01 61 81 01 62"]);
  assertEquals(all[99].transport.writes.map(toHex), ["81 01 61"]);
});

test("Sender's long reply is written at once, and so is a group's that has been flushed", async () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.hold();
  outgoing.send(new Uint8Array(20_000));
  outgoing.releaseSoon();
  assertEquals(transport.writes.length, 1);
  outgoing.hold();
  outgoing.send("a");
  outgoing.releaseSoon();
  outgoing.flush();
  assertEquals(transport.writes.length, 2);
  outgoing.close(new Error("gone"));
  await turns();
  assertEquals(transport.writes.length, 2);
});

test("Sender holds back until it is released", async () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.hold();
  outgoing.send("a");
  await turns();
  assertEquals(transport.writes, []);
  outgoing.release();
  assertEquals(transport.writes.map(toHex), ["81 01 61"]);
});

test("Sender sends raw bytes before the messages, and with them", () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.hold();
  outgoing.sendRaw(new Uint8Array([1, 2, 3]));
  outgoing.send("a");
  assertEquals(outgoing.bufferedAmount, 6);
  outgoing.release();
  assertEquals(transport.writes.map(toHex), ["01 02 03 81 01 61"]);
});

test("Sender gathers while a write is under way", async () => {
  const { outgoing, transport } = makeOutgoing();
  transport.takes = false;
  outgoing.send("a");
  outgoing.flush();
  outgoing.send("b");
  await turns();
  outgoing.send("c");
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61"]);
  assertEquals(outgoing.bufferedAmount, 9);
  transport.drained();
  assertEquals(transport.writes.map(toHex), ["81 01 61", "81 01 62 81 01 63"]);
  transport.drained();
  assertEquals(outgoing.bufferedAmount, 0);
});

test("Sender takes a drain without a write", () => {
  const { outgoing, transport } = makeOutgoing();
  transport.drained();
  assertEquals(outgoing.bufferedAmount, 0);
  assertEquals(transport.writes, []);
});

test("Sender writes much at once, without waiting for the turn's end", () => {
  const { outgoing, transport } = makeOutgoing();
  outgoing.send(new Uint8Array(100_000));
  assertEquals(transport.writes.map((bytes) => bytes.length), [100_010]);
});

test("Sender puts much aside in parts while a write is under way, in order", () => {
  const { outgoing, transport } = makeOutgoing();
  transport.takes = false;
  for (let i = 0; i < 40; i++) outgoing.send(new Uint8Array(10_000).fill(i));
  assertEquals(outgoing.bufferedAmount, 400_160);
  const marks: number[] = [];
  for (let i = 0; outgoing.bufferedAmount > 0; i++) {
    assert(i < 20);
    const bytes = transport.writes[i];
    for (let at = 4; at < bytes.length; at += 10_004) marks.push(bytes[at]);
    transport.drained();
  }
  assertEquals(marks, Array.from({ length: 40 }, (_, i) => i));
  assert(transport.writes.length > 3, `${transport.writes.length} writes`);
});

test("Sender is ready while it is below its mark", async () => {
  const { outgoing, transport, drains } = makeOutgoing({ outgoingHighWaterMark: 10 });
  transport.takes = false;
  outgoing.send("12345678");
  assertEquals(outgoing.isFull, false, "10 bytes are not above 10");
  await outgoing.ready;
  outgoing.send("");
  assertEquals(outgoing.isFull, true);
  let isReady = false;
  const { ready } = outgoing;
  assert(ready === outgoing.ready, "one promise for all who wait");
  ready.then(() => isReady = true);
  outgoing.flush();
  await turns();
  assertEquals(isReady, false);
  assertEquals(drains, []);
  transport.drained();
  await ready;
  assertEquals(drains, [true]);
});

test("Sender tells when everything is out", async () => {
  const { outgoing, drains } = makeOutgoing();
  outgoing.send("a");
  await turns();
  assertEquals(drains, [false]);
});

test("Sender's close tells who waits, and writes nothing more", async () => {
  const { outgoing, transport } = makeOutgoing({ outgoingHighWaterMark: 10 });
  transport.takes = false;
  for (let i = 0; i < 10; i++) outgoing.send(new Uint8Array(40_000));
  const { ready } = outgoing;
  const gone = new Error("gone");
  outgoing.close(gone);
  assertEquals(await assertRejects(() => ready), gone);
  assertEquals(outgoing.bufferedAmount, 0);
  outgoing.send("late");
  transport.drained();
  await turns();
  assertEquals(transport.writes.length, 1);
  await outgoing.ready;
});

test("Sender's close needs nobody who looks at ready", async () => {
  const { outgoing } = makeOutgoing({ outgoingHighWaterMark: 1 });
  outgoing.hold();
  outgoing.send("a");
  outgoing.ready;
  outgoing.close(new Error("gone"));
  await turns();
});

test("Sender counts what a transport fails over within the call, until it's closed", () => {
  const { outgoing, transport } = makeOutgoing();
  let during = 0;
  transport.write = () => {
    during = outgoing.bufferedAmount;
    outgoing.close(new Error("gone"));
    return false;
  };
  outgoing.send("a");
  outgoing.flush();
  assertEquals([during, outgoing.bufferedAmount], [3, 0]);
});

test("Sender tells whenever it holds more, and not for each message", () => {
  const { outgoing, transport, told } = makeOutgoing();
  assertEquals(outgoing.heldBytes, 0);
  transport.takes = false;
  outgoing.send(new Uint8Array(100));
  outgoing.flush();
  assertEquals(told, [4096], "the buffer, not what is in it");
  for (let i = 0; i < 10_000; i++) {
    outgoing.send(new Uint8Array(100));
    assertEquals(told.at(-1), outgoing.heldBytes);
  }
  assert(told.length < 100, `${told.length} times`);
  assert(outgoing.heldBytes >= outgoing.bufferedAmount);
  while (outgoing.bufferedAmount > 0) transport.drained();
  assertEquals(outgoing.heldBytes, 0);
});

test("Sender's long queue holds no more than a third above what is in it", () => {
  const { outgoing, transport } = makeOutgoing();
  transport.takes = false;
  // Two of them are more than a segment, and half of a buffer's next size.
  for (let i = 0; i < 500; i++) outgoing.send(new Uint8Array(40_000));
  const { bufferedAmount, heldBytes } = outgoing;
  assertEquals(bufferedAmount, 500 * 40_004);
  assert(heldBytes < bufferedAmount * 4 / 3 + 1024 * 1024, `${heldBytes} bytes`);
  outgoing.close(new Error("gone"));
  assertEquals(outgoing.heldBytes, 0);
});

test("Sender does not tell whoever holds it", () => {
  const { outgoing, transport, told } = makeOutgoing();
  transport.takes = false;
  outgoing.hold();
  for (let i = 0; i < 10; i++) outgoing.send(new Uint8Array(40_000));
  assertEquals(told, []);
  outgoing.release();
  transport.drained();
  assertEquals(told, [], "nor at the end of that, nor of a write: it looks for itself");
});
