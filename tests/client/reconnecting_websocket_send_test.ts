// ReconnectingWebSocket: which connection a message is sent on, and when send() resolves.
import { ReconnectingWebSocket } from "../../mod.ts";
import type { ReconnectOptions } from "../../mod.ts";
import { assert, assertEquals, assertRejects, deadline, eventually, test } from "../harness.ts";
import { closePayload, frameWords, rawFrame, wholeFrames } from "../support/frames.ts";
import { switching } from "../support/http.ts";
import { type RawServer, rawServer, type RawTcp } from "../support/raw_tcp.ts";
import { next, reconnecting } from "../support/reconnecting.ts";
import { echo, serving } from "../support/server.ts";

const close = (code: number) => rawFrame({ first: 0x88, payload: closePayload(code) });
const text = (payload: string) => rawFrame({ first: 0x81, payload });
/** The raw servers of these tests do not answer a Close. */
const limits = { closeTimeout: 100 };

/** The messages that a connection has received, in words. */
function received(connection: RawTcp): string[] {
  const start = connection.bytes.indexOf("\r\n\r\n") + 4;
  return wholeFrames(connection.bytes.subarray(start)).frames.map(frameWords);
}

/** A server with one behaviour for each connection in turn. */
async function scripted(
  ...behaviours: ((connection: RawTcp, head: string) => void)[]
): Promise<RawServer & { url: string }> {
  let visit = 0;
  const server = await rawServer(async (connection) => {
    const behave = behaviours[visit++]!;
    behave(connection, switching(await connection.head()));
  });
  return { ...server, url: `ws://127.0.0.1:${server.port}/` };
}

/** Answers a Close by the end of the connection. */
function endAfterClose(connection: RawTcp): void {
  void connection.until(
    () => received(connection).some((words) => words.startsWith("close")),
    "a Close",
  ).then(() => connection.socket.end());
}

const open = (connection: RawTcp, head: string) => connection.write(head);

test("ReconnectingWebSocket sends nothing to a server whose Close has been received", async () => {
  const server = await scripted(
    (connection, head) => {
      connection.write(head);
      connection.write(new Uint8Array([...text("bye"), ...close(1012)]));
      endAfterClose(connection);
    },
    open,
  );
  const { socket } = reconnecting(server.url, { maxQueueSize: 1000, limits });
  assertEquals(await next(socket), "open 1");
  assertEquals(await next(socket), "message bye");
  const done: string[] = [];
  const sends = ["a", "b", "c"].map((message) =>
    socket.send(message).then(() => void done.push(message))
  );
  assertEquals(done, []);
  assertEquals((await next(socket)).slice(0, 10), "close 1012");
  assertEquals(await next(socket), "open 2");
  await deadline(Promise.all(sends), 5000, "the sends");
  assertEquals(done, ["a", "b", "c"]);
  await eventually(() => received(server.connections[1]).length >= 3, 5000, "the messages");
  assertEquals(received(server.connections[1]), ["text a", "text b", "text c"]);
  assert(received(server.connections[0]).every((words) => words.startsWith("close")));
});

test("ReconnectingWebSocket rejects what is sent after a Close, if there is no queue", async () => {
  const server = await scripted((connection, head) => {
    connection.write(head);
    connection.write(new Uint8Array([...text("bye"), ...close(1000)]));
    endAfterClose(connection);
  });
  const { socket } = reconnecting(server.url);
  assertEquals(await next(socket), "open 1");
  assertEquals(await next(socket), "message bye");
  const error = await assertRejects(() => socket.send("late"), DOMException);
  assertEquals(error.name, "InvalidStateError");
  assertEquals(await next(socket), "close 1000 1, undefined");
});

