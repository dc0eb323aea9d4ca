import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, assertRejects, delay, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { collect, open, turns } from "../support/open.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import { manual, streamOf } from "../support/streams.ts";

test("messages that wait for a stream count, and may not be too many", async () => {
  const { socket, peer } = open({ limits: { maxBufferedAmount: 1000 } });
  const { stream } = manual();
  const sent = socket.send(stream);
  const waiting = socket.send("x".repeat(600));
  assertEquals(socket.bufferedAmount, 600);
  await assertRejects(() => socket.send("x".repeat(600)), DOMException);
  assertEquals(await peer.received(1), ["close 1013"]);
  peer.send(closeFrame(1013));
  await peer.end();
  await assertRejects(() => sent, DOMException);
  await assertRejects(() => waiting, DOMException);
  assertEquals(socket.bufferedAmount, 0);
});

test("close() comes after the stream that is being sent", async () => {
  const { socket, peer } = open();
  const { stream, controller } = manual();
  const sent = socket.send(stream);
  const closed = socket.close(1000, "bye");
  await assertRejects(() => socket.send("late"), DOMException);
  controller.enqueue("a");
  controller.close();
  await sent;
  await peer.closeBack();
  assertEquals(peer.words, ["text+ a", "continuation", "close 1000 bye"]);
  assertEquals((await closed).wasClean, true);
});

test("close() waits while a stream makes progress, and no longer than closeTimeout else", async () => {
  const { socket, peer } = open({ limits: { closeTimeout: 100 } });
  const { stream, controller, state } = manual();
  const sent = socket.send(stream);
  socket.close(1000);
  for (let i = 0; i < 8; i++) {
    controller.enqueue("a");
    await delay(40);
  }
  assertEquals(peer.words.filter((word) => word.startsWith("close")), []);
  await assertRejects(() => sent, DOMException);
  assert(state.cancelled instanceof DOMException);
  assertEquals((await peer.received(9))[8], "close 1011");
});

test("the peer's Close is answered after the stream that is being sent", async () => {
  const { socket, peer } = open();
  const loop = collect(socket);
  const { stream, controller } = manual();
  const sent = socket.send(stream);
  controller.enqueue("a");
  await peer.received(1);
  peer.send(closeFrame(1001));
  await turns();
  assertEquals(peer.words, ["text+ a"]);
  controller.close();
  await sent;
  assertEquals((await peer.received(3)).slice(1), ["continuation", "close 1001"]);
  await peer.end();
  await loop;
});

test("a stream that does not end is cut closeTimeout after the peer's Close", async () => {
  const { socket, peer } = open({ limits: { closeTimeout: 50 } });
  const { stream, controller, state } = manual();
  const sent = socket.send(stream);
  controller.enqueue("a");
  await peer.received(1);
  peer.send(closeFrame(1001));
  assertEquals((await peer.received(2))[1], "close 1001");
  await peer.end();
  await assertRejects(() => sent, DOMException);
  assert(state.cancelled instanceof DOMException);
});

for (const way of ["abort", "reset"] as const) {
  test(`${way} during streams rejects and cancels all of them`, async () => {
    const { socket, peer, transport } = open();
    const [first, second] = [manual(), manual()];
    const sent = [socket.send(first.stream), socket.send(second.stream), socket.send("text")];
    first.controller.enqueue("a");
    await peer.received(1);
    if (way === "abort") socket.abort();
    else transport.reset();
    for (const promise of sent) await assertRejects(() => promise, DOMException);
    await turns();
    assert(first.state.cancelled instanceof DOMException);
    assert(second.state.cancelled instanceof DOMException);
  });
}

test("abort() ends a stream that waits for a peer that does not read", async () => {
  const { socket, peer } = open({ memory: { capacity: 100 } });
  peer.transport.pause();
  const sent = socket.send(streamOf([new Uint8Array(200_000)]));
  await turns();
  socket.abort();
  await assertRejects(() => sent, DOMException);
});

test("a message is text as before after a stream", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf(["a"]));
  socket.send("b");
  peer.send(textFrame("c"));
  assertEquals(await peer.received(3), ["text+ a", "continuation", "text b"]);
});

test("close() behind a stream waits for a peer that reads slowly, in time awake", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({
    timers: new Timers(clock),
    memory: { capacity: 1000 },
    limits: { closeTimeout: 1000 },
  });
  await turns();
  peer.transport.pause();
  const sent = socket.send(streamOf([new Uint8Array(100_000)]));
  const closed = socket.close(1000);
  await turns();
  // Less than a fragment within closeTimeout, but steadily.
  for (let i = 0; i < 20; i++) {
    clock.advance(600);
    peer.transport.resume();
    for (let j = 0; j < 4; j++) await null; // Some chunks of 1,000 bytes.
    peer.transport.pause();
    await turns(1);
  }
  assertEquals(peer.words.filter((word) => word.startsWith("close")), []);
  clock.stall(60_000);
  await turns();
  peer.transport.resume();
  await sent;
  await peer.closeBack();
  assertEquals([peer.words.at(-1), (await closed).wasClean], ["close 1000", true]);
});

test("close() behind a stream gives up a peer that stops reading", async () => {
  const clock = new FakeClock();
  const { socket, peer } = open({
    timers: new Timers(clock),
    memory: { capacity: 1000 },
    limits: { closeTimeout: 1000 },
  });
  await turns();
  peer.transport.pause();
  const sent = socket.send(streamOf([new Uint8Array(100_000)]));
  socket.close(1000);
  await turns();
  clock.advance(900);
  await turns();
  assertEquals(socket.bufferedAmount > 0, true);
  clock.advance(200);
  assertEquals(socket.readyState, 2);
  clock.advance(1100); // The wait until our Close frame is written.
  await assertRejects(() => sent, DOMException);
  assertEquals((await socket.closed).closeCode, 1006);
});
