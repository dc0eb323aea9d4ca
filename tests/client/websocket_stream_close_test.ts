// WebSocketStream: how it ends, by either peer, against raw servers.
import { WebSocketError, WebSocketStream } from "../../mod.ts";
import type { WebSocketCloseInfo, WebSocketOpenInfo } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
  deadline,
  delay,
  test,
} from "../harness.ts";
import { rawFrame } from "../support/frames.ts";
import { switching } from "../support/http.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { serving } from "../support/server.ts";
import { answerClose, open, sent, unclean } from "../support/websocket_stream.ts";

const closes: [
  name: string,
  close: (stream: WebSocketStream, info: WebSocketOpenInfo) => unknown,
  words: string,
][] = [
  ["close()", (stream) => stream.close(), "close"],
  ["close({})", (stream) => stream.close({}), "close"],
  ["an empty reason", (stream) => stream.close({ reason: "" }), "close"],
  ["a code", (stream) => stream.close({ closeCode: 3456 }), "close 3456"],
  ["a reason alone", (stream) => stream.close({ reason: "why" }), "close 1000 why"],
  [
    "a code and a reason",
    (stream) => stream.close({ closeCode: 4999, reason: "pizza é" }),
    "close 4999 pizza é",
  ],
  ["closing writable", (_, { writable }) => writable.close(), "close"],
];
for (const method of ["cancelling readable", "aborting writable"]) {
  const end = ({ readable, writable }: WebSocketOpenInfo, reason: unknown) =>
    method === "cancelling readable" ? readable.cancel(reason) : writable.abort(reason);
  const error = (closeCode: number, reason?: string) =>
    new WebSocketError("text", {
      code: "ERR_TEST",
      closeCode,
      ...(reason !== undefined && { reason }),
    });
  const reasons: [name: string, reason: unknown, words: string][] = [
    ["without a reason", undefined, "close"],
    ["with an object", { closeCode: 3333, reason: "no error" }, "close"],
    ["with another error", new DOMException("yes", "DataCloneError"), "close"],
    ["with a code", error(3333), "close 3333"],
    ["with a code and a reason", error(3456, "set"), "close 3456 set"],
    ["with a code that may not be sent", error(1006), "close"],
    ["with a code that is not for applications", error(1002), "close"],
    ["with a reason that is too long", error(4000, "x".repeat(124)), "close"],
  ];
  for (const [name, reason, words] of reasons) {
    closes.push([`${method} ${name}`, (_, info) => end(info, reason), words]);
  }
}

for (const [name, close, words] of closes) {
  test(`WebSocketStream sends a Close on ${name}`, async () => {
    const { stream, info, peer } = await open();
    const done = Promise.resolve(close(stream, info));
    assertEquals(await answerClose(peer), words);
    await deadline(done, 5000, name);
    const [, code = "1005", ...reason] = words.split(" ");
    assertEquals(await stream.closed, { closeCode: Number(code), reason: reason.join(" ") });
    stream.close({ closeCode: 1000 }); // Has no effect.
    assertEquals(sent(peer), [words]);
  });
}

test("WebSocketStream.close throws for codes and reasons that may not be sent", async () => {
  const { stream, peer } = await open();
  for (const closeCode of [0, 999, 1001, 1005, 1006, 2999, 5000]) {
    const error = assertThrows(() => stream.close({ closeCode }), DOMException);
    assertEquals(error.name, "InvalidAccessError", `${closeCode}`);
  }
  for (const reason of ["x".repeat(124), "é".repeat(62)]) {
    for (const info of [{ reason }, { closeCode: 3000, reason }]) {
      assertEquals(assertThrows(() => stream.close(info), DOMException).name, "SyntaxError");
    }
  }
  stream.close({ closeCode: 3000 });
  assertEquals(await answerClose(peer), "close 3000");
  await stream.closed;
});