test("ReconnectingWebSocket.send resolves when the message is written", async () => {
  const server = await scripted((connection, head) => {
    connection.write(head);
    connection.socket.pause();
  });
  const { socket } = reconnecting(server.url, { limits });
  assertEquals(await next(socket), "open 1");
  let written = 0;
  const sends = Array.from(
    { length: 15 },
    () => socket.send(new Uint8Array(1 << 20)).then(() => void written++),
  );
  await eventually(() => written > 0 || socket.bufferedAmount > 4 << 20, 5000, "a full queue");
  assert(written < 15 && socket.bufferedAmount > 0, `${written} written`);
  server.connections[0].socket.resume();
  await deadline(Promise.all(sends), 10_000, "the sends");
  assertEquals(socket.bufferedAmount, 0);
});

test("ReconnectingWebSocket keeps order and sends nothing twice when a slow server closes", async () => {
  const COUNT = 150;
  const size = 64 * 1024;
  const server = await scripted((connection, head) => {
    connection.write(head);
    connection.socket.pause();
  }, open);
  const options: ReconnectOptions = { maxQueueSize: 16 << 20, limits };
  const { socket } = reconnecting(server.url, options);
  assertEquals(await next(socket), "open 1");
  const outcomes: (string | undefined)[] = [];
  const sends = Array.from({ length: COUNT }, (_, i) =>
    socket.send(`${i} `.padEnd(size, "x")).then(
      () => outcomes[i] = "written",
      (error) => outcomes[i] = error.name,
    ));
  await eventually(() => outcomes.includes("written"), 5000, "a written message");
  const [first] = server.connections;
  first.write(close(1012));
  assertEquals((await next(socket)).slice(0, 7), "close 1");
  assertEquals(await next(socket), "open 2");
  await deadline(Promise.all(sends), 20_000, "the sends");
  const second = server.connections[1];
  const numbers = () =>
    received(second).filter((words) => words.startsWith("text ")).map((words) =>
      Number(words.split(" ")[1])
    );
  let before = 0;
  await eventually(
    () => {
      const isStill = second.length === before;
      before = second.length;
      return isStill && numbers().at(-1) === COUNT - 1;
    },
    20_000,
    "the last message",
  );
  const start = numbers()[0];
  assertEquals(numbers(), Array.from({ length: COUNT - start }, (_, i) => start + i));
  // At most one high-water mark was under way: those are neither written nor sent again.
  const unknown = outcomes.filter((outcome) => outcome === "NetworkError").length;
  assert(unknown <= 2, `${unknown} messages with an unknown outcome`);
  assertEquals(outcomes.slice(start), new Array(COUNT - start).fill("written"));
  assertEquals(outcomes.slice(0, start - unknown), new Array(start - unknown).fill("written"));
});

test("ReconnectingWebSocket applies the option overflow to a connection with a full queue", async () => {
  for (const overflow of ["reject", "close"] as const) {
    const server = await scripted((connection, head) => {
      connection.write(head);
      connection.socket.pause();
    });
    const limits = { maxBufferedAmount: 4 << 20, closeTimeout: 100 };
    const { socket } = reconnecting(server.url, { overflow, limits, maxAttempts: 1 });
    assertEquals(await next(socket), "open 1");
    const errors: string[] = [];
    for (let i = 0; i < 40; i++) {
      socket.send(new Uint8Array(1 << 20)).catch((error) => errors.push(error.name));
      await null;
    }
    await eventually(() => errors.length > 0, 5000, "a rejection");
    assertEquals(errors[0], overflow === "reject" ? "QuotaExceededError" : "InvalidStateError");
    assertEquals(socket.connection !== undefined, overflow === "reject");
    socket.connection?.abort();
    await deadline(socket.closed, 5000, "closed");
  }
});

