import { relay } from "../../src/connection/relay.ts";
import type { Message, WebSocketConnection } from "../../mod.ts";
import { testPair } from "../../src/testing/mod.ts";
import type { TestPairOptions } from "../../src/testing/mod.ts";
import { assert, assertEquals, assertThrows, deadline, onTestEnd, test } from "../harness.ts";
import { collect, turns } from "../support/open.ts";

/** A client, a server, and a gateway between them. */
async function gateway(front: TestPairOptions = {}, back: TestPairOptions = {}) {
  const left = await testPair(undefined, front);
  const right = await testPair(undefined, back);
  const client = left.client;
  const backend = right.server;
  const done = relay(left.server, right.client);
  onTestEnd(() => {
    for (const socket of [client, backend, left.server, right.client]) socket.abort();
  });
  return { client, backend, front: left.server, back: right.client, done };
}

/** Reads so many messages, and leaves the loop. */
async function take(socket: WebSocketConnection, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of socket) if (messages.push(message) === count) break;
  return messages;
}

test("relay() passes on messages in both directions, with their types and in order", async () => {
  const { client, backend, done } = await gateway();
  const expected: (string | Uint8Array)[] = [];
  const both = Promise.all([take(backend, 300), take(client, 300)]);
  for (let n = 0; n < 300; n++) {
    const message = n % 3 === 0 ? new Uint8Array([n, n >> 8]) : `message ${n} é`;
    expected.push(message);
    await Promise.all([client.send(message), backend.send(message)]);
  }
  assertEquals(await deadline(both, 5000, "the messages"), [expected, expected]);
  await client.close(1000, "done");
  const ended = { closeCode: 1000, reason: "done", wasClean: true };
  assertEquals(await deadline(done, 2000, "relay()"), [ended, { ...ended, reason: "" }]);
});

for (
  const [what, code, reason] of [
    ["a code and a reason", 4123, "enough"],
    ["a code", 1001, ""],
    ["no code", undefined, undefined],
  ] as const
) {
  test(`relay() passes on a client's close with ${what}`, async () => {
    const { client, backend, done } = await gateway();
    client.close(code, reason);
    const info = await deadline(backend.closed, 2000, "the close of the server");
    assertEquals(info, { closeCode: code ?? 1005, reason: reason ?? "", wasClean: true });
    assert((await done).every(({ wasClean }) => wasClean));
  });

  test(`relay() passes on a server's close with ${what}`, async () => {
    const { client, backend, done } = await gateway();
    backend.close(code, reason);
    const info = await deadline(client.closed, 2000, "the close of the client");
    assertEquals(info, { closeCode: code ?? 1005, reason: reason ?? "", wasClean: true });
    assert((await done).every(({ wasClean }) => wasClean));
  });
}

test("relay() closes the client's connection with 1014 if the server is lost", async () => {
  const { client, backend, done } = await gateway();
  backend.abort();
  const { closeCode, reason } = await deadline(client.closed, 2000, "the close of the client");
  assertEquals([closeCode, reason], [1014, "The other connection was lost"]);
  assertEquals((await done).map((info) => info.closeCode), [1014, 1006]);
});

test("relay() closes the server's connection with 1001 if the client is lost", async () => {
  const { client, backend, done } = await gateway();
  client.abort();
  const { closeCode, reason } = await deadline(backend.closed, 2000, "the close of the server");
  assertEquals([closeCode, reason], [1001, "The other connection was lost"]);
  assertEquals((await done).map((info) => info.closeCode), [1006, 1001]);
});

test("relay() treats a client that exceeds a limit as lost", async () => {
  const { client, backend } = await gateway({ limits: { maxMessageSize: 10 } });
  client.send("x".repeat(11));
  assertEquals((await deadline(client.closed, 2000, "the client")).closeCode, 1009);
  assertEquals((await deadline(backend.closed, 2000, "the server")).closeCode, 1001);
});

test("relay() passes on the unread messages of a connection before its close", async () => {
  const { client, backend } = await gateway();
  for (let n = 0; n < 50; n++) client.send(`${n}`);
  client.close(4000);
  await turns();
  assertEquals(await collect(backend), Array.from({ length: 50 }, (_, n) => `${n}`));
  assertEquals((await backend.closed).closeCode, 4000);
});

