// permessage-deflate end to end: what is agreed to, what is compressed, and that it comes back.
import { inflateRawSync } from "node:zlib";
import type { PerMessageDeflateOptions, WebSocketConnection } from "../../mod.ts";
import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import { connect } from "../../mod.ts";
import { assert, assertEquals, deadline, hex, onTestEnd, test } from "../harness.ts";
import { assertMessages, randomBytes, sameBytes } from "../protocol/frames.ts";
import { utf8 } from "../support/bytes.ts";
import {
  acceptRaw,
  compressedFrames,
  type Compression,
  deflated,
  OFFER,
  openPair,
  RSV1,
  WAYS,
} from "../support/deflate.ts";
import { fieldOf, switching } from "../support/http.ts";
import { collect, exchange } from "../support/open.ts";
import { closeFrame, First } from "../support/memory_peer.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { serving } from "../support/server.ts";
import { streamOf } from "../support/streams.ts";

const PMD = "permessage-deflate";
const SMALL: PerMessageDeflateOptions = { serverMaxWindowBits: 9, clientMaxWindowBits: 9 };
const NO_CONTEXT: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
};

/** Small and large, text and binary, compressible and not. */
function someMessages(): (string | Uint8Array)[] {
  return [
    "",
    "Hello",
    new Uint8Array(0),
    JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ id: i, name: `user ${i % 7}` }))),
    randomBytes(5000),
    "wörld €\u{1f600}".repeat(1000),
    new Uint8Array(300_000).fill(7),
    randomBytes(200_000),
    "x".repeat(1024 * 1024),
    "Hello".repeat(300),
  ];
}

/** Has someMessages() sent from one end to the other. */
async function assertExchange(from: WebSocketConnection, to: WebSocketConnection): Promise<void> {
  const messages = someMessages();
  assertMessages(await exchange(messages, from, to), messages);
}

const agreed: [server: Compression, client: Compression, extensions: string][] = [
  [true, true, `${PMD}; server_max_window_bits=12; client_max_window_bits=12`],
  [undefined, true, ""],
  [true, undefined, ""],
  [false, true, ""],
  [true, false, ""],
  [{}, SMALL, `${PMD}; server_max_window_bits=9; client_max_window_bits=9`],
  [SMALL, {}, `${PMD}; server_max_window_bits=9; client_max_window_bits=9`],
  [
    NO_CONTEXT,
    true,
    `${PMD}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; ` +
    "client_max_window_bits=12",
  ],
  [
    { serverMaxWindowBits: 15, clientMaxWindowBits: 15 },
    { serverMaxWindowBits: 15, clientMaxWindowBits: 15 },
    `${PMD}; client_max_window_bits=15`,
  ],
];

for (const way of WAYS) {
  for (const [atServer, atClient, extensions] of agreed) {
    const options = `${JSON.stringify(atServer)} and ${JSON.stringify(atClient)}`;
    test(`compression of ${options} carries messages both ways, over ${way}`, async () => {
      const { server, client } = await openPair(way, atServer, atClient);
      assertEquals([server.extensions, client.extensions], [extensions, extensions]);
      await assertExchange(client, server);
      await assertExchange(server, client);
      const [closed] = await Promise.all([server.closed, client.close(1000), collect(server)]);
      assertEquals([closed.closeCode, closed.wasClean], [1000, true]);
    });
  }
}

test("compression is off by default: an offer is ignored, and none is made", async () => {
  const { socket, head } = await acceptRaw({});
  assertEquals([socket.extensions, fieldOf(head, "Sec-WebSocket-Extensions")], ["", ""]);
  const heads: string[] = [];
  const { port } = await rawServer(async (connection) => {
    heads.push(await connection.head());
    connection.write(switching(heads.at(-1)!));
    await connection.untilGone();
  });
  for (const options of [{}, { compression: true }]) {
    (await connect(`ws://127.0.0.1:${port}/`, options)).abort();
  }
  assertEquals(heads.map((head) => fieldOf(head, "Sec-WebSocket-Extensions")), [
    "",
    `${PMD}; server_max_window_bits=12; client_max_window_bits=12, ` +
    `${PMD}; client_max_window_bits=12, ${PMD}`,
  ]);
});

