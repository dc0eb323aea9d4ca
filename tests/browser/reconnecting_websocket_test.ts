// The entry for browsers over the runtime's own WebSocket, against this package's servers. Chromium and
// Firefox run the same modules in tests/system/browser.
import { ReconnectingWebSocket } from "../../src/browser/mod.ts";
import type { BrowserConnection, ReconnectEvent, ReconnectOptions } from "../../src/browser/mod.ts";
import type { ReconnectClock } from "../../src/client/reconnect_core.ts";
import type { PerAttempt } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  deadline,
  eventually,
  onTestEnd,
  test,
} from "../harness.ts";
import { echo, serving } from "../support/server.ts";

type Event = ReconnectEvent<BrowserConnection>;

/** The constructor with its parameter for tests, which is not in the public types. */
type WithClock = new (
  url: PerAttempt<string | URL>,
  options: ReconnectOptions,
  clock: ReconnectClock,
) => ReconnectingWebSocket;

/** A socket without delays, which are recorded in `waits`; it is closed at the end of the test. */
function reconnecting(
  url: PerAttempt<string | URL>,
  options: ReconnectOptions = {},
): { socket: ReconnectingWebSocket; waits: number[] } {
  const waits: number[] = [];
  const socket = new (ReconnectingWebSocket as unknown as WithClock)(url, options, {
    now: () => performance.now(),
    random: () => 1,
    sleep(ms) {
      waits.push(ms);
      return Promise.resolve();
    },
  });
  onTestEnd(async () => void await deadline(socket.close(), 10_000, "the end of the socket"));
  return { socket, waits };
}

function words(event: Event): string {
  if (event.type === "message") return `message ${event.data}`;
  if (event.type === "open") return `open ${event.attempt}`;
  return `close ${event.info.closeCode} ${event.attempt}, ${event.retryIn}`;
}

async function next(socket: ReconnectingWebSocket): Promise<Event> {
  const { value } = await deadline(socket[Symbol.asyncIterator]().next(), 10_000, "an event");
  assert(value !== undefined, "the events have ended");
  return value;
}

async function log(socket: ReconnectingWebSocket): Promise<string[]> {
  const all: string[] = [];
  const read = async () => {
    for await (const event of socket) all.push(words(event));
  };
  await deadline(read(), 10_000, "the end of the events");
  return all;
}

test("a browser's ReconnectingWebSocket delivers messages and events in order across connections", async () => {
  let visit = 0;
  const { url } = serving(async (socket) => {
    visit++;
    for (let i = 0; i < 20; i++) await socket.send(`${visit}.${i}`);
    await socket.close(visit < 3 ? 1012 : 1000);
  });
  const { socket, waits } = reconnecting(url);
  const all = await log(socket);
  const messages = (n: number) => Array.from({ length: 20 }, (_, i) => `message ${n}.${i}`);
  assertEquals(all, [
    "open 1",
    ...messages(1),
    "close 1012 1, 1000",
    "open 2",
    ...messages(2),
    "close 1012 2, 1500",
    "open 3",
    ...messages(3),
    "close 1000 3, undefined",
  ]);
  assertEquals(waits, [1000, 1500]);
  assertEquals((await socket.closed).wasClean, true);
});

test("a browser's ReconnectingWebSocket sends text and bytes, and says when they are written", async () => {
  const { url } = serving(echo, { payload: "owned" });
  const { socket } = reconnecting(url);
  const opened = await next(socket);
  assert(opened.type === "open");
  assertEquals(opened.connection, socket.connection);
  assertEquals(opened.connection.url.replace(/\/$/, ""), url);
  await socket.send("text");
  await socket.send(Uint8Array.of(1, 2).buffer);
  await opened.connection.send(new Uint8Array(200_000).fill(7));
  const data = [];
  for (let i = 0; i < 3; i++) {
    const event = await next(socket);
    if (event.type === "message") data.push(event.data);
  }
  assertEquals(data, ["text", Uint8Array.of(1, 2), new Uint8Array(200_000).fill(7)]);
  assertEquals(socket.bufferedAmount, 0);
  assertThrows(() => socket.send(1 as never), TypeError, "expected a string, an ArrayBuffer");
});