test("WebSocketStream.close converts its argument, as Web IDL", async () => {
  const { stream, peer } = await open();
  const close = (info: unknown) => () => stream.close(info as WebSocketCloseInfo);
  for (const info of [true, 5, "x"]) assertThrows(close(info), TypeError);
  for (const closeCode of [NaN, Infinity, -1, 65_536, 1n, Symbol("x"), "x"]) {
    assertThrows(close({ closeCode }), TypeError);
  }
  assertThrows(close({ reason: Symbol("x") }), TypeError);
  close({ closeCode: "3000.7", reason: { toString: () => "\ud800" } })();
  assertEquals(await answerClose(peer), "close 3000 \ufffd");
  await stream.closed;
});

test("WebSocketStream fails a pending write with an InvalidStateError after a Close", async () => {
  const { stream, info: { writable }, peer } = await open((connection) => {
    connection.socket.pause();
  });
  const writer = writable.getWriter();
  const lost = writer.write(new Uint8Array(15 * 1024 * 1024));
  await delay(50);
  peer.write(rawFrame(closeFrame(4567)));
  await delay(50);
  peer.socket.destroy();
  const error = await unclean(stream);
  assertEquals([error.constructor, error.closeCode], [WebSocketError, 4567]);
  const invalid = await assertRejects(() => lost, DOMException);
  assertEquals(invalid.name, "InvalidStateError");
  assertStrictEquals(await assertRejects(() => writer.write("more")), invalid);
});

test("WebSocketStream's streams finish closing only when the server has closed", async () => {
  for (const method of ["close", "abort", "cancel"]) {
    const { stream, info: { readable, writable }, peer } = await open();
    let isDone = false;
    const done = (method === "close"
      ? writable.close()
      : method === "abort"
      ? writable.abort()
      : readable.cancel()).then(() =>
        isDone = true
      );
    await peer.until(() => sent(peer).length > 0, "a Close");
    await delay(50);
    assertEquals(isDone, false, method);
    await answerClose(peer);
    await deadline(done, 5000, method);
    await stream.closed;
  }
});

test("WebSocketStream.closed resolves to the server's Close without a reader", async () => {
  for (
    const [payload, expected] of [["", "1005 "], ["1000", "1000 "], ["4000 robot", "4000 robot"]]
  ) {
    const [code, reason] = payload!.split(" ");
    const close = code === "" ? closeFrame() : closeFrame(Number(code), reason);
    const { stream, info: { readable, writable }, peer } = await open((connection) => {
      connection.write(rawFrame(close));
    });
    await peer.until(() => sent(peer).length > 0, "a Close");
    peer.socket.end();
    const closed = await deadline(stream.closed, 2000, "closed");
    assertEquals(`${closed.closeCode} ${closed.reason}`, expected);
    const reader = readable.getReader();
    await deadline(reader.closed, 1000, "the reader's closed");
    assertEquals((await reader.read()).done, true);
    const writer = writable.getWriter();
    const error = await assertRejects(() => writer.ready, DOMException);
    assertEquals(error.name, "InvalidStateError");
  }
});

test("WebSocketStream.closed has the received code if both peers have closed", async () => {
  const { stream, peer } = await open();
  stream.close({ closeCode: 4111, reason: "local" });
  assertEquals(await answerClose(peer, closeFrame(4222, "remote")), "close 4111 local");
  assertEquals(await stream.closed, { closeCode: 4222, reason: "remote" });
});

test("WebSocketStream ends without a reader once all messages have been read", async () => {
  const { url } = serving(async (socket) => {
    await socket.send("one");
    await socket.close(4000);
  });
  const stream = new WebSocketStream(url);
  const { readable } = await stream.opened;
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, "one");
  assertEquals((await deadline(stream.closed, 2000, "closed")).closeCode, 4000);
  await deadline(reader.closed, 1000, "the reader's closed");
});