test("accept answers the first offer that it can take, and none with none", async () => {
  for (
    const [offer, answer] of [
      [OFFER, `${PMD}; server_max_window_bits=12; client_max_window_bits=12`],
      ["x-webkit-deflate-frame, permessage-deflate", `${PMD}; server_max_window_bits=12`],
      [
        `${PMD}; server_max_window_bits=16, ${PMD}; server_max_window_bits=10`,
        `${PMD}; ` +
        "server_max_window_bits=10",
      ],
      [`${PMD}; server_max_window_bits=8`, ""],
      [`${PMD}; unknown`, ""],
    ]
  ) {
    const { socket, head } = await acceptRaw({ compression: true }, offer);
    const field = fieldOf(head, "Sec-WebSocket-Extensions");
    assertEquals([field, socket.extensions], [answer, answer]);
  }
});

test("send compresses what is not below the threshold, unless it's told not to", async () => {
  const { socket, peer } = await acceptRaw({ compression: NO_CONTEXT });
  const sent: [message: string | Uint8Array, options: { compress?: boolean }, first: number][] = [
    ["x".repeat(1023), {}, First.Text],
    ["x".repeat(1024), {}, First.Text | RSV1],
    // The size that counts is that of the UTF-8.
    ["é".repeat(512), {}, First.Text | RSV1],
    ["é".repeat(511), {}, First.Text],
    [new Uint8Array(1023), {}, First.Binary],
    [new Uint8Array(1024), {}, First.Binary | RSV1],
    ["x".repeat(5000), { compress: false }, First.Text],
    [new Uint8Array(5000), { compress: false }, First.Binary],
    ["x".repeat(5000), { compress: true }, First.Text | RSV1],
    ["x".repeat(10), { compress: true }, First.Text],
  ];
  for (const [message, options] of sent) socket.send(message, options);
  await peer.received(sent.length);
  assertEquals(peer.frames.map(({ first }) => first), sent.map(([, , first]) => first));
  for (const [i, [message]] of sent.entries()) {
    const { first, payload } = peer.frames[i]!;
    const plain = (first & RSV1) === 0 ? payload : inflateRawSync(
      new Uint8Array([...payload, ...hex("00 00 ff ff")]),
      { finishFlush: 2 },
    );
    assert(sameBytes(plain, typeof message === "string" ? utf8(message) : message), `${i}`);
    if (first & RSV1) assert(payload.length < 100, `${payload.length} bytes`);
  }
});

test("send compresses everything with a threshold of 0, and nothing with Infinity", async () => {
  for (const [threshold, rsv1] of [[0, RSV1], [Infinity, 0]] as const) {
    const { socket, peer } = await acceptRaw({ compression: { threshold } });
    for (const message of ["x", "x".repeat(10_000)]) socket.send(message);
    await peer.received(2);
    assertEquals(peer.frames.map(({ first }) => first & RSV1), [rsv1, rsv1]);
  }
});

for (const drive of ["callbacks", "for await", "pipeTo"] as const) {
  test(`compression echoes by ${drive}, over TCP`, async () => {
    const { url, errors } = serving(
      drive === "callbacks"
        ? { message: (socket, message) => void socket.send(message) }
        : async (socket) => {
          if (drive === "pipeTo") return await socket.readable.pipeTo(socket.writable);
          for await (const message of socket) await socket.send(message);
        },
      { compression: { threshold: 0 } },
    );
    const client = await connect(url, { compression: { threshold: 0 } });
    const messages = [...someMessages(), ...someMessages()];
    assertMessages(await exchange(messages, client), messages);
    assertEquals((await client.close(1000)).wasClean, true);
    assertEquals(errors, []);
  });
}

