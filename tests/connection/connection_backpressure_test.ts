import type { WebSocketError } from "../../src/protocol/errors.ts";
import { ReadyState } from "../../src/connection/ready_state.ts";
import { assert, assertEquals, assertRejects, deadline, test } from "../harness.ts";
import { assertMessages } from "../protocol/frames.ts";
import { collect, open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";
import { manual } from "../support/streams.ts";

/** Whether the promise is pending after all that takes no time. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(() => pending = false, () => pending = false);
  await turns();
  return pending;
}

test("bufferedAmount counts what the peer has not taken, and ready waits at the mark", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000 },
  });
  peer.transport.pause();
  await turns();
  assertEquals(socket.bufferedAmount, 0);
  assertEquals(await isPending(socket.ready), false);
  assertEquals(await isPending(socket.send("x".repeat(198))), false);
  // A frame of 4 + 198 bytes, after an answer of 38 that is in the pipe already.
  assertEquals(socket.bufferedAmount, 202);
  const sent = socket.send("y".repeat(900));
  assertEquals(socket.bufferedAmount, 202 + 904);
  const { ready } = socket;
  assertEquals(await isPending(ready), true);
  assertEquals(await isPending(sent), true);
  peer.transport.resume();
  await deadline(Promise.all([ready, sent]), 1000, "ready");
  assertEquals(await isPending(socket.ready), false);
  await peer.received(2);
  assertEquals(socket.bufferedAmount, 0);
});

test("send and ready reject where the connection ends before there is room", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 100 },
  });
  peer.transport.pause();
  const sent = socket.send("x".repeat(1000));
  const { ready } = socket;
  await turns();
  socket.abort();
  for (const promise of [sent, ready]) {
    assertEquals((await assertRejects(() => promise, DOMException)).name, "InvalidStateError");
  }
  assertEquals(socket.bufferedAmount, 0);
});

test("a send loop that awaits queues no more than the mark and one message", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000 },
  });
  peer.transport.pause();
  let count = 0;
  const running = (async () => {
    for (; count < 100; count++) await socket.send("x".repeat(96));
  })();
  await turns();
  assertEquals(count, 10);
  assert(socket.bufferedAmount <= 1100);
  peer.transport.resume();
  await running;
  await peer.received(100);
});

test("maxBufferedAmount refuses the send and closes with 1013", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000, maxBufferedAmount: 2000 },
  });
  peer.transport.pause();
  for (let i = 0; i < 3; i++) socket.send(new Uint8Array(600));
  assertEquals(socket.readyState, ReadyState.Open);
  const refused = await assertRejects(() => socket.send(new Uint8Array(600)), DOMException);
  assertEquals(refused.name, "InvalidStateError");
  assertEquals(socket.readyState, ReadyState.Closing);
  await assertRejects(() => socket.send("more"), DOMException);
  peer.transport.resume();
  assertEquals((await peer.received(4))[3], "close 1013");
  assertEquals(peer.frames.map(({ payload }) => payload.length), [600, 600, 600, 2]);
  peer.send(closeFrame(1013));
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
});

test("maxBufferedAmount counts text in bytes", async () => {
  const { socket } = open({ limits: { maxBufferedAmount: 1000 } });
  await assertRejects(() => socket.send("€".repeat(400)), DOMException);
});

test("maxBufferedAmount lets a peer go that reads nothing at all", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { maxBufferedAmount: 2000, closeTimeout: 20 },
  });
  peer.transport.pause();
  while (socket.readyState === ReadyState.Open) socket.send(new Uint8Array(600));
  const { error, ...info } = await deadline(socket.closed, 1000, "the drop");
  assertEquals(info, { closeCode: 1006, reason: "", wasClean: false });
  assertEquals((error as WebSocketError).code, "ERR_CLOSE_TIMEOUT");
});

test("a slow loop stops the reading of the socket, and starts it again", async () => {
  const { socket, peer } = open({ memory: { capacity: 100 }, limits: { incomingMaxMessages: 4 } });
  const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
  for (const text of texts) peer.send(textFrame(text));
  await turns();
  assert(peer.isStuck, "the peer is held back");
  const iterator = socket[Symbol.asyncIterator]();
  assertEquals(await iterator.next(), { done: false, value: "message 0" });
  await turns();
  assert(peer.isStuck, "the peer is still held back");
  const rest: unknown[] = [];
  for (let i = 1; i < texts.length; i++) rest.push((await iterator.next()).value);
  assertEquals(rest, texts.slice(1));
  assertEquals(peer.isStuck, false);
});

test("incomingHighWaterMark holds the peer back by bytes", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { incomingHighWaterMark: 1000 },
  });
  const texts = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(600));
  for (const text of texts) peer.send(textFrame(text));
  await turns(10);
  assert(peer.isStuck);
  peer.send(closeFrame(1000));
  const received = collect(socket);
  await peer.end();
  assertMessages(await received, texts);
});

test("callbacks hold the peer back only for a full send queue", async () => {
  let count = 0;
  const { peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000 },
    handler: {
      message(socket, message) {
        count++;
        socket.send(message);
      },
    },
  });
  peer.transport.pause();
  for (let i = 0; i < 100; i++) peer.send(textFrame("x".repeat(94)));
  await turns(10);
  assert(peer.isStuck, "the peer that reads nothing is not read");
  assert(count > 5 && count < 30, `${count} messages`);
  peer.transport.resume();
  await peer.received(100);
  assertEquals(peer.isStuck, false);
});

test("a loop that does not wait for send() goes on once the peer reads", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000, incomingMaxMessages: 4 },
  });
  const running = (async () => {
    for await (const message of socket) socket.send(message);
  })();
  peer.transport.pause();
  for (let i = 0; i < 50; i++) peer.send(textFrame("x".repeat(94)));
  await turns(10);
  peer.transport.resume();
  await peer.received(50);
  peer.send(closeFrame(1000));
  await peer.end();
  await running;
});

test("a loop that does not wait for send(), and many messages in one chunk, goes on too", async () => {
  const { socket, peer } = open({
    peerMemory: { capacity: 100_000 },
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000, incomingMaxMessages: 4 },
  });
  const running = (async () => {
    for await (const message of socket) socket.send(message);
  })();
  peer.transport.pause();
  peer.send(...Array.from({ length: 50 }, () => textFrame("x".repeat(298))));
  await turns(10);
  peer.transport.resume();
  await peer.received(50);
  peer.send(closeFrame(1000));
  await peer.end();
  await running;
});

test("a loop may be left and begun again", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 2 } });
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
  peer.send(...texts.map(textFrame), closeFrame(1000));
  const ended = peer.end();
  const seen: unknown[] = [];
  while (seen.length < texts.length) {
    for await (const message of socket) {
      seen.push(message);
      if (seen.length % 3 === 0) break;
    }
  }
  assertEquals(seen, texts);
  await ended;
  assertEquals(await collect(socket), []);
});

test("leaving a loop lets a Close that waited be answered", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), closeFrame(1000));
  for await (const _ of socket) break;
  assertEquals(await peer.received(1), ["close 1000"]);
});

test("what is not read after close() is dropped, and the peer's Close is seen", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 2 } });
  for (let i = 0; i < 10; i++) peer.send(textFrame(`${i}`));
  await turns();
  socket.close(1000);
  await peer.closeBack();
  assertEquals((await socket.closed).wasClean, true);
  assert((await collect(socket)).length >= 2);
});

test("a flood of pings by a peer that reads nothing costs the mark and one pong", async () => {
  // A client, since a server does not even read such a peer.
  const { socket, peer } = open({
    role: "client",
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 300, maxControlFrames: Infinity },
  });
  const running = collect(socket);
  peer.transport.pause();
  for (let i = 0; i < 1000; i++) peer.send({ first: First.Ping, payload: `${i}` });
  await peer.until(() => !peer.isStuck, "all pings");
  await turns();
  assert(socket.bufferedAmount <= 310, `${socket.bufferedAmount} bytes`);
  peer.transport.resume();
  // RFC 6455 §5.5.3: the last Pong answers "the most recently processed Ping frame".
  await peer.until(() => peer.words.at(-1) === "pong 39 39 39", "the last pong");
  assert(peer.words.length < 50, `${peer.words.length} pongs`);
  peer.send({ first: First.Ping, payload: "z" });
  await peer.until(() => peer.words.at(-1) === "pong 7a", "the next pong");
  socket.abort();
  await running;
});

test("a server does not read the pings of a peer that reads nothing", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 300 },
  });
  peer.transport.pause();
  for (let i = 0; i < 1000; i++) peer.send({ first: First.Ping, payload: `${i}` });
  await turns(10);
  assert(peer.isStuck);
  assert(socket.bufferedAmount <= 500, `${socket.bufferedAmount} bytes`);
  peer.transport.resume();
  await peer.until(() => peer.words.at(-1) === "pong 39 39 39", "the last pong");
});

test("ready waits for the messages behind a stream, and rejects when the connection is closed", async () => {
  for (const end of ["stream ends", "abort"] as const) {
    const { socket, peer } = open({ limits: { outgoingHighWaterMark: 1000 } });
    const { stream, controller } = manual();
    socket.send(stream);
    controller.enqueue("a");
    await peer.received(1);
    socket.send(new Uint8Array(900));
    await socket.ready;
    socket.send(new Uint8Array(900));
    const { ready } = socket;
    let state = "pending";
    ready.then(() => state = "resolved", () => state = "rejected");
    await turns();
    assertEquals(state, "pending");
    if (end === "abort") socket.abort();
    else controller.close();
    await turns();
    assertEquals(state, end === "abort" ? "rejected" : "resolved");
  }
});

test("what an iterator gets after close() is a beginning of what was sent", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 4 } });
  const got: (string | Uint8Array)[] = [];
  const loop = (async () => {
    for await (const message of socket) {
      got.push(message);
      await turns(1);
    }
  })();
  const texts = Array.from({ length: 200 }, (_, i) => `${i}`);
  for (const text of texts.slice(0, 20)) peer.send(textFrame(text));
  await turns();
  socket.close(1000);
  for (const text of texts.slice(20)) {
    peer.send(textFrame(text));
    if (Number(text) % 7 === 0) await turns(1);
  }
  peer.send(closeFrame(1000));
  await peer.end();
  await loop;
  assert(got.length >= 4 && got.length < 200, `${got.length} messages`);
  assertEquals(got, texts.slice(0, got.length));
});

test("what messageStreams() gives after close() is a beginning of what was sent", async () => {
  const { socket, peer } = open({ limits: { incomingHighWaterMark: 4 } });
  const got: string[] = [];
  const loop = (async () => {
    for await (const { readable } of socket.messageStreams()) {
      try {
        let text = "";
        for await (const part of readable as ReadableStream<string>) text += part;
        got.push(text);
      } catch {
        got.push("cut");
      }
      await turns(1);
    }
  })();
  const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
  for (const text of texts.slice(0, 20)) peer.send(textFrame(text));
  await turns();
  socket.close(1000);
  for (const text of texts.slice(20)) {
    peer.send(textFrame(text));
    if (Number(text.slice(8)) % 7 === 0) await turns(1);
  }
  peer.send(closeFrame(1000));
  await peer.end();
  await loop;
  const whole = got.filter((text) => text !== "cut");
  assert(whole.length > 0 && whole.length < 200, `${whole.length} messages`);
  assertEquals(whole, texts.slice(0, whole.length));
  assert(!got.slice(0, -1).includes("cut"), "only the last message may be cut");
});
