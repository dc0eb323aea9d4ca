import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import { PART_OVERHEAD, UnreadUsage } from "../../src/connection/memory_usage.ts";
import { assert, assertEquals, deadline, delay, test } from "../harness.ts";
import { randomBytes } from "../protocol/frames.ts";
import { deflated } from "../support/deflate.ts";
import { open, turns } from "../support/open.ts";
import { First, textFrame } from "../support/memory_peer.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A binary message's beginning, of so many bytes. */
function start(size: number, byte = 1) {
  return { first: 0x02, payload: new Uint8Array(size).fill(byte) };
}
function next(size: number) {
  return { first: First.Continuation, payload: new Uint8Array(size) };
}

/** The usage of a queue of messages. */
function usageOf(messages: (string | Uint8Array<ArrayBuffer>)[], copiedUpTo?: number): UnreadUsage {
  const usage = new UnreadUsage(copiedUpTo);
  for (const message of messages) usage.add(message);
  return usage;
}

test("UnreadUsage counts an object for each message, two bytes a character, and a chunk once", () => {
  assertEquals(usageOf([]).bytes, 0);
  assertEquals(usageOf(["", ""]).bytes, 2 * PART_OVERHEAD);
  assertEquals(usageOf(["abc", "de"]).bytes, 2 * PART_OVERHEAD + 10);
  assertEquals(usageOf([new Uint8Array(64)]).bytes, PART_OVERHEAD + 64);
  const chunk = new Uint8Array(10_000);
  const views = [chunk.subarray(0, 100), chunk.subarray(100, 300)];
  assertEquals(usageOf(views).bytes, 2 * PART_OVERHEAD + 10_000);
  const short = [chunk.subarray(0, 1), chunk.subarray(1, 65)];
  assertEquals(
    usageOf(short).bytes,
    2 * PART_OVERHEAD + 10_000,
    "short views keep the chunk as well",
  );
  assertEquals(usageOf(short, 64).bytes, 2 * PART_OVERHEAD + 65, "short copies do not");
});

test("UnreadUsage counts a chunk until its last view has left, at either end of the queue", () => {
  const first = new Uint8Array(1000);
  const second = new Uint8Array(2000);
  const messages = [
    first.subarray(0, 10),
    "text",
    first.subarray(10, 30),
    second.subarray(0, 10),
    second.subarray(10, 20),
  ];
  const usage = usageOf(messages);
  const overhead = (count: number) => count * PART_OVERHEAD;
  assertEquals(usage.bytes, overhead(5) + 8 + 3000);
  usage.removeOldest(messages[0]!);
  assertEquals(usage.bytes, overhead(4) + 8 + 3000);
  usage.removeNewest(messages[4]!);
  assertEquals(usage.bytes, overhead(3) + 8 + 3000);
  usage.removeOldest(messages[1]!);
  usage.removeOldest(messages[2]!);
  assertEquals(usage.bytes, overhead(1) + 2000);
  usage.removeNewest(messages[3]!);
  assertEquals(usage.bytes, 0);
  usage.add(second);
  assertEquals(usage.bytes, overhead(1) + 2000, "a chunk that has left counts again");
  usage.clear();
  assertEquals(usage.bytes, 0);
});

test("UnreadUsage recognizes a chunk by the array that a view is cut from", () => {
  const chunk = new Uint8Array(new ArrayBuffer(5000), 10, 3000);
  const usage = new UnreadUsage();
  usage.add(chunk.subarray(0, 100), chunk);
  usage.add(chunk.subarray(100, 200), chunk);
  assertEquals(usage.bytes, 2 * PART_OVERHEAD + 5000);
  usage.add(chunk, new Uint8Array(700));
  assertEquals(usage.bytes, 3 * PART_OVERHEAD + 5700);
  const arrays = [0, 20, 40].map((at) => new Uint8Array(new ArrayBuffer(512), at, 20));
  const gathered = new Uint8Array(512);
  usage.clear();
  for (const at of [0, 20, 40]) {
    usage.add(gathered.subarray(at + 2, at + 10), gathered.subarray(at, at + 20));
  }
  assertEquals(usage.bytes, 3 * PART_OVERHEAD + 512, "several chunks in one buffer");
  for (const array of arrays) usage.add(array.subarray(2, 10), array);
  assertEquals(usage.bytes, 6 * PART_OVERHEAD + 4 * 512);
});