test("compression takes fragments, with control frames and a split of any kind", async () => {
  for (const fragments of [1, 2, 3, 7, 50]) {
    const { socket, peer } = await acceptRaw({ compression: true });
    const text = "fragments of a text €".repeat(200);
    const bytes = randomBytes(3000);
    for (
      const frame of [
        ...compressedFrames(0x1, deflated(text), fragments),
        { first: 0x02, payload: bytes.slice(0, 10) },
        { first: First.ContinuationEnd, payload: bytes.slice(10) },
        ...compressedFrames(0x2, deflated(bytes), fragments),
      ]
    ) peer.send({ first: First.Ping, payload: "?" }, frame, { first: First.Pong, payload: "!" });
    peer.send(closeFrame(1000));
    const collecting = collect(socket);
    await peer.end();
    assertMessages(await collecting, [text, bytes, bytes]);
    assertEquals(peer.words, [...Array(2 * fragments + 2).fill("pong 3f"), "close 1000"]);
  }
});

test("what has been received never changes afterwards", async () => {
  for (const way of WAYS) {
    const { server, client } = await openPair(way, { threshold: 0 }, { threshold: 0 });
    const messages = Array.from(
      { length: 60 },
      (_, i) => i % 3 === 0 ? randomBytes(100 + i) : new Uint8Array(1000 * (i % 40) + 1).fill(i),
    );
    const got: Uint8Array[] = [];
    const reading = (async () => {
      for await (const message of server) {
        if (got.push(message as Uint8Array) === messages.length) break;
      }
    })();
    for (const message of messages) {
      const given = message.slice();
      const sent = client.send(given);
      given.fill(0xee); // The bytes are copied before send() returns.
      await sent;
    }
    await deadline(reading, 10_000, "the messages");
    assertMessages(got, messages);
    // The consumer that receives them may write to them.
    for (const message of got) message.fill(0xdd);
    await assertExchange(client, server);
  }
});

test("compression carries a stream as one message, and hands one over as a stream", async () => {
  for (const way of WAYS) {
    const { server, client } = await openPair(way, true, true);
    const parts = Array.from({ length: 50 }, (_, i) => randomBytes(1000 + 300 * i, i % 3));
    const sending = [
      client.send(streamOf(parts)),
      client.send(streamOf(["Hello ", "wörld".repeat(1000)])),
      client.send(streamOf(["as it ", "is"]), { compress: false }),
    ];
    const got: (string | Uint8Array)[] = [];
    for await (const { type, readable } of server.messageStreams()) {
      got.push(
        type === "text" ? (await Array.fromAsync(readable)).join("") : new Uint8Array(
          await new Response(readable as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
        ),
      );
      if (got.length === 3) break;
    }
    await Promise.all(sending);
    const whole = new Uint8Array(parts.flatMap((part) => [...part]));
    assertMessages(got, [whole, "Hello " + "wörld".repeat(1000), "as it is"]);
  }
});

test("compression is refused with an option out of range, before anything happens", async () => {
  const compression = { level: 10 };
  for (
    const start of [
      () => connect("ws://127.0.0.1:1/", { compression }),
      () => acceptRaw({ compression }),
      // deno-lint-ignore require-await
      async () => serving(() => {}, { compression }),
    ]
  ) {
    const error = await start().then(() => undefined, (error) => error);
    assert(error instanceof RangeError, `${error}`);
  }
});

test("serve reports once that the runtime does not support compression, and works without", async () => {
  const supported = Object.getOwnPropertyDescriptor(PerMessageDeflate.prototype, "isSupported")!;
  Object.defineProperty(PerMessageDeflate.prototype, "isSupported", {
    ...supported,
    get: () => false,
  });
  onTestEnd(() => {
    Object.defineProperty(PerMessageDeflate.prototype, "isSupported", supported);
  });
  const { url, errors } = serving({ message: (socket, text) => socket.send(text) }, {
    compression: true,
  });
  for (let i = 0; i < 2; i++) {
    const socket = await connect(url, { compression: true });
    assertEquals(socket.extensions, "");
    await socket.send("Hello");
    assertEquals((await socket[Symbol.asyncIterator]().next()).value, "Hello");
    socket.close();
    await socket.closed;
  }
  assertEquals(errors.map(({ error }) => (error as Error).message), [
    "Cannot use permessage-deflate: this runtime's node:zlib keeps no context",
  ]);
});
