import { assert, assertEquals, assertRejects, assertThrows, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import { First } from "../support/memory_peer.ts";
import { manual, streamOf } from "../support/streams.ts";

test("send() sends a stream of text as one fragmented message", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf(["Hel", "lo", " you"]));
  assertEquals(await peer.received(4), [
    "text+ Hel",
    "continuation+ 6c 6f",
    "continuation+ 20 79 6f 75",
    "continuation",
  ]);
  assertEquals(peer.frames.map(({ first }) => first), [0x01, 0x00, 0x00, 0x80]);
});

test("send() sends a stream of bytes, in any view of them", async () => {
  const { socket, peer } = open({ role: "client" });
  const { buffer } = new Uint8Array([1, 2, 3, 4]);
  const views: unknown[] = [new Uint8Array([9]), buffer, new DataView(buffer, 1, 2)];
  await socket.send(streamOf(views as Uint8Array[]));
  assertEquals(await peer.received(4), [
    "binary+ 09",
    "continuation+ 01 02 03 04",
    "continuation+ 02 03",
    "continuation",
  ]);
});

test("send() sends each chunk when it's there", async () => {
  const { socket, peer } = open();
  const { stream, controller } = manual();
  const sent = socket.send(stream);
  controller.enqueue("a");
  assertEquals(await peer.received(1), ["text+ a"]);
  controller.enqueue("b");
  assertEquals((await peer.received(2))[1], "continuation+ 62");
  controller.close();
  await sent;
  assertEquals((await peer.received(3))[2], "continuation");
});

test("send() joins a character that the chunks have cut in two", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf(["a\ud83c", "\udf0d", "\ud83c", "", "\udf0db"]));
  await peer.until(() => peer.frames.at(-1)?.first === 0x80, "the end");
  const bytes = peer.frames.flatMap(({ payload }) => [...payload]);
  assertEquals(new TextDecoder().decode(new Uint8Array(bytes)), "a🌍🌍b");
});

test("send() replaces half a character that stays alone, as TextEncoder does", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf(["a\ud83c"]));
  await socket.send(streamOf(["\ud83cb", "\udf0d"]));
  await peer.until(() => peer.frames.filter(({ first }) => first === 0x80).length === 2, "2 ends");
  const bytes = new Uint8Array(peer.frames.flatMap(({ payload }) => [...payload]));
  assertEquals(new TextDecoder().decode(bytes), "a\ufffd\ufffdb\ufffd");
});

test("send() sends a stream without a chunk as an empty binary message", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf([]));
  assertEquals(await peer.received(1), ["binary"]);
});

test("send() sends no frame for an empty chunk, whose type counts", async () => {
  const { socket, peer } = open();
  await socket.send(streamOf([""]));
  await socket.send(streamOf([new Uint8Array(0), new Uint8Array([1]), new Uint8Array(0)]));
  assertEquals(await peer.received(3), ["text", "binary+ 01", "continuation"]);
});

test("send() cuts large chunks, between characters", async () => {
  const { socket, peer } = open();
  const text = "x" + "🌍".repeat(50_000);
  const bytes = new Uint8Array(150_000).map((_, i) => i % 251);
  await socket.send(streamOf([text]));
  await socket.send(streamOf([bytes]));
  await peer.until(() => peer.frames.filter(({ first }) => first === 0x80).length === 2, "2 ends");
  const end = peer.frames.findIndex(({ first }) => first === 0x80);
  const joined = (frames: typeof peer.frames) =>
    new Uint8Array(frames.flatMap(({ payload }) => [...payload]));
  assertEquals(new TextDecoder().decode(joined(peer.frames.slice(0, end))), text);
  assertEquals(joined(peer.frames.slice(end + 1)), bytes);
  assert(peer.frames.every(({ payload }) => payload.length <= 65536));
});

for (
  const [name, chunk, first] of [
    ["bytes after text", new Uint8Array([1]), "a"],
    ["text after bytes", "a", new Uint8Array([1])],
    ["a number", 7, "a"],
    ["null", null, "a"],
    ["undefined", undefined, "a"],
  ] as const
) {
  test(`send() refuses ${name} in a stream, and closes with 1011`, async () => {
    const { socket, peer } = open();
    const { stream, controller, state } = manual();
    const sent = socket.send(stream);
    controller.enqueue(first);
    controller.enqueue(chunk);
    await assertRejects(() => sent, TypeError);
    assertEquals((await peer.received(2))[1], "close 1011");
    await turns();
    assert(state.cancelled instanceof TypeError);
  });
}

