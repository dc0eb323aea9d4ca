// The client's half of the opening handshake, over memory: the test sends every byte.
import { connect, connectOver, HandshakeError, WebSocketError } from "../../mod.ts";
import type { ConnectOptions, HandshakeOptions, WebSocketConnection } from "../../mod.ts";
import { USER_AGENT } from "../../src/client/user_agent.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import type { MemoryOptions, MemoryTransport } from "../../src/transport/memory_transport.ts";
import { accept } from "../../src/server/accept.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  deadline,
  delay,
  eventually,
  hex,
  test,
} from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { fieldOf, switching } from "../support/http.ts";
import { collect, turns } from "../support/open.ts";

const URL_ = "ws://example.com/chat?room=1";

/** An attempt, and the server's end of its connection. */
interface Dialed {
  socket: Promise<WebSocketConnection>;
  here: MemoryTransport;
  there: MemoryTransport;
  /** All bytes that the client has sent, as one character each. */
  sent(): string;
  /** Sends text, one byte for each character. */
  send(text: string): void;
  /** Resolves to the request. */
  request(): Promise<string>;
}

function dial(
  options: HandshakeOptions = {},
  memory: MemoryOptions = {},
  url = URL_,
): Dialed {
  const [here, there] = memoryPair(memory);
  let sent = "";
  let isBusy = false;
  const queue: Uint8Array[] = [];
  const flush = () => {
    while (!isBusy && queue.length > 0) isBusy = !there.write(queue.shift()!);
  };
  there.handler = {
    data: (chunk) => sent += String.fromCharCode(...chunk),
    drain: () => {
      isBusy = false;
      flush();
    },
    end() {},
    close() {},
  };
  const socket = connectOver(here, url, { timeout: 5000, ...options });
  socket.catch(() => {});
  return {
    socket,
    here,
    there,
    sent: () => sent,
    send(text) {
      queue.push(latin1(text));
      flush();
    },
    async request() {
      await eventually(() => sent.includes("\r\n\r\n"), 5000, "the request");
      return sent.slice(0, sent.indexOf("\r\n\r\n") + 2);
    },
  };
}

/** Answers the request; returns the open connection. */
async function open(dialed: Dialed, more = "", fields = ""): Promise<WebSocketConnection> {
  dialed.send(switching(await dialed.request(), fields) + more);
  return await dialed.socket;
}

/** Returns the error of an attempt that the server answers with `answer`. */
async function refusal(answer: string, options: HandshakeOptions = {}): Promise<HandshakeError> {
  const dialed = dial(options);
  await dialed.request();
  dialed.send(answer);
  const error = await assertRejects(() => dialed.socket, HandshakeError);
  assertEquals(dialed.here.isClosed, true);
  return error;
}

