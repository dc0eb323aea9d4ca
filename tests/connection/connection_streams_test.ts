import { ProtocolError } from "../../src/protocol/errors.ts";
import { handled } from "../../src/util/promises.ts";
import { assert, assertEquals, assertRejects, deadline, delay, test } from "../harness.ts";
import { assertMessages } from "../protocol/frames.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

test("readable and writable are made once", () => {
  const { socket } = open();
  assert(socket.readable === socket.readable);
  assert(socket.writable === socket.writable);
});

test("readable gives the messages and ends with the connection", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), { first: First.Binary, payload: bytes(2) }, closeFrame(1001));
  const ended = peer.end();
  assertEquals(await Array.fromAsync(socket.readable), ["one", bytes(2)]);
  await ended;
});

test("readable errors after the messages where no Close came", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"));
  peer.transport.shutdown();
  const reader = socket.readable.getReader();
  assertEquals((await reader.read()).value, "one");
  const error = await assertRejects(() => reader.read(), Error, "without a Close frame");
  assertEquals(error, (await socket.closed).error);
});

test("readable errors with what the transport said", async () => {
  const reset = new Error("Connection reset by peer");
  const { socket, peer } = open();
  const reading = socket.readable.getReader().read();
  peer.transport.reset(reset);
  assertEquals(await assertRejects(() => reading), reset);
});

test("readable errors where the peer broke the protocol", async () => {
  const { socket, peer } = open();
  const reading = socket.readable.getReader().read();
  peer.sendBytes(bytes(0x83));
  await peer.end();
  await assertRejects(() => reading, ProtocolError, "reserved opcode");
});

test("readable errors after abort()", async () => {
  const { socket } = open();
  const reading = socket.readable.getReader().read();
  socket.abort();
  const error = await assertRejects(() => reading, DOMException, "1006");
  assertEquals(error.name, "InvalidStateError");
});

test("readable takes no message without a read", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { incomingMaxMessages: 2 },
  });
  const { readable } = socket;
  for (let i = 0; i < 50; i++) peer.send(textFrame(`message ${i}`));
  await turns(10);
  assert(peer.isStuck);
  const reader = readable.getReader();
  for (let i = 0; i < 50; i++) assertEquals((await reader.read()).value, `message ${i}`);
});

test("cancel of readable closes with 1000", async () => {
  const { socket, peer } = open();
  const closing = peer.closeBack();
  await socket.readable.cancel("enough");
  await closing;
  assertEquals(peer.words, ["close 1000"]);
  assertEquals((await socket.closed).wasClean, true);
});

test("cancel of readable with a read under way closes, too", async () => {
  const { socket, peer } = open();
  const reader = socket.readable.getReader();
  const reading = reader.read();
  const closing = peer.closeBack();
  await turns();
  const cancelled = reader.cancel();
  peer.send(textFrame("late"));
  await Promise.all([cancelled, closing]);
  assertEquals((await reading).done, true);
});

test("writable sends text and bytes of any kind, and closes with 1000", async () => {
  const { socket, peer } = open();
  const writer = socket.writable.getWriter();
  writer.write("text");
  writer.write(bytes(1));
  writer.write(bytes(2, 3).buffer);
  writer.write(new DataView(bytes(4).buffer));
  const closing = peer.closeBack();
  await writer.close();
  await closing;
  assertEquals(peer.words, ["text text", "binary 01", "binary 02 03", "binary 04", "close 1000"]);
});

test("writable errors where something else is written", async () => {
  const { socket, peer } = open();
  const writer = socket.writable.getWriter();
  await assertRejects(() => writer.write(1 as unknown as string), TypeError);
  await assertRejects(() => writer.closed, TypeError);
  socket.abort();
  await peer.until(() => peer.isClosed, "the reset");
});

test("writable waits for a peer that does not read", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000 },
  });
  peer.transport.pause();
  const writer = socket.writable.getWriter();
  let written = 0;
  for (let i = 0; i < 50; i++) writer.write("x".repeat(96)).then(() => written++);
  await turns();
  assert(written >= 10 && written <= 12, `${written} written`);
  peer.transport.resume();
  await peer.received(50);
  await writer.ready;
  assertEquals(written, 50);
});

test("writable errors where the connection is closed", async () => {
  const { socket, peer } = open();
  const writer = socket.writable.getWriter();
  await writer.write("one");
  peer.send(closeFrame(1000));
  await peer.end();
  await socket.closed;
  const error = await assertRejects(() => writer.write("two"), DOMException);
  assertEquals(error.name, "InvalidStateError");
});

test("writable errors when the peer closes, though nothing is written", async () => {
  const { socket, peer } = open();
  const { closed } = socket.writable.getWriter();
  peer.send(closeFrame(1000));
  await peer.end();
  const error = await assertRejects(() => deadline(closed, 1000, "its end"), DOMException);
  assertEquals(error.name, "InvalidStateError");
});

