import { accept } from "../../src/server/accept.ts";
import type { Handler } from "../../src/connection/handler.ts";
import type { UpgradeInfo } from "../../src/server/accept_options.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import type { Transport } from "../../src/transport/transport.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
  deadline,
  delay,
  onTestEnd,
  test,
} from "../harness.ts";
import { rawFrame } from "../support/frames.ts";
import { ACCEPT, decodeBody, upgradeRequest } from "../support/http.ts";
import { assertRefused } from "../support/accepting.ts";
import { HttpPeer } from "../support/http_peer.ts";
import { turns } from "../support/open.ts";

const text = (payload: string) => rawFrame({ first: 0x81, payload }, "server");

test("accept makes a WebSocket of a connection", async () => {
  const peer = new HttpPeer();
  const accepting = accept(peer.conn);
  peer.send(upgradeRequest({ Cookie: "a=b" }, "GET /chat?room=1 HTTP/1.1"));
  const socket = await accepting;
  assertEquals(await peer.headed(), 101);
  assertMatch(peer.text, new RegExp(`\r\nSec-WebSocket-Accept: ${ACCEPT.replace("+", "\\+")}\r\n`));
  assertEquals(/sec-websocket-(protocol|extensions)/i.test(peer.text), false);
  assertEquals([socket.protocol, socket.extensions, socket.data], ["", "", undefined]);
  assertEquals(socket.request.url, "http://example.com/chat?room=1");
  assertEquals(socket.request.headers.get("cookie"), "a=b");
  peer.send(text("Hi"));
  assertEquals((await socket[Symbol.asyncIterator]().next()).value, "Hi");
  await socket.send("yo");
  await peer.until(() => peer.body === "\x81\x02yo", "the echo");
  socket.abort();
});

test("accept keeps the frames that follow the request, at any chunking", async () => {
  for (const maxChunk of [1, 7, 100, Infinity]) {
    for (const isAsync of [false, true]) {
      const peer = new HttpPeer({ maxChunk });
      const accepting = accept(peer.conn, {
        upgrade: () => isAsync ? delay(2) : undefined,
      });
      const frames = Array.from({ length: 50 }, (_, i) => text(`${i}`));
      peer.send(upgradeRequest());
      for (const frame of frames) peer.send(frame);
      const socket = await accepting;
      const messages: unknown[] = [];
      for await (const message of socket) if (messages.push(message) === 50) break;
      assertEquals(messages, Array.from({ length: 50 }, (_, i) => `${i}`));
      socket.abort();
    }
  }
});

test("accept chooses the first of its protocols that is offered", async () => {
  const peer = new HttpPeer();
  const accepting = accept(peer.conn, { protocols: ["three", "two", "one"] });
  peer.send(upgradeRequest({ "Sec-WebSocket-Protocol": "one, two" }));
  const socket = await accepting;
  assertEquals(socket.protocol, "two");
  await peer.headed();
  assertMatch(peer.text, /\r\nSec-WebSocket-Protocol: two\r\n/);
  socket.abort();
});

