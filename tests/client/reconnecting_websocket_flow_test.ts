// ReconnectingWebSocket: messages sent and delivered across connections, and backpressure.
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  deadline,
  delay,
  eventually,
  test,
} from "../harness.ts";
import { log, next, reconnecting, words } from "../support/reconnecting.ts";
import { echo, serving } from "../support/server.ts";

test("ReconnectingWebSocket.send rejects without a connection, by default", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url);
  assertEquals(socket.connection, undefined);
  const error = await assertRejects(() => socket.send("early"), DOMException);
  assertEquals(error.name, "InvalidStateError");
  assertEquals(await next(socket), "open 1");
  assertEquals(socket.connection?.readyState, 1);
  await socket.send("now");
  assertEquals(await next(socket), "message now");
  assertThrows(() => void socket.send(5 as unknown as string), TypeError);
  await socket.close(1000);
  await assertRejects(() => socket.send("late"), DOMException);
});

test("ReconnectingWebSocket queues messages for the next connection, up to maxQueueSize", async () => {
  let visit = 0;
  const { url } = serving(async (socket) => {
    const name = ++visit;
    for await (const message of socket) {
      if (message === "restart") return void socket.close(1012);
      await socket.send(`${name} ${message}`);
    }
  });
  const gate = Promise.withResolvers<void>();
  const { socket } = reconnecting(url, { maxQueueSize: 100 }, { sleep: () => gate.promise });
  const bytes = new Uint8Array([49, 50]);
  const sends = [socket.send("é"), socket.send(bytes)]; // 2 + 14 bytes each.
  bytes.fill(0);
  assertEquals(socket.bufferedAmount, 32);
  assertThrows(() => void socket.send({} as string), TypeError);
  assertEquals(await next(socket), "open 1");
  assertEquals(await next(socket), "message 1 é");
  assertEquals(await next(socket), "message 1 49,50");
  await Promise.all(sends);
  await socket.send("restart");
  assertEquals(await next(socket), "close 1012 1, 1000");

  const first = socket.send("x".repeat(44));
  const refused = await assertRejects(() => socket.send("y".repeat(29)), DOMException);
  assertEquals(refused.name, "InvalidStateError");
  assert(refused.message.includes("58 bytes wait, maxQueueSize is 100"));
  const second = socket.send("y".repeat(28));
  assertEquals(socket.bufferedAmount, 100);
  gate.resolve();
  assertEquals(await next(socket), "open 2");
  await socket.send("last");
  for (const message of ["x".repeat(44), "y".repeat(28), "last"]) {
    assertEquals(await next(socket), `message 2 ${message}`);
  }
  await Promise.all([first, second]);
});

test("ReconnectingWebSocket rejects queued messages if no connection comes", async () => {
  const { socket } = reconnecting("ws://127.0.0.1:1/", { maxQueueSize: 100 }, {
    sleep: (_, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
  });
  const kept = socket.send("kept");
  assertEquals(await next(socket), "close 1006 1, 1000");
  assertEquals(socket.bufferedAmount, 18);
  await socket.close();
  await assertRejects(() => kept, DOMException);
  assertEquals(socket.bufferedAmount, 0);
});

test("ReconnectingWebSocket reconnects without a consumer if the server sends nothing", async () => {
  let visit = 0;
  const done = Promise.withResolvers<void>();
  const { url } = serving(async (socket) => {
    if (++visit < 10) return void socket.close(1012);
    for await (const _ of socket) done.resolve();
  });
  const { socket, waits } = reconnecting(url, { maxQueueSize: 1000 });
  await socket.send("hello");
  await eventually(() => socket.connection !== undefined && visit >= 10, 10_000, "visit 10");
  await socket.send("hello");
  await deadline(done.promise, 5000, "the message");
  assertEquals(waits.length, 9);
  // Of the unread events only the last ones are left.
  assertEquals(await next(socket), `close 1012 9, ${1000 * 1.5 ** 8}`);
  assertEquals(await next(socket), "open 10");
});

test("ReconnectingWebSocket makes no further connection while messages are unread", async () => {
  let visit = 0;
  const { url } = serving(async (socket) => {
    visit++;
    for (let i = 0; i < 3; i++) await socket.send(`${visit}.${i}`);
    await socket.close(visit === 3 ? 1000 : 1012);
  });
  const { socket } = reconnecting(url);
  assertEquals(await next(socket), "open 1");
  await delay(100);
  assertEquals(visit, 1);
  assertEquals((await log(socket)).length, 3 + 1 + 5 + 5);
  assertEquals(visit, 3);
});

test("ReconnectingWebSocket applies backpressure to the server while its loop is busy", async () => {
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  let isOver = false;
  const { url } = serving(async (socket) => {
    for (; sent < 300 && !isOver; sent++) await socket.send(chunk);
  });
  const { socket } = reconnecting(url);
  assertEquals(await next(socket), "open 1");
  let before = -1;
  while (sent !== before) {
    before = sent;
    await delay(200);
  }
  assert(sent < 300, "19 MiB went somewhere");
  let received = 0;
  for await (const event of socket) {
    if (event.type === "message") received++;
    else break;
  }
  isOver = true;
  assertEquals(received, 300);
});

test("ReconnectingWebSocket's loop can be left and entered again", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url);
  for await (const event of socket) {
    assertEquals(words(event), "open 1");
    break;
  }
  await socket.send("one");
  await socket.send("two");
  const got: string[] = [];
  for (let i = 0; i < 2; i++) {
    for await (const event of socket) {
      got.push(words(event));
      break;
    }
  }
  assertEquals(got, ["message one", "message two"]);
});