test("UnreadUsage finds messages that are a small part of the chunk that they keep", () => {
  const chunk = new Uint8Array(10_000);
  const view = (length: number) => chunk.subarray(0, length);
  const other = new Uint8Array(10_000);
  const isWasteful = (...args: Parameters<typeof usageOf>) => usageOf(...args).isWasteful;
  assertEquals(isWasteful([]), false);
  assertEquals(isWasteful(["text", view(10), "text"]), true);
  assertEquals(isWasteful([other, view(1000), view(1400)]), true);
  assertEquals(isWasteful([view(1000), view(1500)]), false, "a quarter of it");
  assertEquals(isWasteful([new Uint8Array(4000).subarray(0, 1)]), false, "a small chunk");
  assertEquals(isWasteful([view(10), view(65)], 64), true);
  assertEquals(isWasteful([view(10)], 64), false, "copies");
});

test("UnreadUsage counts copies, and no chunk, after the newest views have been copied", () => {
  const messages = [
    new Uint8Array(500),
    ...[10, 30].map((n) => new Uint8Array(9000).subarray(0, n)),
  ];
  const usage = usageOf(messages);
  assertEquals([usage.isWasteful, usage.newestViews], [true, 1]);
  usage.copied();
  assertEquals(usage.isWasteful, false);
  assertEquals(usage.bytes, 3 * PART_OVERHEAD + 500 + 9000 + 30);
  for (const message of messages) usage.removeOldest(message);
  assertEquals(usage.bytes, 0);
});

test("short messages that wait do not keep the chunk that they came in", async () => {
  for (const size of [10, 100]) {
    const { socket, peer } = open({
      memory: { lendsChunks: size === 10, capacity: MIB },
    });
    const message = { first: First.Binary, payload: new Uint8Array(size).fill(7) };
    // The second frame, a message that does not end, fills the chunk.
    peer.send(message, { first: 0x02, payload: new Uint8Array(60_000) });
    await turns();
    const unfinished = 60_000 * 4 / 3;
    assert(socket.heldBytes <= unfinished + 2 * PART_OVERHEAD + size + 60_000 / 2, `${size}`);
    const { value } = await socket[Symbol.asyncIterator]().next();
    assertEquals(value, message.payload);
    assert((value as Uint8Array).buffer.byteLength < 4096, "it is a copy");
  }
});

test("heldBytes is next to nothing for a connection that is idle, and after an echo", async () => {
  const { socket, peer } = open({
    handler: { message: (socket, message) => void socket.send(message) },
  });
  await turns();
  assertEquals(socket.heldBytes, 0);
  peer.send(textFrame("x".repeat(10_000)));
  await peer.received(1);
  await turns();
  assertEquals(socket.heldBytes, 0);
});

test("heldBytes has what is set aside for an unfinished message, and frees it with its end", async () => {
  const { socket, peer } = open({ handler: { message() {} } });
  peer.send(start(1000));
  await turns();
  assert(socket.heldBytes >= 1000 && socket.heldBytes <= 16 * KIB, `${socket.heldBytes}`);
  peer.send(next(100_000));
  await turns();
  assert(socket.heldBytes >= 101_000, `${socket.heldBytes}`);
  peer.send({ first: First.ContinuationEnd, payload: "" });
  await turns();
  assertEquals(socket.heldBytes, 0);
});

test("heldBytes has what waits to be taken, and what a slow loop leaves of a chunk", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 4 } });
  peer.send(...Array.from({ length: 100 }, () => textFrame("x".repeat(100))));
  await turns();
  const { heldBytes } = socket;
  assert(heldBytes >= 4 * (200 + PART_OVERHEAD) + 96 * 106, `${heldBytes}`);
  const messages = socket[Symbol.asyncIterator]();
  for (let i = 0; i < 100; i++) await messages.next();
  void messages.return!();
  assertEquals(socket.heldBytes, 0);
});

test("heldBytes has what waits to be sent, with the buffers it waits in", async () => {
  const { socket, peer } = open({ memory: { capacity: 100 } });
  peer.transport.pause();
  for (let i = 0; i < 10; i++) socket.send(new Uint8Array(100_000));
  assert(socket.heldBytes >= socket.bufferedAmount);
  assert(socket.heldBytes < 2 * socket.bufferedAmount);
  peer.transport.resume();
  await peer.received(10);
  await turns();
  assertEquals(socket.heldBytes, 0);
});

test("heldBytes has what is sent behind a stream, an object for each empty message", async () => {
  const { socket } = open();
  void socket.send(new ReadableStream<string>({ pull: () => new Promise(() => {}) }));
  for (let i = 0; i < 1000; i++) socket.send("");
  assert(socket.heldBytes >= 1000 * 512, `${socket.heldBytes}`);
  socket.abort();
  assertEquals(socket.heldBytes, 0);
  await turns();
});

