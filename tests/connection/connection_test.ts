import { ReadyState } from "../../src/connection/ready_state.ts";
import { assert, assertEquals, assertRejects, assertThrows, deadline, test } from "../harness.ts";
import type { MemoryOptions } from "../../src/transport/memory_transport.ts";
import { assertMessages, ROLES } from "../protocol/frames.ts";
import { collect, open, turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** Asserts that the promise rejects with an `InvalidStateError`. */
async function assertInvalidState(promise: Promise<unknown>): Promise<void> {
  const error = await assertRejects(() => promise, DOMException);
  assertEquals(error.name, "InvalidStateError");
}

test("WebSocketConnection tells of its handshake and its ends", () => {
  const { socket, transport } = open();
  assertEquals(socket.protocol, "chat");
  assertEquals(socket.extensions, "");
  assertEquals(socket.data, "data");
  assertEquals(socket.localAddr, transport.localAddr);
  assertEquals(socket.remoteAddr, transport.remoteAddr);
  assertEquals(socket.request.url, "http://example.com/path");
  assert(socket.request === socket.request, "the request is made once");
  assertEquals(socket.readyState, ReadyState.Open);
  assertEquals(ReadyState, {
    Open: WebSocket.OPEN,
    Closing: WebSocket.CLOSING,
    Closed: WebSocket.CLOSED,
  });
});

for (const role of ROLES) {
  test(`WebSocketConnection as a ${role} sends and receives text and binary`, async () => {
    const { socket, peer } = open({ role });
    const received = collect(socket);
    peer.send(textFrame("Hé"), { first: First.Binary, payload: bytes(1, 2) });
    peer.send({ first: First.TextStart, payload: "a" }, { first: First.Ping, payload: "p" });
    peer.send({ first: First.ContinuationEnd, payload: "b" });
    socket.send("Hi");
    socket.send(bytes(3));
    await peer.received(3);
    socket.close(1000, "bye");
    await peer.closeBack();
    assertEquals(await received, ["Hé", bytes(1, 2), "ab"]);
    assertEquals(peer.words.filter((word) => word !== "pong 70"), [
      "text Hi",
      "binary 03",
      "close 1000 bye",
    ]);
    const masks = peer.frames.map(({ key }) => key !== "");
    assertEquals(masks.every((mask) => mask === (role === "client")), true);
    assertEquals(await socket.closed, { closeCode: 1000, reason: "bye", wasClean: true });
  });
}

test("WebSocketConnection.send copies the bytes of any buffer or view", async () => {
  const { socket, peer } = open();
  const buffer = bytes(0, 1, 2, 3).buffer;
  socket.send(buffer);
  socket.send(new Uint8Array(buffer, 1, 2));
  socket.send(new DataView(buffer, 2));
  socket.send(new Uint16Array(buffer, 2, 1));
  socket.send(new Uint8Array(0));
  socket.send("");
  new Uint8Array(buffer).fill(9);
  assertEquals(await peer.received(6), [
    "binary 00 01 02 03",
    "binary 01 02",
    "binary 02 03",
    "binary 02 03",
    "binary",
    "text",
  ]);
});

test("WebSocketConnection.send throws a TypeError for what is neither text nor bytes", () => {
  const { socket } = open();
  const send = socket.send.bind(socket) as (data: unknown) => void;
  for (
    const [data, name] of [
      [1, "number"],
      [undefined, "undefined"],
      [null, "null"],
      [[1], "Array"],
      [{}, "Object"],
      [Object.create(null), "an object"],
      [new Blob([]), "Blob"],
      [new String("text"), "String"],
    ]
  ) {
    assertThrows(() => send(data), TypeError, `got ${name}`);
  }
  assertEquals(socket.readyState, ReadyState.Open);
});

test("WebSocketConnection.send after the close rejects, and the promise may be ignored", async () => {
  const { socket, peer } = open();
  assertEquals(await socket.send("in time"), undefined);
  socket.close(1000);
  assertEquals(socket.readyState, ReadyState.Closing);
  socket.send("late, and not looked at");
  await assertInvalidState(socket.send("late"));
  await peer.closeBack();
  await socket.closed;
  assertEquals(socket.readyState, ReadyState.Closed);
  await assertInvalidState(socket.send("later"));
  assertEquals(peer.words, ["text in time", "close 1000"]);
});

test("WebSocketConnection.send throws a TypeError after the close, too", async () => {
  const { socket } = open();
  socket.abort();
  await socket.closed;
  assertThrows(() => void socket.send(1 as unknown as string), TypeError);
});

test("WebSocketConnection.close checks its arguments before it does anything", async () => {
  const { socket, peer } = open();
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) {
    assertThrows(() => void socket.close(code), RangeError, `${code}`);
  }
  assertThrows(() => void socket.close(1000.5), TypeError);
  assertThrows(() => void socket.close(undefined, "why"), TypeError);
  const long = assertThrows(() => void socket.close(1000, "é".repeat(62)), DOMException);
  assertEquals(long.name, "SyntaxError");
  assertEquals(socket.readyState, ReadyState.Open);
  socket.close(3000, "é".repeat(61));
  assertEquals(await peer.received(1), [`close 3000 ${"é".repeat(61)}`]);
});