for (const isAsync of [false, true]) {
  const kind = isAsync ? "async" : "sync";
  const answer = <T>(value: T) => isAsync ? delay(1).then(() => value) : value;

  test(`accept's ${kind} upgrade() is called, and its result has protocol, headers and data`, async () => {
    const peer = new HttpPeer();
    const asked: [Request, UpgradeInfo][] = [];
    const data = { user: 1 };
    const accepting = accept<typeof data>(peer.conn, {
      protocols: ["one"],
      upgrade(request, info) {
        asked.push([request, info]);
        return answer({ protocol: "two", headers: { "X-More": "1" }, data });
      },
    });
    peer.send(upgradeRequest({ "Sec-WebSocket-Protocol": "one, two", "Authorization": "me" }));
    const socket = await accepting;
    assert(socket.data === data);
    assertEquals(socket.protocol, "two");
    await peer.headed();
    assertMatch(peer.text, /\r\nSec-WebSocket-Protocol: two\r\nX-More: 1\r\n/);
    const [[request, info]] = asked;
    assertEquals(request.headers.get("authorization"), "me");
    const { remoteAddr } = peer.conn;
    assertEquals(info, { remoteAddr, clientAddr: remoteAddr, protocols: ["one", "two"] });
    socket.abort();
  });

  test(`accept's ${kind} upgrade() may return undefined`, async () => {
    const peer = new HttpPeer();
    const accepting = accept(peer.conn, { protocols: ["one"], upgrade: () => answer(undefined) });
    peer.send(upgradeRequest({ "Sec-WebSocket-Protocol": "one" }));
    const socket = await accepting;
    assertEquals(socket.protocol, "one");
    socket.abort();
  });

  test(`accept's ${kind} upgrade() may refuse with a Response`, async () => {
    const upgrade = () =>
      answer(
        new Response("please log in", { status: 401, headers: { "WWW-Authenticate": "Basic" } }),
      );
    const { peer } = await assertRefused(
      upgradeRequest(),
      { upgrade },
      401,
      "ERR_HANDSHAKE_REFUSED",
    );
    assertMatch(peer.text, /\r\nwww-authenticate: Basic\r\n/i);
    assertEquals(decodeBody(peer.text, peer.body).body, "please log in");
  });

  test(`accept's ${kind} upgrade() that fails is answered with 500, without the error's text`, async () => {
    const oops = new Error("the password is secret");
    const upgrade = () => {
      if (!isAsync) throw oops;
      return Promise.reject(oops);
    };
    const { peer, error } = await assertRefused(
      upgradeRequest(),
      { upgrade },
      500,
      "ERR_HANDSHAKE_INTERNAL",
    );
    assert(error.cause === oops);
    assertEquals(peer.text.includes("secret"), false);
  });

  test(`accept's ${kind} upgrade() that chooses a protocol that was not offered is answered with 500`, async () => {
    const upgrade = () => answer({ protocol: "three" });
    const { error } = await assertRefused(
      upgradeRequest({ "Sec-WebSocket-Protocol": "one" }),
      { upgrade },
      500,
      "ERR_HANDSHAKE_INTERNAL",
    );
    assertEquals((error.cause as Error).name, "TypeError");
  });

  test(`accept's ${kind} upgrade() with an invalid header is answered with 500`, async () => {
    const upgrade = () => answer({ headers: { "X-More": "a\r\nb" } });
    await assertRefused(upgradeRequest(), { upgrade }, 500, "ERR_HANDSHAKE_INTERNAL");
  });
}

for (const when of ["at once", "later"]) {
  const outcome = when === "at once" ? "answers 500" : "drops the connection";
  test(`accept ${outcome} if the body of upgrade()'s Response fails ${when}`, async () => {
    const response = new Response(
      new ReadableStream({
        async pull() {
          if (when === "later") await delay(10);
          throw new Error("oops");
        },
      }),
    );
    const peer = new HttpPeer();
    const accepting = accept(peer.conn, { upgrade: () => response });
    peer.send(upgradeRequest());
    const error = await assertRejects(() => accepting, HandshakeError);
    assertEquals(error.code, "ERR_HANDSHAKE_REFUSED");
    if (when === "at once") assertEquals(await peer.answered(), 500);
    else await peer.until(() => peer.isClosed, "the reset");
    peer.transport.shutdown();
  });
}

test("accept answers 500 if upgrade()'s Response cannot be sent", async () => {
  const upgrade = () => Response.error();
  await assertRefused(upgradeRequest(), { upgrade }, 500, "ERR_HANDSHAKE_INTERNAL");
});

const handlers: [kind: string, handler: Handler][] = [
  ["function", async (socket) => {
    for await (const message of socket) socket.send(message);
  }],
  ["callbacks", { message: (socket, message) => socket.send(message) }],
];
for (const [kind, handler] of handlers) {
  test(`accept serves the connection with a handler: ${kind}`, async () => {
    const peer = new HttpPeer();
    const accepting = accept(peer.conn, {}, handler);
    peer.send(upgradeRequest());
    const socket = await accepting;
    peer.send(text("Hi"));
    await peer.until(() => peer.body === "\x81\x02Hi", "the echo");
    socket.abort();
  });
}