test("send() rejects with the error of a stream that has sent nothing, and goes on", async () => {
  const { socket, peer } = open();
  const error = new Error("no source");
  const failing = new ReadableStream<string>({ start: (controller) => controller.error(error) });
  assertEquals(await assertRejects(() => socket.send(failing)), error);
  await assertRejects(() => socket.send(streamOf([7 as unknown as string])), TypeError);
  await socket.send("next");
  assertEquals(await peer.received(1), ["text next"]);
});

test("send() closes with 1011 where a stream errors inside its message", async () => {
  const { socket, peer, errors } = open();
  const { stream, controller } = manual();
  const error = new Error("source gone");
  const sent = socket.send(stream);
  const later = socket.send("later");
  controller.enqueue("a");
  await peer.received(1);
  controller.error(error);
  assertEquals(await assertRejects(() => sent), error);
  assertEquals((await assertRejects(() => later, DOMException)).name, "InvalidStateError");
  assertEquals(await peer.received(2), ["text+ a", "close 1011"]);
  assertEquals(errors, []);
});

test("send() throws if the stream is locked to another reader", () => {
  const { socket } = open();
  const stream = streamOf(["a"]);
  stream.getReader();
  assertThrows(() => socket.send(stream), TypeError);
});

test("send() cancels a stream where the connection is not open", async () => {
  const { socket } = open();
  const { stream, state } = manual();
  socket.close(1000);
  await assertRejects(() => socket.send(stream), DOMException);
  await turns();
  assert(state.cancelled instanceof DOMException);
});

test("what is sent during a stream comes after it, in order", async () => {
  const { socket, peer } = open();
  const { stream, controller } = manual();
  const order: string[] = [];
  const bytes = new Uint8Array([1, 2]);
  const all = [
    socket.send(stream).then(() => order.push("stream")),
    socket.send("text").then(() => order.push("text")),
    socket.send(bytes).then(() => order.push("bytes")),
    socket.send(streamOf(["x"])).then(() => order.push("second")),
    socket.send("last").then(() => order.push("last")),
  ];
  bytes.fill(0xff);
  controller.enqueue("a");
  await peer.received(1);
  await turns();
  assertEquals(peer.words, ["text+ a"]);
  controller.close();
  await Promise.all(all);
  assertEquals(await peer.received(7), [
    "text+ a",
    "continuation",
    "text text",
    "binary 01 02",
    "text+ x",
    "continuation",
    "text last",
  ]);
  assertEquals(order, ["stream", "text", "bytes", "second", "last"]);
});

test("pings and pongs go both ways while a stream is sent", async () => {
  const { socket, peer } = open();
  const { stream, controller } = manual();
  const sent = socket.send(stream);
  controller.enqueue("a");
  await peer.received(1);
  peer.send({ first: First.Ping, payload: "p" });
  assertEquals((await peer.received(2))[1], "pong 70");
  const ping = socket.ping();
  await peer.received(3);
  peer.send({ first: First.Pong, payload: peer.frames[2].payload });
  await ping;
  controller.close();
  await sent;
});

test("a pong comes between the frames of one large chunk", async () => {
  const { socket, peer } = open({ role: "client", memory: { capacity: 1000 } });
  const sent = socket.send(streamOf([new Uint8Array(1024 * 1024)]));
  await peer.received(1);
  peer.send({ first: First.Ping, payload: "p" });
  await sent;
  await peer.until(() => peer.frames.at(-1)?.first === 0x80, "the end");
  const at = peer.words.indexOf("pong 70");
  assert(at > 0 && at < peer.frames.length - 1, `frame ${at} of ${peer.frames.length}`);
});

test("a peer that does not read stops the stream's source", async () => {
  const { socket, peer } = open({ memory: { capacity: 1000 } });
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(1000));
      if (++pulls === 1000) controller.close();
    },
  }, { highWaterMark: 0 });
  peer.transport.pause();
  const sent = socket.send(stream);
  await turns(20);
  assert(pulls < 150, `${pulls} pulls`);
  assert(socket.bufferedAmount < 80_000 + 65_536);
  const before = pulls;
  await turns(5);
  assertEquals(pulls, before);
  peer.transport.resume();
  await sent;
  await peer.until(() => peer.frames.at(-1)?.first === 0x80, "the end");
  const sizes = peer.frames.map(({ payload }) => payload.length);
  assertEquals(sizes.reduce((sum, size) => sum + size, 0), 1_000_000);
  // At most a frame for each chunk, and the end: how many are gathered depends on the pace.
  assert(sizes.length <= 1001, `${sizes.length} frames`);
});