test("a browser's ReconnectingWebSocket keeps messages for the next connection, as far as there is room", async () => {
  const got: unknown[] = [];
  const { url, server } = serving({ message: (_socket, message) => void got.push(message) });
  let up = false;
  const { socket } = reconnecting(() => {
    if (!up) throw new Error("offline");
    return url;
  }, { maxQueueSize: 40, initialDelay: 1 });
  const first = socket.send("one");
  const second = socket.send("two");
  await assertRejects(
    () => socket.send("one too many"),
    DOMException,
    "34 bytes wait, maxQueueSize is 40",
  );
  up = true;
  await first;
  await second;
  await eventually(() => got.length === 2, 5000, "the messages");
  assertEquals(got, ["one", "two"]);
  assertEquals(server.connections.size, 1);
  await socket.close(1000);
  await assertRejects(() => socket.send("late"), DOMException, "the WebSocket is not open");
});

test("a browser's ReconnectingWebSocket offers new subprotocols and sends a first message at each attempt", async () => {
  const seen: string[] = [];
  const { url } = serving({
    message(socket, message) {
      seen.push(`${socket.protocol} ${message}`);
      socket.close(seen.length < 2 ? 1012 : 1000);
    },
  }, { protocols: ["v1", "v2"] });
  let attempt = 0;
  const { socket } = reconnecting(url, {
    protocols: () => [`v${++attempt}`],
    firstMessage: () => `token ${attempt}`,
  });
  assertEquals((await log(socket)).filter((line) => line.startsWith("open")), ["open 1", "open 2"]);
  assertEquals(seen, ["v1 token 1", "v2 token 2"]);
});

test("a browser's ReconnectingWebSocket goes on after a refusal, which a browser does not explain", async () => {
  let visit = 0;
  const { url } = serving(echo, {
    upgrade: () => ++visit < 3 ? new Response("no", { status: 403 }) : undefined,
  });
  const { socket, waits } = reconnecting(url);
  const failed = await next(socket);
  assert(failed.type === "close");
  assertEquals([failed.info.closeCode, failed.info.wasClean], [1006, false]);
  assert(failed.info.error instanceof DOMException);
  assertEquals(failed.info.error.name, "NetworkError");
  await next(socket);
  assertEquals(words(await next(socket)), "open 3");
  assertEquals(waits, [1000, 1500]);
});

test("a browser's ReconnectingWebSocket ends an attempt at its timeout", async () => {
  const { url } = serving(echo, { upgrade: () => new Promise(() => {}) });
  const { socket } = reconnecting(url, { timeout: 50, maxAttempts: 1 });
  const { closeCode, error } = await deadline(socket.closed, 5000, "the end");
  assertEquals([closeCode, (error as DOMException).name], [1006, "TimeoutError"]);
});

test("a browser's ReconnectingWebSocket ends an attempt at its timeout when a function of the attempt never settles", async () => {
  const { url } = serving(echo);
  const never = () => new Promise<never>(() => {});
  const ways: [string | typeof never, ReconnectOptions][] = [
    [never, {}],
    [url, { protocols: never }],
    [url, { firstMessage: never }],
  ];
  for (const [url, options] of ways) {
    const { socket } = reconnecting(url, { ...options, timeout: 50, maxAttempts: 1 });
    const { closeCode, error } = await deadline(socket.closed, 5000, "the end");
    assertEquals([closeCode, (error as DOMException).name], [1006, "TimeoutError"]);
  }
});

