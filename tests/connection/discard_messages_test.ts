// The option discardMessages: a connection that only sends notices the peer's Close behind any number of
// messages.
import { accept, connect, connectOver, ReconnectingWebSocket } from "../../mod.ts";
import type { CloseInfo, SocketHandler } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { testPair } from "../../src/testing/mod.ts";
import { assert, assertEquals, assertRejects, assertThrows, deadline, test } from "../harness.ts";
import { frame } from "../support/frames.ts";
import { openRaw, serving } from "../support/server.ts";

/** More than four times `incomingHighWaterMark`, and than the buffers of the sockets. */
const MANY = 128;
const LONG = new Uint8Array(64 * 1024);

test("a function with discardMessages that only sends notices the Close behind 8 MiB", async () => {
  const ended = Promise.withResolvers<CloseInfo>();
  const { url } = serving(async (socket) => {
    while (socket.readyState === 1) {
      await socket.send("tick");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    ended.resolve(await socket.closed);
  }, { discardMessages: true });
  const client = await connect(url, { discardMessages: true });
  for (let i = 0; i < MANY; i++) await client.send(LONG);
  const info = await deadline(client.close(4001, "done"), 5000, "the Close is answered");
  assertEquals([info.closeCode, info.wasClean], [4001, true]);
  assertEquals(await deadline(ended.promise, 5000, "the function ends"), {
    closeCode: 4001,
    reason: "done",
    wasClean: true,
  });
});

test("a function without discardMessages that only sends ends when the peer has ended TCP", async () => {
  const ended = Promise.withResolvers<CloseInfo>();
  const { server } = serving(async (socket) => {
    while (socket.readyState === 1) {
      await socket.send("tick");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    ended.resolve(await socket.closed);
  });
  const client = await openRaw(server);
  for (let i = 0; i < 8; i++) client.tcp.write(frame({ opcode: 2, payload: LONG }));
  client.tcp.write(frame({ opcode: 8, payload: Uint8Array.of(0x0f, 0xa1) }));
  await client.received("tick");
  client.tcp.socket.destroy();
  assertEquals((await deadline(ended.promise, 5000, "the function ends")).closeCode, 1006);
});

test("a loop over a connection with discardMessages gets no message, and ends with it", async () => {
  const got: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  const { url } = serving(async (socket) => {
    for await (const message of socket) got.push(message);
    ended.resolve();
  }, { discardMessages: true });
  const client = await connect(url);
  await client.send("dropped");
  await client.close();
  await deadline(ended.promise, 5000, "the loop ends");
  assertEquals(got, []);
});

test("accept with discardMessages needs no handler, and streams no messages", async () => {
  const [here, there] = memoryPair();
  const [server, client] = await Promise.all([
    accept(here, { discardMessages: true }),
    connectOver(there, "ws://memory/"),
  ]);
  const { message } = assertThrows(() => server.messageStreams(), DOMException);
  assert(message.includes("discardMessages"), message);
  for (let i = 0; i < MANY; i++) await client.send(LONG);
  assertEquals((await deadline(client.close(4002), 5000, "closed")).wasClean, true);
  assertEquals((await server.closed).closeCode, 4002);
  assertEquals(server.heldBytes, 0);
});

test("discardMessages calls the other callbacks, and refuses one for messages", async () => {
  const log: string[] = [];
  const handler: SocketHandler = {
    open: () => void log.push("open"),
    close: (_, { closeCode }) => void log.push(`close ${closeCode}`),
  };
  const { url, server } = serving(handler, { discardMessages: true });
  const client = await connect(url);
  await client.send("dropped");
  const [socket] = server.connections;
  await client.close(4003);
  await socket!.closed;
  assertEquals(log, ["open", "close 4003"]);
  const both = { message() {} };
  const options = { discardMessages: true };
  const refused = "Cannot use discardMessages of";
  assertThrows(() => serving(both, options), TypeError, `${refused} serve()`);
  const [here, there] = memoryPair();
  assertThrows(() => void accept(here, options, both), TypeError, `${refused} accept()`);
  await assertRejects(() => connectOver(there, url, options, both), TypeError, refused);
  await assertRejects(() => connect(url, options, both), TypeError, `${refused} connect()`);
  await assertRejects(() => testPair(both, options), TypeError, `${refused} testPair()`);
  here.abort();
});

test("testPair with discardMessages of the client drops what the handler sends", async () => {
  const options = { client: { discardMessages: true } };
  await using pair = await testPair({}, options);
  for (let i = 0; i < MANY; i++) await pair.server.send(LONG);
  assertEquals((await deadline(pair.server.close(4004), 5000, "closed")).wasClean, true);
});

test("ReconnectingWebSocket with discardMessages goes on behind unread messages", async () => {
  let visits = 0;
  const { url } = serving(async (socket) => {
    visits++;
    for (let i = 0; i < MANY; i++) await socket.send(LONG);
    await socket.close(visits < 3 ? 1012 : 1000);
  });
  const socket = new ReconnectingWebSocket(url, { initialDelay: 1, discardMessages: true });
  assertEquals((await deadline(socket.closed, 10_000, "the last close")).closeCode, 1000);
  assertEquals(visits, 3);
  const types: string[] = [];
  for await (const { type } of socket) types.push(type);
  assertEquals([types.includes("message"), types.at(-1)], [false, "close"]);
});
