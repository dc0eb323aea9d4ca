import { HandshakeError, ReadyState, type WebSocketError } from "../../mod.ts";
import { testPair } from "../../src/testing/mod.ts";
import { assert, assertEquals, assertRejects, deadline, test } from "../harness.ts";

test("testPair() connects a client to a handler function", async () => {
  await using pair = await testPair(async (socket) => {
    for await (const message of socket) await socket.send(`you said ${message}`);
  });
  const messages = pair.client[Symbol.asyncIterator]();
  for (const text of ["a", "b", "c"]) {
    await pair.client.send(text);
    assertEquals((await messages.next()).value, `you said ${text}`);
  }
  assertEquals(pair.errors, []);
});

test("testPair() connects a client to callbacks, and reports the close to both ends", async () => {
  const events: string[] = [];
  await using pair = await testPair({
    open: () => events.push("open"),
    message: (socket, message) => socket.send(message),
    close: (_socket, { closeCode, reason }) => events.push(`close ${closeCode} ${reason}`),
  });
  await pair.client.send(new Uint8Array([1, 2, 3]));
  const { value } = await pair.client[Symbol.asyncIterator]().next();
  assertEquals(value, new Uint8Array([1, 2, 3]));
  const { closeCode, wasClean } = await pair.client.close(4000, "bye");
  assertEquals([closeCode, wasClean], [4000, true]);
  await pair.server.closed;
  assertEquals(events, ["open", "close 4000 bye"]);
});

test("testPair() without a handler leaves both ends to the test", async () => {
  await using pair = await testPair();
  await pair.server.send("from the server");
  await pair.client.send("from the client");
  assertEquals((await pair.client[Symbol.asyncIterator]().next()).value, "from the server");
  assertEquals((await pair.server[Symbol.asyncIterator]().next()).value, "from the client");
});

test("testPair() passes the client's URL, headers and subprotocols to upgrade()", async () => {
  await using pair = await testPair(undefined, {
    upgrade: (request, { protocols }) => ({
      protocol: "b",
      data: {
        path: new URL(request.url).pathname,
        cookie: request.headers.get("cookie"),
        protocols,
      },
    }),
    client: {
      url: "ws://example.com/room?x=1",
      headers: { cookie: "session=1234" },
      protocols: ["a", "b"],
    },
  });
  const { path, cookie, protocols } = pair.server.data;
  assertEquals([path, cookie, [...protocols]], ["/room", "session=1234", ["a", "b"]]);
  assertEquals([pair.client.protocol, pair.server.protocol], ["b", "b"]);
});

test("testPair() rejects with the client's HandshakeError if upgrade() refuses", async () => {
  const error = await assertRejects(
    () => testPair({}, { upgrade: () => new Response("Please log in", { status: 401 }) }),
    HandshakeError,
  );
  assertEquals([error.status, new TextDecoder().decode(error.body)], [401, "Please log in"]);
});

test("testPair() rejects an unknown option with a TypeError that names it", async () => {
  const options = { maxPayload: 5 } as object;
  const error = await assertRejects(() => testPair({}, options), TypeError);
  assert(error.message.includes("maxPayload of testPair()"), error.message);
  const client = { client: { cookie: "a=b" } } as object;
  const other = await assertRejects(() => testPair({}, client), TypeError);
  assert(other.message.includes("cookie of client of testPair()"), other.message);
});

test("testPair() collects the errors of the handler, and closes with 1011", async () => {
  await using pair = await testPair({
    message() {
      throw new Error("no such command");
    },
  });
  await pair.client.send("x");
  assertEquals((await pair.client.closed).closeCode, 1011);
  assertEquals(pair.errors.map((error) => (error as Error).message), ["no such command"]);
});

test("testPair() applies the options of the transport to both ends", async () => {
  await using pair = await testPair({
    message: (socket, message) => socket.send(message),
  }, {
    transport: { maxChunk: 1, capacity: 64 },
    compression: true,
    client: { compression: true },
  });
  assert(pair.client.extensions.startsWith("permessage-deflate"));
  const text = "0123456789".repeat(500);
  await pair.client.send(text);
  assertEquals((await pair.client[Symbol.asyncIterator]().next()).value, text);
});

test("testPair() with fakeTime keeps an idle connection open by pings", async () => {
  await using pair = await testPair(undefined, { fakeTime: true });
  assertEquals(pair.server.roundTrip, undefined);
  await pair.advance(5 * 60_000);
  assertEquals([pair.server.readyState, pair.client.readyState], [1, 1]);
  assert(pair.server.roundTrip !== undefined);
});

test("testPair() with fakeTime drops a client that does not read", async () => {
  await using pair = await testPair(undefined, { fakeTime: true });
  for (let i = 0; i < 100; i++) pair.server.send("unread".repeat(1000)).catch(() => {});
  await pair.advance(30_000 + 20_000 + 5_000);
  const { closeCode, error } = await deadline(pair.server.closed, 5_000, "the server's end");
  assertEquals(closeCode, 1006);
  assertEquals((error as WebSocketError).code, "ERR_PONG_TIMEOUT");
});

test("testPair() with fakeTime lets closeTimeout pass", async () => {
  await using pair = await testPair(async (socket) => {
    for await (const _ of socket) await new Promise(() => {}); // Busy for ever.
  }, { fakeTime: true, limits: { closeTimeout: 3_000 } });
  await pair.client.send("x");
  await pair.advance(0);
  pair.client.close(1000);
  await pair.advance(2_000);
  assertEquals(pair.server.readyState, ReadyState.Closing, "the handler may still reply");
  await pair.advance(1_500);
  assertEquals((await deadline(pair.server.closed, 5_000, "the close")).closeCode, 1000);
});

test("both ends of a close see it clean though the handler is busy for ever", async () => {
  await using pair = await testPair(async (socket) => {
    for await (const _ of socket) await new Promise(() => {});
  }, { fakeTime: true });
  await pair.client.send("x");
  await pair.advance(0);
  pair.client.close(1000);
  const both = Promise.all([pair.client.closed, pair.server.closed]);
  await pair.advance(6_000);
  const clean = { closeCode: 1000, reason: "", wasClean: true };
  assertEquals(await deadline(both, 5_000, "the close"), [clean, clean]);
});

test("TestPair.advance() without fakeTime rejects with a TypeError", async () => {
  await using pair = await testPair();
  await assertRejects(() => pair.advance(1), TypeError, "fakeTime");
});

test("TestPair drops both ends when it is disposed and the handler is busy", async () => {
  const pair = await testPair(async (socket) => {
    for await (const _ of socket) await new Promise(() => {});
  });
  await pair.client.send("x");
  await pair[Symbol.asyncDispose]();
  assertEquals([pair.client.readyState, pair.server.readyState], [3, 3]);
});

test("testPair() rejects unknown options of the transport", async () => {
  const transport = { capactiy: 5 } as { capacity?: number };
  await assertRejects(() => testPair({}, { transport }), TypeError, "option capactiy of transport");
});
