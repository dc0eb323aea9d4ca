// The options of the client: unknown names and unusable values are refused before anything connects.
import { connect, connectOver, ReconnectingWebSocket, WebSocketStream } from "../../mod.ts";
import type { ConnectOptions, HandshakeOptions, HeaderFields } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assert, assertEquals, assertRejects, deadline, test } from "../harness.ts";
import { echo, serving } from "../support/server.ts";

const wss = "wss://127.0.0.1:1/";

/** Options that no client takes, by the name in the error. */
const everywhere: [name: string, options: Record<string, unknown>][] = [
  ["maxPayload", { maxPayload: 5 }],
  ["Headers", { Headers: {} }],
  ["headers", { headers: "Cookie: a=b" }],
  ["origin", { origin: 5 }],
  ["origin", { origin: "" }],
  ["signal", { signal: {} }],
  ["compression", { compression: "yes" }],
  ["level9", { compression: { level9: true } }],
  ["overflow", { overflow: "drop" }],
  ["limits", { limits: 5 }],
  ["maxPayload of limits", { limits: { maxPayload: 5 } }],
];

/** Options that only `connectOver()` does not take. */
const connecting: [name: string, options: Record<string, unknown>][] = [
  ["tls", { tls: true }],
  ["ca of tls", { tls: { ca: "x" } }],
  ["caCerts of tls", { tls: { caCerts: "x" } }],
  ["serverName of tls", { tls: { serverName: "" } }],
  ["path", { path: "" }],
  ["proxy", { proxy: 5 }],
];

const reconnecting: [name: string, options: Record<string, unknown>][] = [
  ["isFinal", { isFinal: true }],
  ["protocols", { protocols: 5 }],
  ["discardMessages", { discardMessages: 1 }],
  ["delay", { delay: () => {} }],
  ["random", { random: () => 1 }],
];

type Make = (options: Record<string, unknown>) => Promise<unknown>;

const clients: [name: string, make: Make, cases: typeof everywhere][] = [
  ["connect()", (options) => connect(wss, options as ConnectOptions), [
    ...everywhere,
    ...connecting,
    ["protocols", { protocols: 5 }],
    ["protocols", { protocols: [5] }],
    ["discardMessages", { discardMessages: "yes" }],
  ]],
  [
    "connectOver()",
    (options) => connectOver(memoryPair()[0], wss, options as HandshakeOptions),
    [...everywhere, ["tls", { tls: {} }]],
  ],
  [
    "ReconnectingWebSocket",
    (options) => Promise.try(() => new ReconnectingWebSocket(wss, options)),
    [...everywhere, ...connecting, ...reconnecting],
  ],
  [
    "WebSocketStream",
    (options) => Promise.try(() => new WebSocketStream(wss, options)),
    [...everywhere, ...connecting, ["discardMessages", { discardMessages: true }]],
  ],
];

for (const [owner, make, cases] of clients) {
  for (const [name, options] of cases) {
    test(`${owner} refuses ${JSON.stringify(options)}`, async () => {
      const error = await assertRejects(() => make(options), TypeError);
      assert(error.message.includes(name.split(" ")[0]), error.message);
    });
  }

  test(`${owner} refuses options that are no object`, async () => {
    for (const options of [5, "x", true]) {
      await assertRejects(() => make(options as unknown as Record<string, unknown>), TypeError);
    }
  });
}

test("connect refuses a handler that is none", async () => {
  const handlers: unknown[] = [5, "x", { mesage() {} }, { message: 5 }];
  for (const handler of handlers) {
    await assertRejects(() => connect(wss, {}, handler as { message(): void }), TypeError);
  }
});

test("connect with a function serves the connection, and closes it when the function returns", async () => {
  const { url } = serving(echo);
  const got: unknown[] = [];
  const socket = await connect(url, {}, async (socket) => {
    await socket.send("Hello");
    for await (const message of socket) {
      got.push(message);
      break;
    }
  });
  assertEquals((await deadline(socket.closed, 5000, "closed")).closeCode, 1000);
  assertEquals(got, ["Hello"]);
});

test("connect with discardMessages drops messages, and learns of the server's Close", async () => {
  const { url } = serving(async (socket) => {
    for (let i = 0; i < 200; i++) await socket.send(new Uint8Array(64 * 1024));
    await socket.close(4000);
  });
  const socket = await connect(url, { discardMessages: true });
  assertEquals((await deadline(socket.closed, 10_000, "closed")).closeCode, 4000);
  for await (const message of socket) assert(false, `a message: ${message}`);
});

test("connect with discardMessages calls the other callbacks, and refuses one for messages", async () => {
  const { url } = serving(echo);
  let isOpen = false;
  const handler = { open: () => void (isOpen = true) };
  const socket = await connect(url, { discardMessages: true }, handler);
  assertEquals(isOpen, true);
  await socket.close();
  await assertRejects(
    () => connect(url, { discardMessages: true }, { message() {} }),
    TypeError,
    "discardMessages",
  );
});

test("ReconnectingWebSocket refuses numbers that are no numbers", async () => {
  const options: Record<string, unknown>[] = [{ timeout: "5" }, { maxQueueSize: "5" }];
  for (const option of options) {
    const make = () => Promise.try(() => new ReconnectingWebSocket(wss, option));
    const { message } = await assertRejects(make, RangeError);
    assert(message.includes(Object.keys(option)[0]!), message);
  }
});

test("an error about TLS options contains nothing of a key in the place of a certificate", async () => {
  const key = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----";
  for (const tls of [{ cert: key, key }, { cert: "secret", key }]) {
    const error = await assertRejects(() => connect(wss, { tls }), TypeError, "cert of tls");
    assert(!error.message.includes("secret"), error.message);
  }
});

test("connect refuses header fields whose value is not set", async () => {
  const unset = undefined as unknown as string;
  const all: HeaderFields[] = [{ Authorization: unset }, [["Authorization", unset]]];
  for (const headers of all) {
    await assertRejects(() => connect(wss, { headers }), TypeError, '"Authorization"');
  }
});
