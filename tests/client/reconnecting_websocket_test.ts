// ReconnectingWebSocket against this package's servers, and raw ones that come and go.
import { HandshakeError, ReconnectingWebSocket, WebSocketError } from "../../mod.ts";
import type { ReconnectOptions } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
  deadline,
  delay,
  eventually,
  runtime,
  test,
} from "../harness.ts";
import { sleep } from "../../src/util/abort.ts";
import { runSource } from "../support/child_script.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { log, next, reconnecting } from "../support/reconnecting.ts";
import { echo, serving } from "../support/server.ts";

test("ReconnectingWebSocket delivers messages and connection events in order across reconnections", async () => {
  let visit = 0;
  const { url } = serving(async (socket) => {
    visit++;
    for (let i = 0; i < 20; i++) await socket.send(`${visit}.${i}`);
    if (visit === 2) socket.abort();
    else await socket.close(visit === 1 ? 1012 : 1000);
  });
  const { socket, waits } = reconnecting(url);
  const all = await log(socket);
  const messages = (n: number) => Array.from({ length: 20 }, (_, i) => `message ${n}.${i}`);
  assertEquals(all.slice(0, 22), ["open 1", ...messages(1), "close 1012 1, 1000"]);
  // A reset may overtake messages in transit.
  assertEquals(all[22], "open 2");
  assertEquals(all.slice(-23), [
    "close 1006 2, 1500",
    "open 3",
    ...messages(3),
    "close 1000 3, undefined",
  ]);
  assertEquals(waits, [1000, 1500]);
  assertEquals((await socket.closed).closeCode, 1000);
});

test("ReconnectingWebSocket reports failed attempts with their errors", async () => {
  let visit = 0;
  const { url } = serving(echo, {
    upgrade: () => ++visit < 3 ? new Response("later", { status: 503 }) : undefined,
  });
  const { socket, waits } = reconnecting(url);
  const iterator = socket[Symbol.asyncIterator]();
  for (let attempt = 1; attempt <= 2; attempt++) {
    const { value } = await iterator.next();
    assert(value?.type === "close" && value.info.error instanceof HandshakeError);
    assertEquals(value.info.error.status, 503);
    assertEquals([value.attempt, value.retryIn], [attempt, 1000 * 1.5 ** (attempt - 1)]);
    assertEquals(value.info.closeCode, 1006);
  }
  assertEquals(await next(socket), "open 3");
  assertEquals(waits, [1000, 1500]);
});

test("ReconnectingWebSocket resets its backoff after a stable connection, and only then", async () => {
  const { url } = serving((socket) => socket.close(1012).then(() => {}));
  let now = 0;
  const open = [10, 999, 1000, 10, 5000];
  let closes = 0;
  const { socket } = reconnecting(url, {
    stableAfter: 1000,
    isFinal: () => closes === 2 * open.length,
  }, {
    // It is called when a connection opens, and when it closes.
    now: () => closes++ % 2 === 0 ? now : (now += open[closes / 2 - 1]!),
  });
  assertEquals(await log(socket), [
    "open 1",
    "close 1012 1, 1000",
    "open 2",
    "close 1012 2, 1500",
    "open 3",
    "close 1012 3, 1000",
    "open 1",
    "close 1012 1, 1000",
    "open 2",
    "close 1012 2, undefined",
  ]);
});

test("ReconnectingWebSocket ends after maxAttempts, or if a close is final", async () => {
  const server = await rawServer(({ socket }) => void socket.resetAndDestroy());
  const { socket, waits } = reconnecting(`ws://127.0.0.1:${server.port}`, { maxAttempts: 3 });
  assertEquals(await log(socket), [
    "close 1006 1, 1000",
    "close 1006 2, 1500",
    "close 1006 3, undefined",
  ]);
  assertEquals(waits.length, 2);
  assert((await socket.closed).error instanceof WebSocketError);
  assertEquals(server.connections.length, 3);
  await assertRejects(() => socket.send("late"), DOMException);

  const { url } = serving(echo, { upgrade: () => new Response("who?", { status: 401 }) });
  assertEquals(await log(reconnecting(url).socket), ["close 1006 1, undefined"]);
  const final = serving((socket) => socket.close(4001).then(() => {}));
  const isFinal = ({ closeCode }: { closeCode: number }) => closeCode === 4001;
  assertEquals(await log(reconnecting(final.url, { isFinal }).socket), [
    "open 1",
    "close 4001 1, undefined",
  ]);
});

test("ReconnectingWebSocket calls its URL and headers functions for each attempt", async () => {
  const seen: string[] = [];
  const { url } = serving((socket) => socket.close(seen.length < 3 ? 1012 : 1000).then(() => {}), {
    upgrade(request) {
      seen.push(`${new URL(request.url).search} ${request.headers.get("authorization")}`);
    },
  });
  let count = 0;
  let token = 0;
  const { socket } = reconnecting(
    () => ++count === 2 ? Promise.reject(new TypeError("no network")) : `${url}/?n=${count}`,
    { headers: () => Promise.resolve({ Authorization: `Bearer ${++token}` }) },
  );
  const all = await log(socket);
  assertEquals(seen, ["?n=1 Bearer 1", "?n=3 Bearer 3", "?n=4 Bearer 4"]);
  assertEquals(all.length, 7);
  // An error of the function is a failure like any other: only a malformed option is final.
  assertEquals(all[2], "close 1006 2, 1500");
  assertEquals(await log(reconnecting(() => "http:\\").socket), ["close 1006 1, undefined"]);
});