test("a browser's ReconnectingWebSocket closes a connection that sends more than may be unread", async () => {
  const { url } = serving(async (socket) => {
    for (let i = 0; i < 10; i++) await socket.send(new Uint8Array(1000));
    await socket.closed;
  });
  const { socket } = reconnecting(url, { maxUnread: 4000, maxAttempts: 1 });
  await deadline(socket.closed, 5000, "the end");
  const all: Event[] = [];
  for await (const event of socket) all.push(event);
  const last = all.at(-1)!;
  assert(last.type === "close");
  assertEquals((last.info.error as DOMException).name, "QuotaExceededError");
  assert(all.length > 2, "the messages up to there are delivered");
});

test("a browser's ReconnectingWebSocket connects at once when the browser goes online", async () => {
  const { url } = serving(echo);
  let isOnline = false;
  const socket = new ReconnectingWebSocket(() => {
    if (!isOnline) throw new Error("offline");
    return url;
  }, { initialDelay: 1_000_000, maxDelay: 1_000_000 });
  onTestEnd(async () => void await socket.close());
  assertEquals((await next(socket)).type, "close");
  isOnline = true;
  globalThis.dispatchEvent(new Event("online"));
  assertEquals(words(await next(socket)), "open 1");
  const { connection } = socket;
  globalThis.dispatchEvent(new Event("online"));
  await socket.send("still the same");
  assertEquals(socket.connection, connection);
});

test("a browser's ReconnectingWebSocket replaces its connection with reconnect()", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url);
  assertEquals(words(await next(socket)), "open 1");
  socket.reconnect(4000, "new token");
  assertEquals(words(await next(socket)), "close 4000 1, 0");
  assertEquals(words(await next(socket)), "open 1");
});

test("a browser's ReconnectingWebSocket ends when its signal aborts", async () => {
  const { url } = serving(echo);
  const stop = new AbortController();
  const { socket } = reconnecting(url, { signal: stop.signal });
  assertEquals(words(await next(socket)), "open 1");
  stop.abort();
  assertEquals((await deadline(socket.closed, 5000, "the end")).closeCode, 1005);
});

test("a browser's ReconnectingWebSocket takes the URLs that a page can write, and refuses others", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url.replace("ws:", "http:"));
  const opened = await next(socket);
  assert(opened.type === "open" && opened.connection.url.startsWith("ws:"));
  for (const bad of ["ftp://localhost/", "ws://localhost/#a", "ws://"]) {
    const error = assertThrows(() => new ReconnectingWebSocket(bad), DOMException, bad);
    assertEquals(error.name, "SyntaxError");
  }
});

test("a browser's ReconnectingWebSocket refuses options and closes that can't work", () => {
  const make = (options: object) => () => new ReconnectingWebSocket("ws://localhost/", options);
  assertThrows(make({ header: [] }), TypeError, "option header of ReconnectingWebSocket: unknown");
  assertThrows(
    make({ isFinal: true }),
    TypeError,
    "isFinal of ReconnectingWebSocket: expected function",
  );
  assertThrows(make({ toString: 1 }), TypeError, "option toString");
  assertThrows(make({ initialDelay: 0 }), RangeError, "initialDelay: expected a number above 0");
  assertThrows(make({ timeout: -1 }), RangeError, "timeout: expected a number above 0");
  assertThrows(make({ maxUnread: 0 }), RangeError, "maxUnread: expected a number above 0, got 0");
  assertThrows(make({ maxQueueSize: 2 ** 30 }), RangeError, "maxQueueSize: expected a number from");
  const { socket } = reconnecting("ws://127.0.0.1:9/", { maxAttempts: 1 });
  for (const code of [999, 1001, 1008, 2999, 5000, 3000.5, NaN]) {
    assertThrows(
      () => socket.close(code),
      RangeError,
      `close code: expected 1000 or 3000-4999, got ${code}`,
    );
  }
  assertThrows(
    () => socket.reconnect(undefined, "why"),
    TypeError,
    "close reason: expected a close code",
  );
  const error = assertThrows(
    () => socket.close(1000, "é".repeat(62)),
    DOMException,
    "124 bytes of UTF-8",
  );
  assertEquals(error.name, "SyntaxError");
});
