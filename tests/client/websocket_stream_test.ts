// WebSocketStream against this package's servers and raw ones: opening, messages, backpressure.
import { HandshakeError, WebSocketError, WebSocketStream } from "../../mod.ts";
import type { Message, WebSocketConnection } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
  deadline,
  delay,
  eventually,
  test,
} from "../harness.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";
import { answerClose, open, unclean } from "../support/websocket_stream.ts";

test("WebSocketStream exchanges text and binary", async () => {
  const { url } = serving(echo, { protocols: ["chat"] });
  const stream = new WebSocketStream(`${url}/a?b`, { protocols: ["x", "chat"] });
  assertEquals(stream.url, `${url}/a?b`);
  const { readable, writable, protocol, extensions } = await stream.opened;
  assertEquals([protocol, extensions], ["chat", ""]);
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const buffer = new Uint8Array([1, 2, 3, 4]);
  const messages = ["", "Hello", buffer, buffer.buffer, new DataView(buffer.buffer, 1, 2)];
  for (const message of messages) void writer.write(message);
  const got: unknown[] = [];
  for (const _ of messages) got.push((await reader.read()).value);
  assertEquals(got, ["", "Hello", buffer, buffer, buffer.slice(1, 3)]);
  await writer.close();
  assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
  assertEquals((await reader.read()).done, true);
});

test("WebSocketStream accepts the options of connect", async () => {
  const seen: (string | null)[] = [];
  const { url } = serving(echo, {
    upgrade: ({ headers }) => void seen.push(headers.get("cookie")),
  });
  const stream = new WebSocketStream(new URL(url.replace("ws:", "http:")), {
    headers: { Cookie: "a=b" },
  });
  assertEquals(stream.url, `${url}/`);
  await stream.opened;
  assertEquals(seen, ["a=b"]);
  stream.close();
  await stream.closed;
});

test("WebSocketStream throws if the URL or an option is malformed", () => {
  for (const url of ["", "/chat", "invalid:", "ftp://a/", "ws://a/#b"]) {
    const error = assertThrows(() => new WebSocketStream(url), DOMException);
    assertEquals(error.name, "SyntaxError", url);
  }
  for (const protocols of [["a", "a"], ["a b"], [""]]) {
    const error = assertThrows(() => new WebSocketStream("ws://a/", { protocols }), DOMException);
    assertEquals(error.name, "SyntaxError");
  }
  assertThrows(() => new WebSocketStream("ws://a/", { headers: { Upgrade: "b" } }), TypeError);
  assertThrows(() => new WebSocketStream("ws://a/", { limits: { maxHeaders: -1 } }), RangeError);
});

test("WebSocketStream rejects opened and closed with the same error if it can't be opened", async () => {
  const { url } = serving(echo, { upgrade: () => new Response("no", { status: 403 }) });
  const stream = new WebSocketStream(url);
  const error = await assertRejects(() => stream.opened, WebSocketError);
  assertStrictEquals(error.constructor, WebSocketError);
  assertEquals([error.closeCode, error.code], [1006, "ERR_HANDSHAKE_STATUS"]);
  assert(error.cause instanceof HandshakeError);
  assertEquals(error.cause.status, 403);
  assertStrictEquals(await unclean(stream), error);
});

