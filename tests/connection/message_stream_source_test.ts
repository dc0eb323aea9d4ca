import { makeFeed } from "../../src/connection/message_stream_source.ts";
import { assertEquals, assertRejects, test } from "../harness.ts";

/** A binary message's feed, and what its owner was told. */
function make(mark = 10) {
  const told = { onEmpty: 0, onCancel: 0 };
  const feed = makeFeed("binary", mark, {
    onEmpty: () => void told.onEmpty++,
    onCancel: () => void told.onCancel++,
  });
  const readable = feed.readable as ReadableStream<Uint8Array<ArrayBuffer>>;
  return { feed, readable, told };
}

function bytes(length: number, first = 0): Uint8Array {
  return new Uint8Array(length).map((_, i) => (first + i) % 251);
}

/** Until a stream has done what follows from what was done to it. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

test("MessageFeed fills the buffer of a BYOB reader, that buffer and no other", async () => {
  const { feed, readable } = make();
  const reader = readable.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(8);
  for (let round = 0; round < 3; round++) {
    const read = reader.read(new Uint8Array(buffer));
    await settled();
    const chunk = bytes(5, round);
    feed.push(chunk);
    chunk.fill(0xff); // The network's buffer is written to again.
    const { value, done } = await read;
    assertEquals({ value, done }, { value: bytes(5, round), done: false });
    assertEquals(value!.buffer.byteLength, 8);
    buffer = value!.buffer;
  }
});

test("MessageFeed keeps what is more than a BYOB reader's buffer for its next read", async () => {
  const { feed, readable } = make();
  const reader = readable.getReader({ mode: "byob" });
  const read = reader.read(new Uint8Array(4));
  await settled();
  feed.push(bytes(7));
  assertEquals((await read).value, bytes(4));
  assertEquals((await reader.read(new Uint8Array(4))).value, bytes(3, 4));
});

test("MessageFeed copies what waits: the network's buffer is written to again", async () => {
  const { feed, readable } = make();
  const reader = readable.getReader();
  const chunk = bytes(5);
  feed.push(chunk);
  chunk.fill(0xff);
  assertEquals((await reader.read()).value, bytes(5));
});

test("MessageFeed gives all of a message, whatever the parts and the reader's buffers", async () => {
  for (const size of [1, 3, 100, 70_000]) {
    for (const part of [1, 99, 8192, 65_536, 300_000]) {
      const { feed, readable } = make(65_536);
      const whole = bytes(Math.min(300_000, size * 1000, part * 1000));
      for (let at = 0; at < whole.length; at += part) feed.push(whole.subarray(at, at + part));
      feed.close();
      const reader = readable.getReader({ mode: "byob" });
      const got = new Uint8Array(whole.length);
      let length = 0;
      for (let buffer = new ArrayBuffer(size);;) {
        const { value, done } = await reader.read(new Uint8Array(buffer));
        if (done) break;
        got.set(value, length);
        length += value.length;
        buffer = value.buffer;
      }
      assertEquals(length, whole.length);
      assertEquals(got.every((byte, i) => byte === whole[i]), true);
    }
  }
});

test("MessageFeed gives a default reader parts that are its own", async () => {
  const { feed, readable } = make();
  const whole = bytes(20_000);
  feed.push(whole);
  feed.close();
  const parts: Uint8Array[] = [];
  for await (const part of readable) parts.push(part);
  assertEquals(parts.map(({ length }) => length), [8192, 8192, 3616]);
  assertEquals(new Set(parts.map(({ buffer }) => buffer)).size, 3);
  assertEquals(parts.flatMap((part) => [...part]), [...whole]);
});

test("MessageFeed is full at its mark, and wants more when all has been read", async () => {
  const { feed, readable, told } = make(10);
  const reader = readable.getReader();
  feed.push(bytes(9));
  assertEquals(feed.isFull, false);
  feed.push(bytes(1));
  assertEquals(feed.isFull, true);
  assertEquals((await reader.read()).value?.length, 10);
  assertEquals(feed.isFull, false);
  assertEquals(told.onEmpty, 0);
  const read = reader.read();
  await settled();
  assertEquals(told.onEmpty, 1);
  feed.push(bytes(1));
  await read;
});

test("MessageFeed ends a BYOB read that waits when the message ends", async () => {
  const { feed, readable } = make();
  const reader = readable.getReader({ mode: "byob" });
  const read = reader.read(new Uint8Array(4));
  await settled();
  feed.close();
  assertEquals((await read).done, true);
});

test("MessageFeed delivers what waits before the end", async () => {
  const { feed, readable } = make();
  feed.push(bytes(3));
  feed.close();
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, bytes(3));
  assertEquals((await reader.read()).done, true);
});

test("MessageFeed rejects a read that waits when the message is cut", async () => {
  const { feed, readable } = make();
  const read = readable.getReader({ mode: "byob" }).read(new Uint8Array(4));
  feed.error(new Error("cut"));
  await assertRejects(() => read, Error, "cut");
});

test("MessageFeed tells that the reader wants no more", async () => {
  const { feed, readable, told } = make();
  feed.push(bytes(3));
  await readable.cancel();
  assertEquals(told.onCancel, 1);
});