test("ReconnectingWebSocket sends its first message before the queue, on each connection", async () => {
  const server = await scripted(
    (connection, head) => {
      connection.write(head);
      void connection.until(() => received(connection).length >= 2, "two messages").then(() => {
        connection.write(close(1012));
        endAfterClose(connection);
      });
    },
    open,
  );
  let attempt = 0;
  const { socket } = reconnecting(server.url, {
    limits,
    maxQueueSize: 1000,
    firstMessage: () => Promise.resolve(`token ${++attempt}`),
  });
  await socket.send("queued");
  assertEquals(await next(socket), "open 1");
  await eventually(() => server.connections.length === 2, 5000, "a second connection");
  await eventually(() => received(server.connections[1]).length >= 1, 5000, "the first message");
  assertEquals(received(server.connections[0]).slice(0, 2), ["text token 1", "text queued"]);
  assertEquals(received(server.connections[1]), ["text token 2"]);
});

test("ReconnectingWebSocket sends no first message if there is none, and refuses a wrong one", async () => {
  const { url } = serving(echo);
  const none = reconnecting(url, { firstMessage: () => undefined }).socket;
  assertEquals(await next(none), "open 1");
  await none.send("x");
  assertEquals(await next(none), "message x");
  const wrong = reconnecting(url, { firstMessage: () => 5 as unknown as string }).socket;
  assertEquals(await next(wrong), "close 1006 1, undefined");
  assert((await wrong.closed).error instanceof TypeError);
});

test("ReconnectingWebSocket passes large queued messages one after the other", async () => {
  const { url } = serving(async (socket) => {
    for await (const message of socket) await socket.send(String(message.length));
  }, { limits: { maxMessageSize: 4 << 20 } });
  const size = 3 << 20;
  const { socket } = reconnecting(url, {
    maxQueueSize: 8 << 20,
    limits: { maxBufferedAmount: 8 << 20 },
  });
  const sends = [size, size + 1, 5].map((length) => socket.send(new Uint8Array(length)));
  assertEquals(await next(socket), "open 1");
  for (const length of [size, size + 1, 5]) assertEquals(await next(socket), `message ${length}`);
  await Promise.all(sends);
});

test("ReconnectingWebSocket sends its queue after a long first message, and after others' sends", async () => {
  const lengths: number[] = [];
  const { url } = serving(async (socket) => {
    for await (const message of socket) lengths.push(message.length);
  }, { limits: { maxMessageSize: 16 << 20 } });
  const size = 12 << 20;
  const { socket } = reconnecting(url, {
    maxQueueSize: 1000,
    firstMessage: new Uint8Array(size),
  });
  const queued = socket.send("queued");
  assertEquals(await next(socket), "open 1");
  await deadline(queued, 10_000, "the queued message");
  // Not by send(): the queue has no part in it.
  void socket.connection!.send(new Uint8Array(size));
  await deadline(socket.send("behind"), 10_000, "the message behind");
  await eventually(() => lengths.length === 4, 10_000, "all messages");
  assertEquals(lengths, [size, 6, size, 6]);
});

test("ReconnectingWebSocket.send refuses one message larger than maxBufferedAmount", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url, { limits: { maxBufferedAmount: 1000 } });
  assertEquals(await next(socket), "open 1");
  const error = await assertRejects(() => socket.send("x".repeat(1001)));
  assert(error instanceof Error && error.message.includes("1000"), String(error));
});

test("send names the size and the option if a message is too large while there is no connection", async () => {
  const limits = { maxBufferedAmount: 1000 };
  const options = { limits, maxQueueSize: 500, maxAttempts: 1 };
  const socket = new ReconnectingWebSocket("ws://127.0.0.1:1/", options);
  const tooLarge = await assertRejects(() => socket.send(new Uint8Array(1001)), DOMException);
  assertEquals(tooLarge.name, "QuotaExceededError");
  assertEquals(
    tooLarge.message,
    "Cannot send a message of 1001 bytes: maxBufferedAmount is 1000",
  );
  const noRoom = await assertRejects(() => socket.send("x".repeat(501)), DOMException);
  assertEquals(noRoom.name, "InvalidStateError");
  assert(noRoom.message.includes("501 bytes: 0 bytes wait, maxQueueSize is 500"), noRoom.message);
  await socket.close();
});