test("WebSocketConnection delivers what came with the opening handshake", async () => {
  const { socket } = open({ early: bytes(0x81, 0x82, 0, 0, 0, 0, 0x48, 0x69) });
  const { value } = await socket[Symbol.asyncIterator]().next();
  assertEquals(value, "Hi");
});

test("WebSocketConnection.abort drops the connection without a Close frame", async () => {
  const { socket, peer, errors } = open();
  const received = collect(socket);
  socket.send("never written");
  socket.abort();
  socket.abort();
  assertEquals(socket.readyState, ReadyState.Closed);
  assertEquals(await socket.closed, { closeCode: 1006, reason: "", wasClean: false });
  assertEquals(await received, []);
  await peer.until(() => peer.isClosed, "the reset");
  assertEquals(peer.words, []);
  assertEquals(socket.bufferedAmount, 0);
  assertEquals(errors, []);
});

test("WebSocketConnection.abort in a message callback ends the messages", async () => {
  const messages: unknown[] = [];
  const { socket, peer } = open({
    handler: {
      message(socket, message) {
        messages.push(message);
        socket.abort();
      },
    },
  });
  peer.send(textFrame("one"), textFrame("two"), { first: First.Ping }, closeFrame(1000));
  assertEquals((await socket.closed).closeCode, 1006);
  await turns();
  assertEquals(messages, ["one"]);
  assertEquals(peer.words, []);
});

test("WebSocketConnection is told of a reset at any time", async () => {
  const reset = new Error("Connection reset by peer");
  const { socket, peer } = open();
  const received = collect(socket);
  const ping = socket.ping();
  peer.send(textFrame("one"));
  await turns();
  peer.transport.reset(reset);
  await assertInvalidState(ping);
  assertEquals(await socket.closed, { closeCode: 1006, reason: "", wasClean: false, error: reset });
  assertEquals(await received, ["one"]);
  assertEquals(socket.readyState, ReadyState.Closed);
  assertEquals(await socket.close(), await socket.closed);
});

const HARD: MemoryOptions[] = [
  { capacity: 1 },
  { maxChunk: 1 },
  { capacity: 7, maxChunk: 3 },
  { lendsChunks: true },
  { capacity: 7, maxChunk: 3, lendsChunks: true },
];
for (const memory of HARD) {
  for (const role of ROLES) {
    test(`WebSocketConnection as a ${role} gets along with ${JSON.stringify(memory)}`, async () => {
      const { socket, peer } = open({ role, memory });
      const received = collect(socket);
      const texts = ["", "a", "é".repeat(100), "x".repeat(70_000)];
      peer.send(...texts.map(textFrame));
      for (const text of texts) socket.send(text);
      const words = await peer.received(texts.length);
      assertMessages(words, texts.map((text) => `text ${text}`.trim()));
      socket.close(1000);
      await peer.closeBack();
      assertMessages(await deadline(received, 5000, "the messages"), texts);
      assertEquals((await socket.closed).wasClean, true);
    });
  }
}