test("heldBytes has what of a streamed message has not been read", async () => {
  const { socket, peer } = open();
  const streams = socket.messageStreams();
  const taken = streams.next();
  peer.send(start(10_000));
  const { value } = await taken;
  await turns();
  assert(socket.heldBytes >= 10_000, `${socket.heldBytes}`);
  const reader = (value!.readable as ReadableStream<Uint8Array>).getReader();
  for (let left = 10_000; left > 0;) left -= (await reader.read()).value!.length;
  assertEquals(socket.heldBytes, 0);
  peer.send(next(300));
  peer.send({ first: First.ContinuationEnd, payload: "end" });
  await turns();
  assert(socket.heldBytes >= 303, "what has ended and not been read");
  while (!(await reader.read()).done);
  await turns();
  assertEquals(socket.heldBytes, 0);
});

test("a streamed message in parts of one byte waits in no more memory than its mark", async () => {
  const { socket, peer } = open({
    limits: { maxFragments: Infinity },
    peerMemory: { capacity: 4 * MIB },
  });
  const streams = socket.messageStreams();
  const taken = streams.next();
  peer.send(start(1), ...Array.from({ length: 50_000 }, () => next(1)));
  const { value } = await taken;
  await turns();
  // The mark of parts, and the rest of a chunk of 7 bytes for each, as it came.
  assert(socket.heldBytes < 2 * 64 * KIB + 64 * KIB + 50_000 * 7 * 2, `${socket.heldBytes}`);
  let count = 0;
  const reader = (value!.readable as ReadableStream<Uint8Array>).getReader();
  while (count < 50_001) count += (await reader.read()).value!.length;
  socket.abort();
  await turns();
});

test("a small part of a streamed message does not keep the chunk that it came in", async () => {
  for (const lendsChunks of [true, false]) {
    const { socket, peer } = open({ memory: { lendsChunks }, peerMemory: { capacity: MIB } });
    const taken = socket.messageStreams().next();
    const pings = Array.from(
      { length: 500 },
      () => ({ first: First.Ping, payload: "x".repeat(100) }),
    );
    peer.send(start(10), ...pings);
    const { value } = await taken;
    const reader = (value!.readable as ReadableStream<Uint8Array>).getReader();
    const part = (await reader.read()).value!;
    assertEquals([part.length, part.buffer.byteLength], [10, 10]);
    socket.abort();
    await turns();
  }
});

test("heldBytes has the windows of compression, and zlib's memory inside a message", async () => {
  const [extension] = [new PerMessageDeflate({ threshold: 1 })];
  const offer = { name: "permessage-deflate", params: [] };
  const { socket, peer } = open({
    handler: { message: (socket, message) => void socket.send(message) },
    agreements: [extension.acceptOffer(offer)!],
  });
  await turns();
  assertEquals(socket.heldBytes, 0);
  const text = randomBytes(20_000);
  const bytes = deflated(text);
  peer.send({ first: 0x42, payload: bytes.subarray(0, 5000) });
  await turns();
  assert(socket.heldBytes >= 40 * KIB, `${socket.heldBytes} inside`);
  peer.send({ first: First.ContinuationEnd, payload: bytes.subarray(5000) });
  await peer.received(1);
  await turns();
  const { heldBytes } = socket;
  // The client's window is 32 KiB, ours what is worth keeping.
  assert(heldBytes >= 20_000 && heldBytes <= 36 * KIB, `${heldBytes} between`);
});

/** Sends until the connection is closed; gives back the code that it was closed with. */
async function closedWith(opened: ReturnType<typeof open>, flood: () => void): Promise<string> {
  const { peer } = opened;
  const isClose = () => peer.words.some((words) => words.startsWith("close"));
  for (let i = 0; i < 2000 && !isClose() && !peer.isClosed; i++) {
    flood();
    await turns(1);
  }
  return peer.words.find((words) => words.startsWith("close")) ?? "not closed";
}