test("relay() holds a client back while the server reads nothing, and loses no message", async () => {
  const { client, backend, front, back } = await gateway();
  const message = new Uint8Array(16 * 1024);
  let sent = 0;
  while (client.bufferedAmount < 1_000_000) {
    client.send(message.fill(sent++));
    await turns(1);
  }
  // The gateway holds the marks of both connections and a chunk or two, not all that was sent.
  assert(front.heldBytes + back.heldBytes < 500_000, `${front.heldBytes + back.heldBytes} bytes`);
  client.close(1000);
  const received = await deadline(collect(backend), 10_000, "the messages");
  assertEquals(received.length, sent);
  for (const [n, bytes] of received.entries()) assertEquals((bytes as Uint8Array)[9], n & 0xff);
});

test("relay() waits for room for a message, also with overflow: reject", async () => {
  const limits = { maxBufferedAmount: 100_000, outgoingHighWaterMark: 90_000 };
  const client = { limits, overflow: "reject" } as const;
  const { client: sender, backend } = await gateway({}, { client });
  const messages = Array.from({ length: 40 }, (_, n) => `${n}`.repeat(15_000));
  const sending = (async () => {
    for (const message of messages) await sender.send(message);
    await sender.close(1000);
  })();
  assertEquals(await deadline(collect(backend), 10_000, "the messages"), messages);
  await sending;
  assertEquals((await backend.closed).wasClean, true);
});

test("relay() closes both with 1009 if a message is too big for the other one", async () => {
  const client = { limits: { maxBufferedAmount: 1000 } };
  const { client: sender, backend } = await gateway({}, { client });
  sender.send("x".repeat(1001));
  for (const socket of [sender, backend]) {
    const { closeCode, reason } = await deadline(socket.closed, 2000, "a close");
    assertEquals([closeCode, reason], [1009, "The message is too big for the other connection"]);
  }
});

test("relay() passes on a close() of the gateway itself", async () => {
  const { client, backend, front, done } = await gateway();
  front.close(4001, "kicked");
  assertEquals((await client.closed).closeCode, 4001);
  assertEquals((await backend.closed).closeCode, 4001);
  assertEquals((await done).map((info) => info.closeCode), [4001, 4001]);
});

test("relay() passes on one close where both ends close at once", async () => {
  const { client, backend, done } = await gateway();
  client.close(4001);
  backend.close(4002);
  const infos = await deadline(done, 2000, "relay()");
  assertEquals(infos.map(({ closeCode, wasClean }) => [closeCode, wasClean]), [
    [4001, true],
    [4002, true],
  ]);
});

test("relay() of a connection that is closed already closes the other one", async () => {
  const left = await testPair();
  const right = await testPair();
  await left.client.close(4003, "early");
  await left.server.closed;
  const done = relay(left.server, right.client);
  const { closeCode, reason } = await deadline(right.server.closed, 2000, "the close");
  assertEquals([closeCode, reason], [4003, "early"]);
  await done;
});

test("relay() refuses connections whose messages go elsewhere", async () => {
  await using free = await testPair();
  await using callbacks = await testPair({ message: () => {} });
  await using streams = await testPair();
  streams.server.messageStreams();
  for (const { server } of [callbacks, streams]) {
    const error = assertThrows(() => relay(free.server, server as never), DOMException);
    assertEquals(error.name, "InvalidStateError");
  }
  assertThrows(() => relay(free.server, free.server), TypeError, "two connections");
  // Nothing has been read: the connections still work.
  await free.client.send("still here");
  const { value } = await free.server[Symbol.asyncIterator]().next();
  assertEquals(value, "still here");
});

test("relay() keeps what a client sends before the server is connected", async () => {
  const left = await testPair();
  for (const text of ["a", "b", "c"]) await left.client.send(text);
  await turns();
  const right = await testPair();
  const done = relay(left.server, right.client);
  assertEquals(await take(right.server, 3), ["a", "b", "c"]);
  await left.client.close(1000);
  assertEquals((await done).map(({ wasClean }) => wasClean), [true, true]);
});
