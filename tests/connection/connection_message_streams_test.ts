import {
  connect,
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
} from "../../mod.ts";
import type { MessageStream } from "../../src/connection/message_streams.ts";
import { assert, assertEquals, assertRejects, assertThrows, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import type { OpenOptions } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";
import { serving } from "../support/server.ts";

async function rest(message: MessageStream | undefined): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of message!.readable as ReadableStream<unknown>) chunks.push(chunk);
  return chunks;
}

/** A connection whose messages are read as they arrive, and the first of them, which has begun. */
async function begun(part: string | Uint8Array, options: OpenOptions = {}) {
  const opened = open(options);
  const streams = opened.socket.messageStreams();
  const first = typeof part === "string" ? First.TextStart : 0x02;
  opened.peer.send({ first, payload: part });
  const { value } = await streams.next();
  return { ...opened, streams, message: value! };
}

test("messageStreams() hands a message over before it has ended", async () => {
  const { peer, message } = await begun("Hel");
  assertEquals(message.type, "text");
  const reader = message.readable.getReader();
  assertEquals((await reader.read()).value, "Hel");
  peer.send({ first: First.Ping, payload: "p" });
  assertEquals(await peer.received(1), ["pong 70"]);
  peer.send({ first: First.ContinuationEnd, payload: "lo" });
  assertEquals((await reader.read()).value, "lo");
  assertEquals((await reader.read()).done, true);
});

test("messageStreams() hands a frame over before it has ended", async () => {
  const { socket, peer } = open({ role: "client" });
  const next = socket.messageStreams().next();
  peer.sendBytes(new Uint8Array([0x82, 0x05, 1, 2]));
  const reader = (await next).value!.readable.getReader();
  assertEquals((await reader.read()).value, new Uint8Array([1, 2]));
  peer.sendBytes(new Uint8Array([3, 4, 5]));
  assertEquals((await reader.read()).value, new Uint8Array([3, 4, 5]));
  assertEquals((await reader.read()).done, true);
});

test("messageStreams() gives the messages that came before it first, then the one under way", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("one"), { first: First.TextStart, payload: "tw" });
  await turns();
  const streams = socket.messageStreams();
  assertEquals(socket.messageStreams() === streams, true);
  peer.send({ first: First.ContinuationEnd, payload: "o" }, textFrame("three"));
  for (const text of ["one", "two", "three"]) {
    assertEquals(await rest((await streams.next()).value), [text]);
  }
});

test("messageStreams() throws where callbacks take the messages", () => {
  const { socket } = open({ handler: {} });
  const error = assertThrows(() => socket.messageStreams(), DOMException);
  assertEquals(error.name, "InvalidStateError");
});

test("invalid UTF-8 errors the message and closes with 1007 at its first byte", async () => {
  const { peer, message, errors } = await begun("Hel");
  peer.send({ first: First.Continuation, payload: new Uint8Array([0xc3, 0x28]) });
  const error = await assertRejects(() => rest(message), InvalidPayloadError);
  assertEquals(await peer.received(1), ["close 1007"]);
  assertEquals(errors, [error]);
});

test("bytes of a binary message are not looked at", async () => {
  const { peer, message } = await begun(new TextEncoder().encode("🌍").slice(0, 2));
  const bytes = await (async () => {
    peer.send({ first: First.ContinuationEnd, payload: "" });
    return await rest(message);
  })();
  assertEquals(bytes, [new Uint8Array([0xf0, 0x9f])]);
});

for (
  const [name, limits, error, code] of [
    ["maxMessageSize", { maxMessageSize: 5 }, MessageTooBigError, 1009],
    ["maxFragments", { maxFragments: 2 }, PolicyViolationError, 1008],
  ] as const
) {
  test(`${name} holds for message streams`, async () => {
    const { peer, message } = await begun("abc", { limits });
    peer.send(
      { first: First.Continuation, payload: "d" },
      { first: First.Continuation, payload: "efg" },
    );
    assert(await assertRejects(() => rest(message)) instanceof error);
    assertEquals(await peer.received(1), [`close ${code}`]);
  });
}