test("ReconnectingWebSocket throws if an option could not be used by any attempt", () => {
  const make = (url: string, options: ReconnectOptions = {}) => () =>
    new ReconnectingWebSocket(url, options);
  assertEquals(assertThrows(make("/chat"), DOMException).name, "SyntaxError");
  assertThrows(make("ws://a/", { headers: { Upgrade: "b" } }), TypeError);
  assertThrows(make("ws://a/", { factor: 0 }), RangeError, "factor");
  for (const maxQueueSize of [-1, NaN, 17 * 1024 * 1024]) {
    assertThrows(make("ws://a/", { maxQueueSize }), RangeError, "maxQueueSize");
  }
});

test("ReconnectingWebSocket.close closes the open connection", async () => {
  const { url } = serving(echo);
  const { socket } = reconnecting(url);
  assertEquals(await next(socket), "open 1");
  assertThrows(() => void socket.close(1005), RangeError);
  const { closeCode, wasClean } = await deadline(socket.close(4000, "done"), 5000, "closed");
  assertEquals([closeCode, wasClean], [4000, true]);
  assertEquals(await log(socket), ["close 4000 1, undefined"]);
  assertEquals(await log(socket), []);
  assertStrictEquals(await socket.close(1000), await socket.closed);
});

test("ReconnectingWebSocket.close ends a delay, and leaves no timer", async () => {
  const { socket } = reconnecting("ws://127.0.0.1:1/", {}, { sleep });
  assertEquals(await next(socket), "close 1006 1, 1000");
  await delay(1);
  const info = await deadline(socket.close(), 500, "closed");
  assertEquals([info.closeCode, info.wasClean], [1006, false]);
  assertEquals(await next(socket), "end");
});

test("ReconnectingWebSocket.close ends an attempt, and the functions before it", async () => {
  const server = await rawServer((connection) => connection.untilGone());
  const dialing = new ReconnectingWebSocket(`ws://127.0.0.1:${server.port}/`);
  await server.first;
  assertEquals((await deadline(dialing.close(), 1000, "closed")).closeCode, 1006);
  assertEquals(await log(dialing), []);

  const asking = new ReconnectingWebSocket(() => new Promise(() => {}));
  await delay(1);
  await deadline(asking.close(1000), 1000, "closed");
  assertEquals(await log(asking), []);

  const atOnce = new ReconnectingWebSocket(`ws://127.0.0.1:${server.port}/`);
  await deadline(atOnce.close(1000), 1000, "closed");
  assertEquals(await log(atOnce), []);
});

test("ReconnectingWebSocket ends with its signal, and with its block", async () => {
  const codes: number[] = [];
  const { url } = serving({ close: (_, { closeCode }) => void codes.push(closeCode) });
  const stop = new AbortController();
  const { socket } = reconnecting(url, { signal: stop.signal });
  assertEquals(await next(socket), "open 1");
  stop.abort();
  await deadline(socket.closed, 5000, "closed");
  assertEquals(await log(socket), ["close 1001 1, undefined"]);
  assertEquals(await log(reconnecting(url, { signal: stop.signal }).socket), []);
  {
    await using scoped = reconnecting(url).socket;
    assertEquals(await next(scoped), "open 1");
  }
  // The server learns of it a little later.
  await eventually(() => codes.length >= 2, 5000, "both codes");
  assertEquals(codes, [1001, 1000]);
});

test("ReconnectingWebSocket ends if a function of its options throws", async () => {
  const { url } = serving((socket) => socket.close(1012).then(() => {}));
  for (const name of ["isFinal", "random", "sleep"] as const) {
    const broken = new RangeError(name);
    const throwing = {
      [name]: () => {
        throw broken;
      },
    };
    const { socket } = name === "isFinal"
      ? reconnecting(url, throwing)
      : reconnecting(url, {}, throwing);
    assertEquals((await log(socket))[0], "open 1");
    assertStrictEquals((await deadline(socket.closed, 5000, "closed")).error, broken);
  }
});

test("ReconnectingWebSocket reconnects to a server that was down", async () => {
  const first = serving(echo);
  const { port } = first.server.addr as { port: number };
  const { socket } = reconnecting(first.url, {}, { sleep: () => delay(20) });
  assertEquals(await next(socket), "open 1");
  await first.server.shutdown();
  assertEquals(await next(socket), "close 1001 1, 1000");
  assertEquals((await next(socket)).slice(0, 10), "close 1006");
  serving(echo, { port });
  while (!(await next(socket)).startsWith("open"));
  await socket.send("back");
  assertEquals(await next(socket), "message back");
});

