// What a peer may get wrong once permessage-deflate is agreed to, in either role: each with its code.
import { connect, connectOver, HandshakeError } from "../../mod.ts";
import type { HandshakeOptions, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assert, assertEquals, assertRejects, deadline, hex, onTestEnd, test } from "../harness.ts";
import type { RawFrame } from "../support/frames.ts";
import { acceptRaw, compressedFrames, deflated, OFFER, RSV1 } from "../support/deflate.ts";
import { frameWords, wholeFrames } from "../support/frames.ts";
import { fieldOf, switching } from "../support/http.ts";
import { collect, turns } from "../support/open.ts";
import { closeFrame, First, MemoryPeer, textFrame } from "../support/memory_peer.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { openRaw, serving } from "../support/server.ts";

const MIB = 1024 * 1024;
const text = (digits: string): RawFrame => ({ first: First.Text | RSV1, payload: hex(digits) });
const hello = text("f2 48 cd c9 c9 07 00");

const bad: [what: string, frames: RawFrame[], closeCode: number, code: string][] = [
  [
    "RSV1 on a continuation",
    [{ first: 0x41, payload: hex("f2 48") }, {
      first: 0xc0,
      payload: hex("cd c9 c9 07 00"),
    }],
    1002,
    "ERR_RSV",
  ],
  [
    "RSV1 on a continuation of a message that is not compressed",
    [{ first: 0x01, payload: "He" }, { first: 0xc0, payload: "llo" }],
    1002,
    "ERR_RSV",
  ],
  ["RSV1 on a Ping", [{ first: First.Ping | RSV1 }], 1002, "ERR_RSV"],
  ["RSV1 on a Pong", [{ first: First.Pong | RSV1 }], 1002, "ERR_RSV"],
  ["RSV1 on a Close", [{ first: First.Close | RSV1, payload: hex("03 e8") }], 1002, "ERR_RSV"],
  ["RSV2", [{ first: First.Text | 0x20 }], 1002, "ERR_RSV"],
  ["invalid deflate data", [text("07")], 1007, "ERR_INVALID_DEFLATE"],
  ["a truncated deflate stream", [text("f2 48 cd c9")], 1007, "ERR_TRUNCATED_DEFLATE"],
  [
    "a truncated deflate stream in fragments",
    compressedFrames(0x1, hex("f2 48 cd c9"), 3),
    1007,
    "ERR_TRUNCATED_DEFLATE",
  ],
  ["no deflate data at all", [text("")], 1007, "ERR_INVALID_DEFLATE"],
  [
    "text that is not UTF-8 once it's inflated",
    [{ first: First.Text | RSV1, payload: deflated(hex("48 69 ff")) }],
    1007,
    "ERR_INVALID_UTF8",
  ],
  [
    "a bomb",
    [{ first: First.Binary | RSV1, payload: deflated(new Uint8Array(64 * MIB)) }],
    1009,
    "ERR_MESSAGE_TOO_BIG",
  ],
  [
    "a bomb in fragments",
    compressedFrames(0x2, deflated(new Uint8Array(64 * MIB)), 20),
    1009,
    "ERR_MESSAGE_TOO_BIG",
  ],
];

/** Reads messages as they come, each as a stream; gives how many bytes there were. */
async function count(socket: WebSocketConnection): Promise<number> {
  let bytes = 0;
  try {
    for await (const { type, readable } of socket.messageStreams()) {
      for await (const part of readable) bytes += part.length;
      assert(type === "text" || type === "binary");
    }
  } catch {
    // What the connection's end has cut short.
  }
  return bytes;
}

for (const [what, frames, closeCode, code] of bad) {
  test(`serve with compression answers ${what} with ${closeCode}, and tells it once`, async () => {
    for (const reads of ["whole", "in parts"]) {
      const got: (string | Uint8Array)[] = [];
      const counted = Promise.withResolvers<number>();
      const { server, errors } = serving(async (socket) => {
        if (reads === "in parts") counted.resolve(await count(socket));
        else for await (const message of socket) got.push(message);
      }, { compression: true });
      const client = await openRaw(server, { "Sec-WebSocket-Extensions": OFFER });
      // What follows an error is not looked at.
      client.send(hello, ...frames, hello, ...frames, textFrame("after"));
      await client.tcp.untilEnd();
      const start = client.tcp.text.indexOf("\r\n\r\n") + 4;
      const words = wholeFrames(new Uint8Array(client.tcp.bytes.subarray(start))).frames;
      assertEquals(words.map(frameWords), [`close ${closeCode}`]);
      client.tcp.end();
      await client.tcp.untilClosed();
      assertEquals(
        errors.map(({ error }) => [(error as WebSocketError).code, error instanceof Error]),
        [[code, true]],
      );
      if (reads === "whole") {
        assertEquals(got, ["Hello"]);
      } else {
        const produced = await deadline(counted.promise, 5000, "the handler's end");
        assert(produced >= 5 && produced <= MIB + 5, `${produced} bytes`);
      }
    }
  });
}

/** A client of ours, and a server of raw frames; what it has agreed to, or not. */
async function clientOf(
  fields: string,
  options: HandshakeOptions,
): Promise<{ socket: WebSocketConnection; peer: MemoryPeer }> {
  const [here, there] = memoryPair({ lendsChunks: true });
  onTestEnd(() => here.abort());
  let request = "";
  const asked = Promise.withResolvers<void>();
  there.handler = {
    data(chunk) {
      request += new TextDecoder().decode(chunk);
      if (request.endsWith("\r\n\r\n")) asked.resolve();
    },
    drain() {},
    end() {},
    close() {},
  };
  const opening = connectOver(here, "ws://example.com/", options);
  opening.catch(() => {});
  await asked.promise;
  there.write(new TextEncoder().encode(switching(request, fields)));
  const socket = await opening;
  return { socket, peer: new MemoryPeer(there, "server") };
}