for (const lendsChunks of [false, true]) {
  const memory = { capacity: 1000, lendsChunks };
  const limits = { incomingHighWaterMark: 5000, maxMessageSize: Infinity, maxFragments: Infinity };
  const frame = { first: First.Continuation, payload: new Uint8Array(10_000).fill(7) };
  const name = lendsChunks ? "lent" : "given";

  test(`not to read holds the peer back, reading goes on (${name} chunks)`, async () => {
    const { peer, message } = await begun(new Uint8Array(10), { memory, limits });
    for (let i = 0; i < 20; i++) peer.send(frame);
    peer.send({ first: First.ContinuationEnd, payload: "end" });
    await turns(20);
    assert(peer.isStuck, "the peer is held back");
    const chunks = await rest(message) as Uint8Array[];
    assertEquals(chunks.reduce((sum, { length }) => sum + length, 0), 200_013);
    assert(chunks.slice(1, -1).every((chunk) => chunk.every((byte) => byte === 7)), "unchanged");
    assertEquals(peer.isStuck, false);
  });

  for (const way of ["next()", "cancel()"] as const) {
    test(`${way} discards the rest of a message (${name} chunks)`, async () => {
      const { peer, message, streams } = await begun(new Uint8Array(10), { memory, limits });
      for (let i = 0; i < 20; i++) peer.send(frame);
      peer.send({ first: First.ContinuationEnd, payload: "end" }, textFrame("next"));
      await turns(5);
      if (way === "cancel()") await message.readable.cancel();
      assertEquals(await rest((await streams.next()).value), ["next"]);
      if (way === "next()") await assertRejects(() => rest(message), DOMException);
    });
  }
}

test("a lost connection errors the message", async () => {
  const { transport, message, streams } = await begun("a");
  const error = new Error("reset");
  transport.reset(error);
  await assertRejects(() => rest(message));
  assertEquals((await streams.next()).done, true);
});

test("a Close inside a message errors it, and is answered", async () => {
  const { socket, peer, message, streams } = await begun("a");
  peer.send(closeFrame(1001));
  await assertRejects(() => rest(message), DOMException);
  const next = streams.next();
  assertEquals(await peer.received(1), ["close 1001"]);
  await peer.end();
  assertEquals((await next).done, true);
  assertEquals((await socket.closed).closeCode, 1001);
});

test("a Close is answered after the messages before it have been read", async () => {
  const { peer, streams, message } = await begun("a");
  peer.send({ first: First.ContinuationEnd, payload: "b" }, textFrame("c"), closeFrame(1000));
  await turns();
  assertEquals(peer.words, []);
  assertEquals(await rest(message), ["a", "b"]);
  assertEquals(await rest((await streams.next()).value), ["c"]);
  await turns();
  assertEquals(peer.words, []);
  streams.next();
  assertEquals(await peer.received(1), ["close 1000"]);
});

test("after our close() a message that is not read is dropped, and the Close is seen", async () => {
  const limits = { incomingHighWaterMark: 1000, maxMessageSize: Infinity, maxFragments: Infinity };
  const { socket, peer, message } = await begun("a", { limits });
  socket.close(1000);
  for (let i = 0; i < 50; i++) {
    peer.send({ first: First.Continuation, payload: "x".repeat(1000) });
  }
  await peer.closeBack();
  await socket.closed;
  await assertRejects(() => rest(message), DOMException);
});

for (const compression of [false, true]) {
  const name = compression ? "compressed" : "plain";
  test(`a stream is echoed while it arrives, over TCP, ${name}`, async () => {
    const limits = { maxMessageSize: Infinity, maxFragments: Infinity };
    const { url } = serving(async (socket) => {
      for await (const { readable } of socket.messageStreams()) {
        await socket.send(readable as ReadableStream<Uint8Array>);
      }
    }, { limits, compression });
    const socket = await connect(url, { limits, compression });
    const chunk = new Uint8Array(100_000).map((_, i) => i % 253);
    let sent = 0;
    const sending = socket.send(
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(chunk);
          if (++sent === 200) controller.close();
        },
      }),
    );
    const { value } = await socket.messageStreams().next();
    let count = 0;
    for await (const part of value!.readable as ReadableStream<Uint8Array>) {
      if (part.some((byte, i) => byte !== (count + i) % 100_000 % 253)) throw new Error("differs");
      count += part.length;
    }
    await sending;
    assertEquals(count, 20_000_000);
    await socket.close(1000);
  });
}

test("a message of zeros, compressed a thousand times, waits for a slow reader", async () => {
  const limits = { maxMessageSize: Infinity, maxFragments: Infinity };
  let peak = 0;
  const { url } = serving(async (socket) => {
    const { value } = await socket.messageStreams().next();
    await turns(20);
    let before = 0;
    for await (const part of value!.readable as ReadableStream<Uint8Array>) {
      peak = Math.max(peak, part.length);
      before += part.length;
    }
    await socket.send(`${before}`);
  }, { limits, compression: true });
  const socket = await connect(url, { limits, compression: true });
  await socket.send(new Uint8Array(8_000_000));
  for await (const message of socket) {
    assertEquals(message, "8000000");
    break;
  }
  assert(peak <= 65536, `${peak}`);
  await socket.close(1000);
});