test("connectOver sends the request of RFC 6455 §4.1", async () => {
  const dialed = dial(
    {
      protocols: ["chat", "superchat"],
      origin: "http://example.com",
      headers: { Cookie: "a=b" },
    },
    {},
    "http://user:pass@example.com:8080/chat?room=1",
  );
  const request = await dialed.request();
  const key = fieldOf(request, "Sec-WebSocket-Key");
  assertEquals(
    request,
    "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\n" +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n` +
      "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
      `Authorization: Basic ${btoa("user:pass")}\r\nCookie: a=b\r\nUser-Agent: ${USER_AGENT}\r\n`,
  );
  const socket = await open(dialed, "", "Sec-WebSocket-Protocol: superchat\r\n");
  assertEquals([socket.protocol, socket.extensions], ["superchat", ""]);
  assertEquals(socket.request.url, "http://example.com:8080/chat?room=1");
  assertEquals(socket.request.headers.get("cookie"), "a=b");
  assertEquals(socket.request.headers.get("sec-websocket-key"), key);
  assertEquals(socket.readyState, 1);
  assertEquals(dialed.sent(), `${request}\r\n`);
  socket.abort();
});

test("connectOver uses another key for each connection", async () => {
  const keys = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const dialed = dial();
    keys.add(fieldOf(await dialed.request(), "Sec-WebSocket-Key"));
    (await open(dialed)).abort();
  }
  assertEquals(keys.size, 5);
});

const memories: [name: string, options: MemoryOptions][] = [
  ["whole", {}],
  ["byte by byte", { maxChunk: 1 }],
  ["in chunks that are lent", { lendsChunks: true, maxChunk: 7 }],
  ["through a pipe of 10 bytes", { capacity: 10 }],
  ["through a pipe of 10 bytes, in chunks that are lent", { capacity: 10, lendsChunks: true }],
];

for (const [name, memory] of memories) {
  test(`connectOver and accept exchange messages: ${name}`, async () => {
    const [here, there] = memoryPair(memory);
    const [server, client] = await Promise.all([
      accept(there, { protocols: ["chat"] }),
      connectOver(here, URL_, { protocols: "chat" }),
    ]);
    assertEquals([client.protocol, server.protocol], ["chat", "chat"]);
    await Promise.all([client.send("to the server"), server.send(new Uint8Array(200))]);
    assertEquals((await server[Symbol.asyncIterator]().next()).value, "to the server");
    assertEquals((await client[Symbol.asyncIterator]().next()).value, new Uint8Array(200));
    assert(await client.ping() >= 0);
    client.close(4000, "bye");
    // The server answers a Close when its iterator is asked for the next message.
    assertEquals((await server[Symbol.asyncIterator]().next()).done, true);
    for (const { closed } of [server, client]) {
      const { closeCode, reason, wasClean } = await deadline(closed, 5000, "closed");
      // The server echoes the code, without the reason.
      assertEquals([closeCode, wasClean, reason === "" || reason === "bye"], [4000, true, true]);
    }
  });

  test(`connectOver takes bytes that follow the head for frames: ${name}`, async () => {
    const dialed = dial({}, memory);
    const socket = await open(dialed, "\x81\x05Hello\x89\x00\x82\x01\xff\x88\x02\x03\xe8");
    const messages = collect(socket);
    const frames = () => dialed.sent().slice(dialed.sent().indexOf("\r\n\r\n") + 4);
    await eventually(() => frames().length >= 14, 5000, "a Pong and a Close");
    assertEquals([frames().slice(0, 2), frames().slice(6, 8)], ["\x8a\x80", "\x88\x82"]);
    dialed.there.shutdown();
    assertEquals(await messages, ["Hello", new Uint8Array([0xff])]);
    const { closeCode, wasClean } = await socket.closed;
    assertEquals([closeCode, wasClean], [1000, true]);
  });
}

test("connectOver does not write frames before its request has been written", async () => {
  // The server answers as soon as it has received the key, and reads the rest later.
  const dialed = dial({ headers: { "X-Padding": "x".repeat(1000) } }, { capacity: 300 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const handler = dialed.there.handler!;
  const data = handler.data;
  handler.data = (chunk) => {
    data(chunk);
    if (!dialed.sent().includes("Version: 13\r\n")) return;
    handler.data = data;
    dialed.there.pause();
    resolve();
  };
  await promise;
  assert(!dialed.sent().includes("\r\n\r\n"));
  dialed.send(`${switching(dialed.sent())}\x81\x05He`);
  await turns();
  dialed.send("llo\x89\x00");
  await turns();
  dialed.there.resume();
  const socket = await dialed.socket;
  assertEquals((await socket[Symbol.asyncIterator]().next()).value, "Hello");
  await turns();
  const frames = dialed.sent().slice(dialed.sent().indexOf("\r\n\r\n") + 4);
  assertEquals([frames.length, frames.slice(0, 2)], [6, "\x8a\x80"]);
  socket.abort();
});

test("connectOver skips other 1xx responses", async () => {
  const dialed = dial({}, { maxChunk: 11 });
  await dialed.request();
  dialed.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  const socket = await open(dialed);
  socket.abort();
});

test("connectOver bounds all heads of an answer together by maxHeadSize", async () => {
  const informational = "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n";
  for (const maxChunk of [11, 65_536]) {
    const dialed = dial({ limits: { maxHeadSize: 1_000 } }, { maxChunk });
    await dialed.request();
    dialed.send(informational.repeat(30));
    const error = await assertRejects(() => dialed.socket, HandshakeError) as HandshakeError;
    assertEquals(error.code, "ERR_HANDSHAKE_HEAD_TOO_LARGE");
    assert(/heads of the response .* longer than 1000 bytes/.test(error.message), error.message);
    assertEquals(dialed.here.isClosed, true);
  }
});

test("a client fails the connection with 1002 on a masked frame", async () => {
  const dialed = dial();
  const socket = await open(dialed, String.fromCharCode(...hex("81 82 01 02 03 04 49 6b")));
  dialed.there.shutdown();
  const { closeCode, error } = await deadline(socket.closed, 5000, "closed");
  assertEquals([closeCode, (error as WebSocketError).closeCode], [1006, 1002]);
});

const bodies: [name: string, head: string, body: string, expected?: string][] = [
  ["a length", "404 Not Found\r\nContent-Length: 5", "Hello more", "Hello"],
  ["no body", "401 Unauthorized\r\nContent-Length: 0", "", ""],
  ["no body by its status", "304 Not Modified", "", ""],
  ["chunks", "503 Busy\r\nTransfer-Encoding: chunked", "3\r\nHel\r\n2\r\nlo\r\n0\r\n\r\n", "Hello"],
  ["more than 4 KiB", "500 Oh\r\nContent-Length: 99999", "x".repeat(10_000), "x".repeat(4096)],
];

for (const [name, head, body, expected = body] of bodies) {
  test(`connectOver rejects with status, fields and body of a response: ${name}`, async () => {
    const error = await refusal(`HTTP/1.1 ${head}\r\nX-A: b\r\n\r\n${body}`);
    assertEquals(error.status, Number(head.slice(0, 3)));
    assertEquals(error.code, "ERR_HANDSHAKE_STATUS");
    assertEquals(new Headers([...error.headers].map(([a, b]) => [a, b])).get("x-a"), "b");
    assertEquals(new TextDecoder().decode(error.body), expected);
  });
}

test("connectOver reads a body up to the end of the connection", async () => {
  for (const isReset of [false, true]) {
    const dialed = dial();
    await dialed.request();
    dialed.send("HTTP/1.0 403 Forbidden\r\n\r\ngo a");
    await turns();
    dialed.send("way");
    await turns();
    if (isReset) dialed.there.reset();
    else dialed.there.shutdown();
    const error = await assertRejects(() => dialed.socket, HandshakeError);
    assertEquals([error.status, new TextDecoder().decode(error.body)], [403, "go away"]);
    assertEquals(dialed.here.isClosed, true);
  }
});

test("connectOver does not wait for a body that does not come", async () => {
  const answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf";
  const error = await refusal(answer, { limits: { closeTimeout: 30 } });
  assertEquals([error.status, new TextDecoder().decode(error.body)], [403, "half"]);
});

for (const status of [301, 302, 303, 307, 308]) {
  test(`connectOver does not follow a redirect: ${status}`, async () => {
    const location = "Location: ws://elsewhere.example/\r\nContent-Length: 0";
    const error = await refusal(`HTTP/1.1 ${status} X\r\n${location}\r\n\r\n`);
    assertEquals(error.status, status);
    assertEquals(error.headers[0], ["location", "ws://elsewhere.example/"]);
  });
}

const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const garbage: [name: string, answer: string, status: number, code: string][] = [
  ["binary garbage", "\x15\x03\x01\x00\x02\x02\x46", 0, "ERR_HANDSHAKE_HEAD"],
  ["another protocol", "220 mail.example ESMTP\r\n", 0, "ERR_HANDSHAKE_HEAD"],
  ["frames at once", "\x81\x05Hello", 0, "ERR_HANDSHAKE_HEAD"],
  ["a header without a colon", `${ok}nonsense\r\n\r\n`, 0, "ERR_HANDSHAKE_HEAD"],
  ["no headers", "HTTP/1.1 101 S\r\n\r\n", 101, "ERR_HANDSHAKE_UPGRADE"],
  ["no Accept", `${ok}\r\n`, 101, "ERR_HANDSHAKE_ACCEPT"],
  [
    "the Accept of another key",
    `${ok}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
    101,
    "ERR_HANDSHAKE_ACCEPT",
  ],
  [
    "an endless head",
    `${ok}${"X: y\r\n".repeat(99)}X: ${"y".repeat(20_000)}`,
    0,
    "ERR_HANDSHAKE_HEAD_TOO_LARGE",
  ],
  ["endless header lines", `${ok}${"X: y\r\n".repeat(101)}`, 0, "ERR_HANDSHAKE_HEAD_TOO_LARGE"],
  ["an endless reason", `HTTP/1.1 101 ${"x".repeat(20_000)}`, 0, "ERR_HANDSHAKE_HEAD_TOO_LARGE"],
];

for (const [name, answer, status, code] of garbage) {
  test(`connectOver refuses ${name}`, async () => {
    const error = await refusal(answer);
    assertEquals([error.status, error.code], [status, code]);
  });
}

test("connectOver refuses a subprotocol and an extension that it has not offered", async () => {
  for (const name of ["Protocol", "Extensions"]) {
    const dialed = dial();
    dialed.send(switching(await dialed.request(), `Sec-WebSocket-${name}: permessage-deflate\r\n`));
    const error = await assertRejects(() => dialed.socket, HandshakeError);
    assertEquals([error.status, error.code], [101, `ERR_HANDSHAKE_${name.toUpperCase()}`]);
    assertEquals(dialed.here.isClosed, true);
  }
});

test("connectOver rejects if the server disconnects without a response", async () => {
  for (const sent of ["", "HTTP/1.1 101 Switching"]) {
    for (const isReset of [false, true]) {
      const dialed = dial();
      await dialed.request();
      dialed.send(sent);
      await turns();
      if (isReset) dialed.there.reset(new Error("reset"));
      else dialed.there.shutdown();
      const error = await assertRejects(() => dialed.socket, WebSocketError);
      assertEquals([error.code, error.closeCode], ["ERR_HANDSHAKE_LEFT", 1006]);
      assertEquals((error.cause as Error | undefined)?.message, isReset ? "reset" : undefined);
      assertEquals(dialed.here.isClosed, true);
    }
  }
});

test("connectOver ends after its timeout, at any point of the response", async () => {
  for (const sent of ["", "HTTP/1.1 10", `${ok}X: y\r\n`, "HTTP/1.1 403 X\r\nA: b"]) {
    const dialed = dial({ timeout: 30 });
    await dialed.request();
    dialed.send(sent);
    const error = await assertRejects(() => dialed.socket, DOMException);
    assertEquals([error.name, error.message], [
      "TimeoutError",
      "Cannot open WebSocket within 30 ms",
    ]);
    assertEquals(dialed.here.isClosed, true);
  }
});

test("connectOver times out while a server keeps sending single bytes", async () => {
  const dialed = dial({ timeout: 60 });
  const answer = switching(await dialed.request());
  let at = 0;
  const timer = setInterval(() => dialed.send(answer[at++]), 10);
  try {
    const error = await assertRejects(() => dialed.socket, DOMException);
    assertEquals(error.name, "TimeoutError");
  } finally {
    clearInterval(timer);
  }
});

test("connectOver rejects with the signal's reason, at any point of the response", async () => {
  const reason = new Error("enough");
  for (const sent of ["", "HTTP/1.1 10", "HTTP/1.1 403 X\r\n\r\nbody"]) {
    const stop = new AbortController();
    const dialed = dial({ signal: stop.signal });
    await dialed.request();
    dialed.send(sent);
    await turns();
    stop.abort(reason);
    assertEquals(await assertRejects(() => dialed.socket), reason);
    assertEquals(dialed.here.isClosed, true);
    // A response that comes too late is ignored.
    dialed.send(switching(dialed.sent()));
    await turns();
  }
  const dialed = dial({ signal: AbortSignal.abort(reason) });
  assertEquals(await assertRejects(() => dialed.socket), reason);
  assertEquals(dialed.sent(), "");
});

test("a signal that aborts later has no effect on an open connection", async () => {
  const stop = new AbortController();
  const dialed = dial({ signal: stop.signal, timeout: 40 });
  const socket = await open(dialed);
  stop.abort();
  await delay(60);
  assertEquals(socket.readyState, 1);
  socket.abort();
  await socket.closed;
});

test("connectOver accepts an infinite timeout, and one longer than a timer can run", async () => {
  for (const timeout of [Infinity, 1e12]) (await open(dial({ timeout }))).abort();
});

const misuse: [name: string, url: string, options: ConnectOptions, error: string][] = [
  ["a malformed URL", "example.com", {}, "SyntaxError"],
  ["a URL with a fragment", "ws://127.0.0.1:1/#a", {}, "SyntaxError"],
  ["another scheme", "ftp://127.0.0.1/", {}, "SyntaxError"],
  ["a subprotocol that is not a token", "ws://127.0.0.1:1/", { protocols: "a b" }, "SyntaxError"],
  ["a subprotocol twice", "ws://127.0.0.1:1/", { protocols: ["a", "a"] }, "SyntaxError"],
  ["a proxy with another scheme", "ws://127.0.0.1:1/", { proxy: "socks5://a/" }, "SyntaxError"],
  ["a header with a line break", "ws://127.0.0.1:1/", { headers: { A: "b\r\nc" } }, "TypeError"],
  ["a header of the handshake", "ws://127.0.0.1:1/", { headers: { Upgrade: "b" } }, "TypeError"],
  ["a malformed Host", "ws://127.0.0.1:1/", { headers: { Host: "a b" } }, "TypeError"],
  ["two Hosts", "ws://127.0.0.1:1/", { headers: [["Host", "a"], ["host", "b"]] }, "TypeError"],
  ["an Origin with a line break", "ws://127.0.0.1:1/", { origin: "a\n" }, "TypeError"],
  ["tls without wss:", "ws://127.0.0.1:1/", { tls: {} }, "TypeError"],
  ["a Unix socket with TLS", "wss://127.0.0.1:1/", { path: "/nowhere" }, "TypeError"],
  ["a Unix socket and a proxy", "ws://a/", { path: "/a", proxy: "http://a/" }, "TypeError"],
  ["a timeout of 0", "ws://127.0.0.1:1/", { timeout: 0 }, "RangeError"],
  ["a timeout that is not a number", "ws://127.0.0.1:1/", { timeout: NaN }, "RangeError"],
  ["a limit of 0", "ws://127.0.0.1:1/", { limits: { maxMessageSize: 0 } }, "RangeError"],
];

for (const [what, url, options, name] of misuse) {
  test(`connect refuses ${what}`, async () => {
    const error = await assertRejects(() => connect(url, options));
    assertEquals((error as Error).name, name, String(error));
  });
}

test("connectOver refuses a value that is not a connection", async () => {
  await assertRejects(() => connectOver({} as MemoryTransport, URL_), TypeError);
});