const AGREED = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

for (const [what, frames, closeCode, code] of bad) {
  test(`connect with compression answers ${what} with ${closeCode}`, async () => {
    const { socket, peer } = await clientOf(AGREED, { compression: true });
    peer.send(hello, ...frames, hello);
    const got = collect(socket);
    await peer.until(() => peer.hasEnded || peer.isClosed, "the end");
    assertEquals(peer.words, [`close ${closeCode}`]);
    peer.transport.close();
    assertEquals(await got, ["Hello"]);
    const { wasClean, error } = await socket.closed;
    assertEquals([wasClean, (error as WebSocketError).code], [false, code]);
  });
}

test("serve with compression takes frames that are not compressed", async () => {
  const { server, errors } = serving({
    message: (socket, message) => void socket.send(message),
  }, { compression: true });
  const client = await openRaw(server, { "Sec-WebSocket-Extensions": OFFER });
  client.send(hello, textFrame("plain"), hello, { first: 0x01, payload: "in " });
  client.send({ first: First.Ping }, { first: First.ContinuationEnd, payload: "parts" });
  client.send(closeFrame(1000));
  await client.tcp.untilEnd();
  const start = client.tcp.text.indexOf("\r\n\r\n") + 4;
  const { frames } = wholeFrames(new Uint8Array(client.tcp.bytes.subarray(start)));
  assertEquals(frames.map(frameWords), [
    "text Hello",
    "text plain",
    "text Hello",
    "pong",
    "text in parts",
    "close 1000",
  ]);
  client.tcp.end();
  await client.tcp.untilClosed();
  assertEquals(errors, []);
});

test("RSV1 without permessage-deflate is answered with 1002", async () => {
  for (
    const [compression, fields] of [[false, { "Sec-WebSocket-Extensions": OFFER }], [true, {}]]
  ) {
    const { server, errors } = serving({}, { compression: compression as boolean });
    const client = await openRaw(server, fields as Record<string, string>);
    client.send(hello, hello);
    await client.tcp.untilEnd();
    assert(client.text.startsWith("\x88\x02\x03\xea"), JSON.stringify(client.text));
    client.tcp.end();
    await client.tcp.untilClosed();
    assertEquals(errors.map(({ error }) => (error as WebSocketError).code), ["ERR_RSV"]);
  }
  for (const compression of [false, true]) {
    const { socket, peer } = await clientOf("", { compression });
    assertEquals(socket.extensions, "");
    peer.send(hello);
    await peer.received(1);
    assertEquals(peer.words, ["close 1002"]);
    peer.transport.close();
    assertEquals(((await socket.closed).error as WebSocketError).code, "ERR_RSV");
  }
});

const BITS = ["server_max_window_bits", "client_max_window_bits"];

/** Invalid responses to an offer with both window bits, and a plain offer. */
const answers: string[] = [
  "unknown",
  "unknown=1",
  ...BITS.flatMap((name) => [
    `${name}=7`,
    `${name}=16`,
    `${name}`,
    `${name}=012`,
    `${name}="16"`,
    `${name}="1 2"`,
    `${name}=""`,
    `${name}=`,
    `${name}=12; ${name}=12`,
  ]),
  "server_no_context_takeover=1",
  "server_no_context_takeover; server_no_context_takeover",
].map((params) => `permessage-deflate; ${params}`).concat(
  "permessage-deflate, permessage-deflate",
  "x-webkit-deflate-frame",
  "permessage-deflate, x-webkit-deflate-frame",
  "permessage-bzip2",
);

test("connect refuses every answer that permessage-deflate doesn't allow", async () => {
  for (const answer of answers) {
    const error = await assertRejects(
      () =>
        clientOf(`Sec-WebSocket-Extensions: ${answer}\r\n`, { compression: true })
          .then(() => assert(false, `took ${answer}`)),
      HandshakeError,
    );
    assertEquals([error.code, error.status], ["ERR_HANDSHAKE_EXTENSIONS", 101], answer);
  }
  await assertRejects(() => clientOf(AGREED, {}), HandshakeError);
  // RFC 6455 §9.1 allows a quoted value where it's what could stand there without quotes.
  const { socket } = await clientOf(
    'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="12"\r\n',
    { compression: true },
  );
  assertEquals(socket.extensions, "permessage-deflate; server_max_window_bits=12");
});

test("connect leaves a server that it refuses, over TCP", async () => {
  const { port } = await rawServer(async (connection) => {
    const head = await connection.head();
    assert(fieldOf(head, "Sec-WebSocket-Extensions") !== "");
    connection.write(switching(head, "Sec-WebSocket-Extensions: permessage-deflate; unknown\r\n"));
    await connection.untilGone();
  });
  await assertRejects(
    () => connect(`ws://127.0.0.1:${port}/`, { compression: true }),
    HandshakeError,
  );
  await turns();
});

test("a connection that fails while it's held back ends with its peer", async () => {
  const { socket, peer } = await acceptRaw({ compression: true });
  const bytes = new Uint8Array(4 * MIB);
  peer.send({ first: First.Binary | RSV1, payload: deflated(bytes) }, hello);
  const counting = (async () => {
    let produced = 0;
    for await (const { readable } of socket.messageStreams()) {
      for await (const part of readable) {
        produced += part.length;
        await turns();
      }
    }
    return produced;
  })();
  counting.catch(() => {});
  await peer.end();
  const { error } = await deadline(socket.closed, 2000, "the end, well before closeTimeout");
  assertEquals((error as WebSocketError).code, "ERR_MESSAGE_TOO_BIG");
  assertEquals(peer.words, ["close 1009"]);
  await assertRejects(() => counting);
});