test("WebSocketStream rejects with the signal's reason, before and during the handshake", async () => {
  for (const isEarly of [true, false]) {
    const { port, connections, first } = await rawServer(async (connection) => {
      await connection.untilGone();
    });
    const controller = new AbortController();
    const reason = new Error("never mind");
    if (isEarly) controller.abort(reason);
    const { signal } = controller;
    const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`, { signal });
    if (!isEarly) {
      await (await first).head();
      controller.abort(reason);
    }
    assertStrictEquals(await assertRejects(() => stream.opened), reason);
    assertStrictEquals(await assertRejects(() => stream.closed), reason);
    assertEquals(connections.length, isEarly ? 0 : 1);
  }
});

test("WebSocketStream ignores its signal once it is open", async () => {
  const { url } = serving(echo);
  const controller = new AbortController();
  const stream = new WebSocketStream(url, { signal: controller.signal });
  const { readable, writable } = await stream.opened;
  controller.abort();
  void writable.getWriter().write("still here");
  assertEquals((await readable.getReader().read()).value, "still here");
  stream.close();
  await stream.closed;
});

test("WebSocketStream.close ends an attempt that is not open yet", async () => {
  const { port } = await rawServer((connection) => connection.untilGone());
  for (const wait of [0, 20]) {
    const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
    if (wait > 0) await delay(wait);
    stream.close({ closeCode: 1000 });
    const error = await assertRejects(() => deadline(stream.opened, 5000, "opened"));
    assert(error instanceof WebSocketError);
    assertEquals([error.code, error.closeCode], ["ERR_CLOSED_WHILE_CONNECTING", 1006]);
    assertStrictEquals(await unclean(stream), error);
  }
});

test("WebSocketStream applies backpressure to writes if the server does not read", async () => {
  const gate = Promise.withResolvers<void>();
  let received = 0;
  const { url } = serving(async (socket) => {
    await gate.promise;
    for await (const message of socket) received += message.length;
  });
  const stream = new WebSocketStream(url);
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  assertEquals(writer.desiredSize, 1);
  const chunk = new Uint8Array(64 * 1024);
  let writes = 0;
  let write = writer.write(chunk).then(() => true);
  while (await Promise.race([write, delay(300).then(() => false)])) {
    assert(++writes < 1000, "64 MiB went somewhere");
    write = writer.write(chunk).then(() => true);
  }
  assertEquals(writer.desiredSize, 0);
  gate.resolve();
  await deadline(write, 5000, "the write");
  await writer.close();
  assertEquals(received, (writes + 1) * chunk.length);
  await stream.closed;
});

test("WebSocketStream applies backpressure to the server if there is no reader", async () => {
  let server: WebSocketConnection | undefined;
  const { url } = serving((socket) => {
    server = socket;
    return socket.closed.then(() => {});
  });
  const stream = new WebSocketStream(url);
  const { readable } = await stream.opened;
  await eventually(() => server !== undefined, 10_000, "the server's end");
  const chunk = new Uint8Array(64 * 1024);
  let count = 0;
  while (await Promise.race([server!.send(chunk).then(() => true), delay(300).then(() => false)])) {
    assert(++count < 1000, "64 MiB went somewhere");
  }
  count++; // The pending one.
  const reader = readable.getReader();
  for (let i = 0; i < count; i++) assertEquals((await reader.read()).value?.length, chunk.length);
  stream.close();
  await stream.closed;
});

test("WebSocketStream converts a chunk that is not a BufferSource to a string, as Web IDL", async () => {
  const { url } = serving(echo);
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  const reader = readable.getReader();
  for (
    const [chunk, expected] of [
      [5, "5"],
      [undefined, "undefined"],
      [{ toString: () => "an object" }, "an object"],
      ["a lone surrogate \ud800", "a lone surrogate \ufffd"],
    ]
  ) {
    await writer.write(chunk);
    assertEquals((await reader.read()).value, expected as string);
  }
  stream.close();
  await stream.closed;
});

const unwritable: [name: string, chunk: () => unknown][] = [
  ["a symbol", () => Symbol("x")],
  ["an object that has no string", () => ({ toString: () => ({}) })],
  ["a resizable buffer", () => new ArrayBuffer(8, { maxByteLength: 16 })],
  ["a view of a resizable buffer", () => new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }))],
  ["a shared buffer", () => new SharedArrayBuffer(8)],
  ["a view of a shared buffer", () => new Uint8Array(new SharedArrayBuffer(8))],
];

for (const [name, chunk] of unwritable) {
  test(`WebSocketStream refuses to write ${name}`, async () => {
    const { stream, info: { writable }, peer } = await open();
    const writer = writable.getWriter();
    await assertRejects(() => writer.write(chunk()), TypeError);
    await assertRejects(() => writer.ready, TypeError);
    stream.close();
    assertEquals(await answerClose(peer), "close");
    await stream.closed;
  });
}

test("WebSocketStream gives each binary message an ArrayBuffer of its own", async () => {
  const { stream, info: { readable }, peer } = await open((connection) => {
    connection.write("\x82\x03abc\x82\x02de\x82\x00");
  });
  const reader = readable.getReader();
  for (const length of [3, 2, 0]) {
    const value = (await reader.read()).value as Uint8Array;
    assertStrictEquals(value.constructor, Uint8Array);
    assertEquals([value.length, value.byteOffset, value.buffer.byteLength], [length, 0, length]);
  }
  stream.close();
  await answerClose(peer);
  await stream.closed;
});

test("WebSocketStream fails if it has offered subprotocols and the server chooses none", async () => {
  const { url } = serving(echo);
  const stream = new WebSocketStream(url, { protocols: new Set(["chat"]) });
  const error = await assertRejects(() => stream.opened, WebSocketError);
  assertEquals([error.constructor, error.code], [WebSocketError, "ERR_HANDSHAKE_PROTOCOL"]);
  assertStrictEquals(await unclean(stream), error);
});

test("WebSocketStream converts its arguments, as Web IDL", () => {
  const make = (...args: unknown[]) => () =>
    new (WebSocketStream as unknown as new (...args: unknown[]) => WebSocketStream)(...args);
  assertThrows(make(), TypeError);
  assertThrows(make(Symbol("x")), TypeError);
  for (const options of [true, 5, "x"]) assertThrows(make("ws://a/", options), TypeError);
  for (const protocols of ["hi", 5, null, {}]) {
    assertThrows(make("ws://a/", { protocols }), TypeError);
  }
  for (const signal of [null, {}, new EventTarget()]) {
    assertThrows(make("ws://a/", { signal }), TypeError);
  }
});

test("WebSocketStream.close drops messages that have not been read", async () => {
  const { stream, info: { readable }, peer } = await open((connection) => {
    connection.write("\x81\x01a\x81\x01b\x81\x01c");
  });
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, "a");
  stream.close({ closeCode: 1000 });
  assertEquals(await answerClose(peer), "close 1000");
  assertEquals((await deadline(stream.closed, 2000, "closed")).closeCode, 1000);
  assertEquals((await reader.read()).done, true);
});

test("WebSocketStream writes messages of any size, in order", async () => {
  const got: Message[] = [];
  const { url } = serving(async (socket) => {
    for await (const message of socket) got.push(message);
  }, { limits: { maxMessageSize: 40 << 20 } });
  const stream = new WebSocketStream(url, { limits: { maxBufferedAmount: 1 << 20 } });
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  const bytes = Uint8Array.from({ length: 3 << 20 }, (_, i) => i * 7);
  const text = `${"x".repeat(64 * 1024 - 1)}\u{1F50C}${"é\u{10FFFF}".repeat(500_000)}`;
  const messages = ["first", bytes, text, new Uint8Array((1 << 20) - 20), "last"];
  for (const message of messages) void writer.write(message);
  await writer.close();
  await stream.closed;
  assertEquals(got, messages);
});

test("WebSocketStream pipes", async () => {
  const { url } = serving(echo);
  const far = new WebSocketStream(url);
  const near = new WebSocketStream(url);
  const [one, two] = await Promise.all([far.opened, near.opened]);
  // The echoes of the second server go to the first one.
  const piped = two.readable.pipeTo(one.writable);
  const reader = one.readable.getReader();
  const writer = two.writable.getWriter();
  for (let i = 0; i < 100; i++) {
    void writer.write(`message ${i}`);
    assertEquals((await reader.read()).value, `message ${i}`);
  }
  near.close({ closeCode: 4000 });
  await deadline(piped, 5000, "the pipe");
  assertEquals([(await near.closed).closeCode, (await far.closed).closeCode], [4000, 1005]);
});

test("WebSocketStream's ignored promises are not reported as unhandled rejections", async () => {
  const refused = await rawServer(({ socket }) => void socket.resetAndDestroy());
  new WebSocketStream(`ws://127.0.0.1:${refused.port}/`);
  await (await refused.first).untilGone();
  const { info: { writable }, peer } = await open();
  const writer = writable.getWriter();
  void writer.write(new Uint8Array(1024 * 1024)).catch(() => {}); // A promise of the platform.
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  peer.socket.resetAndDestroy();
  await delay(50); // If one is unhandled, the runtime fails the test.
});
