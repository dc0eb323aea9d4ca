import type { SocketHandler } from "../../src/connection/connection.ts";
import { assertEquals, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import type { Opened, OpenOptions } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";
import { manual } from "../support/streams.ts";

const oops = new Error("oops");

/** The two ways in which a callback can fail. */
const failures: [how: string, fail: () => unknown][] = [
  ["throws", () => {
    throw oops;
  }],
  ["rejects", () => Promise.reject(oops)],
];

/** Runs a connection to its end, whose handler fails; the peer sends a message and answers the Close. */
async function runFailing(
  handler: SocketHandler<string>,
  options: OpenOptions = {},
): Promise<Opened & { calls: string[] }> {
  const calls: string[] = [];
  const log = (name: "open" | "message" | "drain" | "close") => (...args: unknown[]) => {
    calls.push(name);
    return (handler[name] as ((...args: unknown[]) => unknown) | undefined)?.(...args);
  };
  const opened = open({
    ...options,
    handler: {
      open: log("open"),
      message: log("message"),
      drain: log("drain"),
      close: log("close"),
      error(socket, error) {
        calls.push(`error ${(error as Error).message}`);
        return handler.error?.(socket, error);
      },
    },
  });
  const { peer, socket } = opened;
  peer.send(textFrame("one"));
  await turns();
  if (socket.readyState === 1) peer.send(closeFrame(1000));
  else if (socket.readyState === 2) await peer.closeBack();
  await peer.end();
  await socket.closed;
  await turns();
  return { ...opened, calls };
}

test("callbacks are called in order", async () => {
  const { calls, peer, errors } = await runFailing({});
  assertEquals(calls, ["open", "message", "close"]);
  assertEquals(peer.words, ["close 1000"]);
  assertEquals(errors, []);
});

for (const [how, fail] of failures) {
  test(`open that ${how} closes with 1011`, async () => {
    const { calls, peer, errors } = await runFailing({ open: fail });
    assertEquals(calls.filter((call) => call !== "message"), ["open", "error oops", "close"]);
    assertEquals(peer.words, ["close 1011"]);
    assertEquals(errors, [oops]);
  });

  test(`message that ${how} closes with 1011`, async () => {
    const { calls, peer, errors, socket } = await runFailing({ message: fail });
    assertEquals(calls, ["open", "message", "error oops", "close"]);
    assertEquals(peer.words, ["close 1011"]);
    assertEquals(errors, [oops]);
    assertEquals(await socket.closed, { closeCode: 1011, reason: "", wasClean: true });
  });

  test(`close that ${how} is reported`, async () => {
    const { calls, errors } = await runFailing({ close: fail });
    assertEquals(calls, ["open", "message", "close", "error oops"]);
    assertEquals(errors, [oops]);
  });

  test(`drain that ${how} closes with 1011`, async () => {
    const { calls, peer, errors } = await runFailing({
      message: (socket) => void socket.send(new Uint8Array(100_000)),
      drain: fail,
    });
    assertEquals(calls, ["open", "message", "drain", "error oops", "close"]);
    assertEquals(peer.words.at(-1), "close 1011");
    assertEquals(errors, [oops]);
  });

  test(`error that ${how} is reported as well, and the connection closes all the same`, async () => {
    const { calls, peer, errors } = await runFailing({
      message: () => {
        throw new Error("first");
      },
      error: fail,
    });
    assertEquals(calls, ["open", "message", "error first", "close"]);
    assertEquals(peer.words, ["close 1011"]);
    assertEquals(errors.map((error) => (error as Error).message).sort(), ["first", "oops"]);
  });

  test(`error that ${how} does not prevent the answer to a broken protocol`, async () => {
    const { peer, errors, socket } = open({ handler: { error: fail } });
    peer.sendBytes(new Uint8Array([0x83]));
    assertEquals(await peer.received(1), ["close 1002"]);
    await peer.end();
    assertEquals((await socket.closed).closeCode, 1006);
    assertEquals(errors.length, 2);
    assertEquals(errors.includes(oops), true);
  });
}

test("a callback's methods keep their this", async () => {
  class Handler implements SocketHandler<string> {
    readonly calls: string[] = [];
    open(): void {
      this.calls.push("open");
    }
    message(): void {
      this.calls.push("message");
    }
    close(): void {
      this.calls.push("close");
    }
  }
  const handler = new Handler();
  const { socket, peer } = open({ handler });
  peer.send(textFrame("one"), closeFrame(1000));
  await peer.end();
  await socket.closed;
  assertEquals(handler.calls, ["open", "message", "close"]);
});

test("a handler without callbacks drops messages and answers a Close", async () => {
  const { socket, peer } = open({ handler: {} });
  peer.send(textFrame("one"), { first: First.Ping }, closeFrame(1000));
  assertEquals(await peer.received(1), ["pong", "close 1000"]);
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
});

test("a callback that uses a connection that the peer has left is not reported", async () => {
  const { errors, peer } = await runFailing({
    async message(socket) {
      await socket.closed;
      await socket.send("too late");
    },
  });
  assertEquals(errors, []);
  assertEquals(peer.words, ["close 1000"]);
});

test("a callback that misuses an open connection is reported", async () => {
  const { errors, peer } = await runFailing({
    message: (socket) => void socket.close(1005),
  });
  assertEquals(errors.map((error) => (error as Error).name), ["RangeError"]);
  assertEquals(peer.words, ["close 1011"]);
});

test("message may close the connection, and is not called again", async () => {
  const messages: unknown[] = [];
  const { socket, peer } = open({
    handler: {
      message(socket, message) {
        messages.push(message);
        socket.send(`got ${message}`);
        socket.close(4000);
      },
    },
  });
  peer.send(textFrame("one"), textFrame("two"));
  await peer.closeBack();
  assertEquals((await socket.closed).wasClean, true);
  assertEquals(messages, ["one"]);
  assertEquals(peer.words, ["text got one", "close 4000"]);
});

test("drain is called once the queue is below its mark again", async () => {
  const amounts: number[] = [];
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { outgoingHighWaterMark: 1000 },
    handler: { drain: (socket) => amounts.push(socket.bufferedAmount) },
  });
  await turns();
  socket.send("x".repeat(800));
  await peer.received(1);
  assertEquals(amounts, [], "it never was above");
  peer.transport.pause();
  for (let i = 0; i < 3; i++) socket.send("x".repeat(800));
  await turns();
  assertEquals(amounts, []);
  peer.transport.resume();
  await peer.received(4);
  await turns();
  assertEquals(amounts.length, 1);
  assertEquals(amounts[0] <= 1000, true);
});

test("no callback gets a message after close(), though a stream is still being sent", async () => {
  const messages: unknown[] = [];
  const { socket, peer } = open({ handler: { message: (_, message) => messages.push(message) } });
  const { stream, controller } = manual();
  socket.send(stream);
  controller.enqueue("a");
  peer.send(textFrame("one"));
  await peer.received(1);
  await turns();
  socket.close(4001);
  peer.send(textFrame("two"));
  await turns();
  controller.close();
  await peer.received(3);
  peer.send(textFrame("three"), closeFrame(4001));
  await peer.end();
  assertEquals((await socket.closed).wasClean, true);
  assertEquals(messages, ["one"]);
});