test("accept closes with 1011 if its handler fails, and prints the error", async () => {
  const printed: unknown[][] = [];
  const { error: original } = console;
  console.error = (...values: unknown[]) => printed.push(values);
  onTestEnd(() => void (console.error = original));
  const oops = new Error("oops");
  const peer = new HttpPeer();
  const accepting = accept(peer.conn, {}, () => Promise.reject(oops));
  peer.send(upgradeRequest());
  const socket = await accepting;
  await peer.until(() => peer.body.startsWith("\x88\x02\x03\xf3"), "the Close frame");
  socket.abort();
  assertEquals(printed, [[oops]]);
});

test("accept accepts the origins of its options", async () => {
  const peer = new HttpPeer();
  const accepting = accept(peer.conn, { origins: ["https://good.example"] });
  peer.send(upgradeRequest({ Origin: "https://good.example" }));
  (await accepting).abort();
});

test("accept answers 408 if no request arrives", async () => {
  await assertRefused(
    "GET / HT",
    { limits: { handshakeTimeout: 20 } },
    408,
    "ERR_HANDSHAKE_TIMEOUT",
  );
});

test("accept answers 503 if upgrade() takes too long, and ignores its result", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const { peer } = await assertRefused(
    upgradeRequest(),
    { limits: { handshakeTimeout: 20 }, upgrade: () => promise },
    503,
    "ERR_HANDSHAKE_UPGRADE_TIMEOUT",
  );
  const before = peer.text;
  resolve(undefined);
  await turns();
  assertEquals(peer.text, before);
});

test("accept cancels the body of a Response that upgrade() returns too late", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const options = { limits: { handshakeTimeout: 20 }, upgrade: () => promise };
  await assertRefused(upgradeRequest(), options, 503, "ERR_HANDSHAKE_UPGRADE_TIMEOUT");
  const cancelled = Promise.withResolvers<void>();
  resolve(new Response(new ReadableStream({ cancel: () => cancelled.resolve() })));
  await deadline(cancelled.promise, 1000, "the body's cancel");
});

test("accept ignores an upgrade() that rejects too late", async () => {
  const { promise, reject } = Promise.withResolvers<undefined>();
  const options = { limits: { handshakeTimeout: 20 }, upgrade: () => promise };
  await assertRefused(upgradeRequest(), options, 503, "ERR_HANDSHAKE_UPGRADE_TIMEOUT");
  reject(new Error("late"));
  await turns();
});

for (
  const [how, leave] of [
    ["ends", (peer: HttpPeer) => peer.transport.shutdown()],
    ["resets", (peer: HttpPeer) => peer.transport.reset()],
  ] as const
) {
  for (const when of ["before its request", "within it", "while upgrade() decides"]) {
    if (how === "ends" && when === "while upgrade() decides") continue; // Not read: see below.
    test(`accept rejects if the peer ${how} the connection ${when}`, async () => {
      const peer = new HttpPeer();
      const accepting = accept(peer.conn, { upgrade: () => delay(30) });
      if (when !== "before its request") {
        peer.send(when === "within it" ? "GET / " : upgradeRequest());
      }
      await turns();
      leave(peer);
      const error = await assertRejects(() => accepting, HandshakeError);
      assertEquals(error.code, "ERR_HANDSHAKE_LEFT");
      assertEquals(peer.conn.isClosed, true);
      await delay(40);
      assertEquals(peer.text, "");
    });
  }
}

test("accept opens, then reports 1006, if the peer ends while upgrade() is pending", async () => {
  const peer = new HttpPeer();
  const accepting = accept(peer.conn, { upgrade: () => delay(5) });
  peer.send(upgradeRequest());
  await turns();
  peer.transport.shutdown();
  assertEquals((await (await accepting).closed).closeCode, 1006);
});

test("accept checks its arguments", async () => {
  const { conn } = new HttpPeer();
  assertThrows(() => void accept(conn, { limits: { maxFragments: 0 } }), RangeError);
  assertThrows(() => void accept(conn, { origins: ["good.example"] }), TypeError);
  await assertRejects(() => accept({} as Transport), TypeError, "Cannot use as a connection");
});