test("ReconnectingWebSocket waits for as long as Retry-After of 429 and 503 says", async () => {
  let visit = 0;
  const { url } = serving(echo, {
    upgrade: () => {
      const status = [429, 503, 500][visit++];
      if (status === undefined) return;
      return new Response("", { status, headers: { "Retry-After": "100" } });
    },
  });
  const { socket, waits } = reconnecting(url);
  while (await next(socket) !== "open 4");
  assertEquals(waits, [100_000, 100_000, 2250]);
});

test("ReconnectingWebSocket calls its protocols function for each attempt", async () => {
  const seen: (string | null)[] = [];
  const { url } = serving((socket) => socket.close(seen.length < 2 ? 1012 : 1000).then(() => {}), {
    protocols: ["chat"],
    upgrade: ({ headers }) => void seen.push(headers.get("sec-websocket-protocol")),
  });
  let token = 0;
  const { socket } = reconnecting(url, { protocols: () => ["chat", `token-${++token}`] });
  await log(socket);
  assertEquals(seen, ["chat, token-1", "chat, token-2"]);
  const wrong = () => new ReconnectingWebSocket(url, { protocols: ["a b"] });
  assertEquals(assertThrows(wrong, DOMException).name, "SyntaxError");
});

test("ReconnectingWebSocket.reconnect ends the delay, and begins the delays anew", async () => {
  const server = await rawServer(({ socket }) => void socket.resetAndDestroy());
  const waits: number[] = [];
  const { socket } = reconnecting(`ws://127.0.0.1:${server.port}/`, {}, {
    sleep(ms, signal) {
      waits.push(ms);
      return waits.length < 3 ? Promise.resolve() : sleep(ms, signal);
    },
  });
  await eventually(() => waits.length === 3, 5000, "the third delay");
  const start = performance.now();
  socket.reconnect();
  await eventually(() => waits.length === 4, 2000, "the next attempt");
  assert(performance.now() - start < 2000);
  assertEquals(waits, [1000, 1500, 2250, 1000]);
});

test("ReconnectingWebSocket.reconnect closes the connection, and makes another at once", async () => {
  const codes: number[] = [];
  const { url } = serving({
    message: (socket, message) => void socket.send(message),
    close: (_, { closeCode }) => void codes.push(closeCode),
  });
  const { socket, waits } = reconnecting(url);
  assertEquals(await next(socket), "open 1");
  assertThrows(() => socket.reconnect(1005), RangeError);
  socket.reconnect(1000, "another network");
  assertEquals(await next(socket), "close 1000 1, 0");
  assertEquals(await next(socket), "open 1");
  await socket.send("here");
  assertEquals(await next(socket), "message here");
  assertEquals([waits, codes], [[0], [1000]]);
  await socket.close();
  socket.reconnect(); // Has no effect.
  assertEquals((await log(socket)).length, 1);
});

// Bun has no permissions.
if (runtime === "deno") {
  test(
    "ReconnectingWebSocket ends if the permission to connect is denied",
    async () => {
      const child = await runSource(
        `import { ReconnectingWebSocket } from MOD;
      const { closed } = new ReconnectingWebSocket("ws://127.0.0.1:1/");
      console.log("code", (await closed).error.code);`,
        ["--deny-net"],
      );
      const { stdout, stderr } = await deadline(child.exited, 20_000, "the child's exit");
      assertEquals([stdout, stderr], ["code ERR_PERMISSION\n", ""]);
    },
  );
}

const undecided: [what: string, result: () => unknown][] = [
  ["undefined", () => undefined],
  ["text", () => "no"],
  ["a promise", () => Promise.resolve(false)],
  ["a promise that rejects", () => Promise.reject(new Error("no database"))],
];
for (const [what, result] of undecided) {
  test(`ReconnectingWebSocket ends with a TypeError if isFinal() returns ${what}`, async () => {
    const { url } = serving((socket) => socket.close(1012).then(() => {}));
    const { socket } = reconnecting(url, { isFinal: result as () => boolean });
    const { error } = await socket.closed;
    assert(error instanceof TypeError, String(error));
    assertEquals(error.message.includes("isFinal(): expected a boolean"), true);
  });
}

test("ReconnectingWebSocket ends an attempt at its timeout when a function of the attempt never settles", async () => {
  const { url } = serving(echo);
  const run = async (hanging: string) => {
    let attempt = 0;
    /** Hangs at the first attempt. */
    const value = <Value>(name: string, value: Value) => (): Value | Promise<Value> =>
      name === hanging && ++attempt === 1 ? new Promise(() => {}) : value;
    const { socket } = reconnecting(value("url", url), {
      timeout: 1000,
      headers: value("headers", {}),
      protocols: value("protocols", []),
      firstMessage: value("firstMessage", "first"),
    });
    const failed = await deadline(socket[Symbol.asyncIterator]().next(), 5000, "the timeout");
    assert(failed.value?.type === "close" && failed.value.info.error instanceof DOMException);
    assertEquals(failed.value.info.error.name, "TimeoutError", hanging);
    assertEquals(await next(socket), "open 2");
    assertEquals(await next(socket), "message first");
    await socket.close();
  };
  await Promise.all(["url", "headers", "protocols", "firstMessage"].map(run));
});