test("writable errors when the peer is lost, though nothing is written", async () => {
  const { socket, peer } = open();
  const { closed } = socket.writable.getWriter();
  peer.transport.reset(new Error("Connection reset by peer"));
  await assertRejects(() => deadline(closed, 1000, "its end"), Error, "reset by peer");
});

test("pipeTo a connection that has ended cancels a source that has nothing to say", async () => {
  const { socket, peer } = open();
  const cancelled = Promise.withResolvers<void>();
  const source = new ReadableStream<string>({ cancel: () => cancelled.resolve() });
  const piping = handled(source.pipeTo(socket.writable));
  peer.send(closeFrame(1001));
  await peer.end();
  await deadline(cancelled.promise, 1000, "the source's cancel");
  await assertRejects(() => piping, DOMException);
});

test("abort of writable closes with 1011 while a write waits for the peer", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000, closeTimeout: 50 },
  });
  peer.transport.pause();
  const writer = socket.writable.getWriter();
  const writing = assertRejects(() => writer.write("x".repeat(2000)), DOMException);
  await turns();
  await deadline(writer.abort(new Error("oops")), 1000, "its end");
  await writing;
  assertEquals((await socket.closed).closeCode, 1006);
});

test("abort of writable closes with 1011", async () => {
  const { socket, peer } = open();
  const closing = peer.closeBack();
  await socket.writable.abort(new Error("oops"));
  await closing;
  assertEquals(peer.words, ["close 1011"]);
});

test("pipeTo echoes, and answers a Close after the last message", async () => {
  const { socket, peer } = open();
  const piping = handled(socket.readable.pipeTo(socket.writable));
  const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
  peer.send(...texts.map(textFrame), closeFrame(1000));
  await peer.end();
  await piping;
  assertEquals(peer.words, [...texts.map((text) => `text ${text}`), "close 1000"]);
  assertEquals((await socket.closed).wasClean, true);
});

test("pipeTo answers a Close that comes at any moment after the messages in the stream's queue", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`);
  for (let moment = 0; moment < 120; moment++) {
    const { socket, peer } = open();
    const piping = handled(socket.readable.pipeTo(socket.writable));
    for (const text of texts) {
      peer.send(textFrame(text));
      await null;
    }
    for (let i = 0; i < moment; i++) await null;
    peer.send(closeFrame(1000));
    await peer.end();
    await piping;
    const words = [...texts.map((text) => `text ${text}`), "close 1000"];
    assertEquals(peer.words, words, `after ${moment} microtasks`);
  }
});

test("a Close does not wait for messages that a failed stream has dropped", async () => {
  const { socket, peer } = open({ overflow: "reject", limits: { maxBufferedAmount: 1000 } });
  const writer = socket.writable.getWriter();
  writer.closed.catch(() => {});
  const writes = [1, 2, 1001, 4, 5].map((size) => writer.write(new Uint8Array(size)));
  await Promise.allSettled(writes);
  peer.send(closeFrame(1000));
  await peer.end();
  assertEquals(peer.words.at(-1), "close 1000");
  assertEquals((await socket.closed).wasClean, true);
});

test("pipeTo answers a Close after what a slow transform makes of the last message", async () => {
  const { socket, peer } = open();
  const slow = new TransformStream<string | Uint8Array, string>({
    async transform(message, controller) {
      await delay(10);
      controller.enqueue(`slow ${message}`);
    },
  });
  const piping = handled(socket.readable.pipeThrough(slow).pipeTo(socket.writable));
  peer.send(textFrame("one"), closeFrame(1000));
  const ended = peer.end();
  await Promise.allSettled([piping, ended]);
  assertEquals(peer.words, ["text slow one", "close 1000"]);
});

test("pipeTo with a full queue answers a Close after the last message", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    peerMemory: { capacity: 100_000 },
    limits: { outgoingHighWaterMark: 500 },
  });
  const piping = handled(socket.readable.pipeTo(socket.writable));
  peer.transport.pause();
  const texts = Array.from({ length: 60 }, (_, i) => `${i} `.padEnd(100, "x"));
  peer.send(...texts.map(textFrame), closeFrame(1000));
  await turns(10);
  peer.readSlowly(50);
  peer.transport.resume();
  await peer.end();
  await piping;
  assertMessages(peer.words, [...texts.map((text) => `text ${text}`), "close 1000"]);
});

test("pipeTo fails where the peer is lost", async () => {
  const { socket, peer } = open();
  const piping = handled(socket.readable.pipeTo(socket.writable));
  peer.send(textFrame("one"));
  await peer.received(1);
  peer.transport.reset(new Error("Connection reset by peer"));
  await assertRejects(() => piping, Error, "Connection reset by peer");
});