test("maxConnectionMemory: a message without end is 1009, in one frame and in many", async () => {
  for (const isOne of [true, false]) {
    const opened = open({
      limits: { maxConnectionMemory: MIB, maxMessageSize: Infinity, maxFragments: Infinity },
      handler: { message() {} },
    });
    const { socket, peer, errors } = opened;
    if (isOne) {
      // A header that claims 1 TiB, masked with zeros.
      peer.sendBytes(new Uint8Array([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    } else {
      peer.send(start(10_000));
    }
    let most = 0;
    const code = await closedWith(opened, () => {
      if (isOne) peer.sendBytes(new Uint8Array(10_000));
      else peer.send(next(10_000));
      most = Math.max(most, socket.heldBytes);
    });
    assertEquals(code, "close 1009");
    assertEquals((errors[0] as { code: string }).code, "ERR_CONNECTION_MEMORY");
    assert(most <= MIB, `${most} bytes`);
    assert(socket.heldBytes < 16 * KIB, "what has been received is freed at once");
  }
});

test("a header that claims 1 TiB sets aside no more than 8 times what has come", async () => {
  const { socket, peer } = open({
    limits: { maxMessageSize: Infinity },
    handler: { message() {} },
  });
  peer.sendBytes(new Uint8Array([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  await turns();
  assert(socket.heldBytes <= 16 * KIB, `${socket.heldBytes}`);
  peer.sendBytes(new Uint8Array(100_000));
  await turns();
  assert(socket.heldBytes <= 800_000, `${socket.heldBytes}`);
});

test("maxConnectionMemory: fragments without end and without bytes cost nothing", async () => {
  const { socket, peer } = open({
    limits: { maxConnectionMemory: 128 * KIB, maxFragments: Infinity },
    handler: { message: (socket, message) => void socket.send(`${message.length}`) },
  });
  const send = async (size: number) => {
    for (let i = 0; i < 10; i++) {
      peer.send(...Array.from({ length: 5000 }, () => next(size)));
      await turns();
    }
  };
  peer.send(start(10));
  await send(0);
  assert(socket.heldBytes <= 16 * KIB, `${socket.heldBytes}`);
  await send(1);
  assert(socket.heldBytes <= 128 * KIB, `${socket.heldBytes}`);
  peer.send({ first: First.ContinuationEnd, payload: "" });
  await peer.received(1);
});

test("maxConnectionMemory: many small unread messages are 1008, by what each costs", async () => {
  const opened = open({
    limits: {
      maxConnectionMemory: 256 * KIB,
      incomingMaxMessages: Infinity,
      incomingHighWaterMark: Infinity,
    },
  });
  const { socket, peer } = opened;
  let count = 0;
  const code = await closedWith(opened, () => {
    peer.send(...Array.from({ length: 50 }, () => textFrame("")));
    count += 50;
  });
  assertEquals(code, "close 1008");
  assert(count <= 256 * KIB / PART_OVERHEAD + 100, `${count} messages`);
  assert(socket.readyState !== 1);
});

test("maxConnectionMemory: a queue that its peer does not read is 1013, from any source", async () => {
  for (const kind of ["messages", "pings", "behind a stream"]) {
    const { socket, peer } = open({
      memory: { capacity: 10_000 },
      limits: { maxConnectionMemory: 256 * KIB, closeTimeout: 1000 },
    });
    peer.transport.pause();
    if (kind === "behind a stream") {
      void socket.send(new ReadableStream<string>({ pull: () => new Promise(() => {}) }));
    }
    let count = 0;
    for (; socket.readyState === 1 && count < 10_000; count++) {
      if (kind === "messages") socket.send(new Uint8Array(1000));
      else if (kind === "pings") socket.ping().catch(() => {});
      else socket.send("");
      if (count % 100 === 0) await turns(1);
    }
    assert(count < 1000, `${count} ${kind}`);
    assert(socket.heldBytes <= 400 * KIB, `${socket.heldBytes}`);
    peer.transport.resume();
    await peer.until(() => peer.words.at(-1) === "close 1013", kind);
    socket.abort();
    const { error } = await deadline(socket.closed, 1000, "the end");
    assertEquals((error as { code: string }).code, "ERR_CONNECTION_MEMORY");
    await delay(0);
  }
});

test("maxConnectionMemory by default leaves room for all that the other limits allow", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    peerMemory: { capacity: 2 * MIB },
  });
  // All at once: a full outgoing queue, a full incoming one, and a message but for its last byte.
  for (let i = 0; i < 209; i++) socket.send(new Uint8Array(40_000 * 2));
  peer.transport.pause();
  peer.send(textFrame("€".repeat(20_000)), start(MIB - 1));
  await turns(10);
  assertEquals(socket.readyState, 1);
  assert(socket.bufferedAmount > 15 * MIB, `${socket.bufferedAmount}`);
  assert(socket.heldBytes < 32 * MIB, `${socket.heldBytes}`);
});