test("WebSocketStream delivers the messages before the end, clean or not", async () => {
  for (const isClean of [true, false]) {
    const { stream, info: { readable }, peer } = await open((connection) => {
      for (let i = 0; i < 5; i++) {
        connection.write(rawFrame({ first: 0x81, payload: `message ${i}` }));
      }
      if (isClean) connection.write(rawFrame(closeFrame(4000)));
      connection.socket.end();
    });
    const reader = readable.getReader();
    const got: unknown[] = [(await reader.read()).value];
    if (!isClean) await unclean(stream);
    try {
      while (true) {
        const { done, value } = await reader.read();
        if (done) break;
        got.push(value);
        await delay(1);
      }
      assert(isClean);
    } catch (error) {
      assert(!isClean);
      assertStrictEquals(error, await unclean(stream));
    }
    assertEquals(got, [0, 1, 2, 3, 4].map((i) => `message ${i}`));
    if (isClean) assertEquals((await stream.closed).closeCode, 4000);
    await peer.untilGone();
  }
});

test("WebSocketStream errors both streams with the error of closed if no Close was received", async () => {
  const { stream, info: { readable, writable } } = await open((connection) => {
    connection.socket.end();
  });
  const error = await unclean(stream);
  assertEquals([error.name, error.code, error.closeCode, error.reason], [
    "WebSocketError",
    "ERR_NO_CLOSE_FRAME",
    1006,
    "",
  ]);
  assert(error.cause instanceof WebSocketError);
  const reader = readable.getReader();
  assertStrictEquals(await assertRejects(() => reader.closed), error);
  assertStrictEquals(await assertRejects(() => reader.read()), error);
  assertStrictEquals(await assertRejects(() => writable.getWriter().ready), error);
});

test("WebSocketStream fails a pending read and a pending close if the connection is lost", async () => {
  const { stream, info: { readable, writable }, peer } = await open();
  const read = readable.getReader().read();
  const closed = writable.close();
  await peer.until(() => sent(peer).length > 0, "a Close");
  peer.socket.resetAndDestroy();
  const error = await unclean(stream);
  assertEquals(error.closeCode, 1006);
  assertStrictEquals(await assertRejects(() => read), error);
  assertStrictEquals(await assertRejects(() => closed), error);
});

test("WebSocketStream is not closed cleanly if the server violates the protocol", async () => {
  const { stream, peer } = await open((connection) => {
    connection.write(rawFrame({ first: 0x83 }));
  });
  await peer.until(() => sent(peer).length > 0, "a Close");
  assertEquals(sent(peer)[0], "close 1002");
  peer.socket.end();
  const error = await unclean(stream);
  assertEquals([error.closeCode, (error.cause as WebSocketError).closeCode], [1006, 1002]);
});

test("WebSocketStream.closed is not clean if a write was lost, and the write rejects with its error", async () => {
  const { stream, info: { writable }, peer } = await open((connection) => {
    connection.socket.pause();
  });
  const writer = writable.getWriter();
  const lost = writer.write(new Uint8Array(15 * 1024 * 1024));
  await delay(50);
  peer.socket.resetAndDestroy();
  const error = await unclean(stream);
  assertStrictEquals(await assertRejects(() => lost), error);
  assertStrictEquals(await assertRejects(() => writer.write("more")), error);
});

test("WebSocketStream aborts despite a pending write", async () => {
  const { port } = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
    connection.socket.pause();
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`, { limits: { closeTimeout: 100 } });
  const { writable } = await stream.opened;
  const writer = writable.getWriter();
  const lost = writer.write(new Uint8Array(15 * 1024 * 1024));
  const aborted = writer.abort(new WebSocketError("enough", { closeCode: 4000 }));
  const error = await unclean(stream);
  assertStrictEquals(await assertRejects(() => lost), error);
  await assertRejects(() => deadline(aborted, 1000, "abort()"));
});

test("WebSocketStream rejects writes once the closing handshake has started", async () => {
  const { stream, info: { writable }, peer } = await open();
  stream.close({ closeCode: 4000 });
  const error = await assertRejects(() => writable.getWriter().write("late"), DOMException);
  assertEquals(error.name, "InvalidStateError");
  await answerClose(peer);
  assertEquals((await stream.closed).closeCode, 4000);
});
