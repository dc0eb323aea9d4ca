// Every type of options of the public API refuses unknown names, and values and combinations that can't
// work, before anything happens.
import {
  broadcast,
  connect,
  FrameDecoderStream,
  FrameEncoderStream,
  MessageAssemblerStream,
  MessagePartStream,
  ReconnectingWebSocket,
  resolveLimits,
  serve,
  WebSocketStream,
} from "../mod.ts";
import type { ServeOptions } from "../mod.ts";
import { PerMessageDeflate, useExtensions } from "../src/extensions/mod.ts";
import {
  HandshakeError,
  parseUpgradeResponse,
  RequestHeadParser,
  ResponseHeadParser,
  upgradeRequestFields,
  upgradeRequired,
  writeErrorResponse,
  writeUpgradeResponse,
} from "../src/handshake/mod.ts";
import { FrameDecoder, FrameEncoder, MessageAssembler } from "../src/protocol/mod.ts";
import { testPair } from "../src/testing/mod.ts";
import { openFeed, presence, topics, topicsHandler } from "../src/topics/mod.ts";
import {
  bunSocketHandler,
  connect as connectTransport,
  listen,
  memoryPair,
} from "../src/transport/mod.ts";
import { assert, assertEquals, assertRejects, assertThrows, test } from "./harness.ts";

// deno-lint-ignore no-explicit-any
type Any = any;
type Use = (options: Any) => unknown;

const { signal } = new AbortController();
const peer = { readyState: 1, send() {}, close() {} };
const listening = { hostname: "127.0.0.1", port: 0 };
const client = "ws://127.0.0.1:1/";
const key = "dGhlIHNhbXBsZSBub25jZQ==";

/** Functions and classes with options: each takes the first options, and none of the others. */
const users: [name: string, use: Use, good: unknown, bad: unknown[]][] = [
  ["FrameDecoder", (o) => new FrameDecoder(o), { role: "client", rsv: 0x70 }, [
    { role: "client", rsv: NaN },
    { role: "client", rsv: 1 },
    { role: "client", rsv: "64" },
    { role: "client", chunks: "keep" },
    { role: "client", payload: "copied" },
    { role: "client", maxMessageSize: 5 },
    undefined,
  ]],
  ["FrameDecoderStream", (o) => new FrameDecoderStream(o), { role: "server" }, [
    { role: "server", isMasked: true },
  ]],
  ["FrameEncoder", (o) => new FrameEncoder(o), { role: "client" }, [{ role: "client", mask: 1 }]],
  ["FrameEncoderStream", (o) => new FrameEncoderStream(o), { role: "server" }, [
    { role: "server", rsv: 0 },
    null,
  ]],
  ["MessageAssembler", (o) => new MessageAssembler(o), { maxMessageSize: Infinity }, [
    { maxPayload: 5 },
    { maxMessageSize: "5" },
    { maxMessageSize: 5n },
    { maxMessageSize: NaN },
    { maxFragments: 0 },
    { maxFragments: 1.5 },
    { payload: "own" },
    { onControlFrame: true },
    null,
    5,
    [],
  ]],
  ["MessageAssemblerStream", (o) => new MessageAssemblerStream(o), {}, [{ maxPayload: 5 }]],
  ["MessagePartStream", (o) => new MessagePartStream(o), {}, [{ maxPayload: 5 }]],
  ["resolveLimits()", resolveLimits, { maxHeaders: 5 }, [
    { maxPayload: 5 },
    { maxHeaders: "5" },
    { maxHeaders: 5n },
    null,
    [],
  ]],
  ["PerMessageDeflate", (o) => new PerMessageDeflate(o), { level: 9 }, [
    { windowBits: 9 },
    { serverNoContextTakeover: 1 },
    { threshold: "5" },
    { offers: "none" },
    null,
  ]],
  ["useExtensions()", (o) => useExtensions([], o), { maxMessageSize: 5 }, [
    { maxPayload: 5 },
    { maxMessageSize: -1 },
  ]],
  ["RequestHeadParser", (o) => new RequestHeadParser(o), { allowHttp10: true }, [
    { maxHead: 5 },
    { allowHttp10: "yes" },
    { maxHeaders: "5" },
  ]],
  ["ResponseHeadParser", (o) => new ResponseHeadParser(o), { maxHeaders: 5 }, [
    { allowHttp10: true },
  ]],
  ["HandshakeError", (o) => new HandshakeError("no", o), { code: "ERR_X", status: 403 }, [
    { code: "ERR_X", stauts: 403 },
    { code: "ERR_X", status: "403" },
    { code: "ERR_X", status: 1000 },
    { status: 403 },
  ]],
  ["writeErrorResponse()", (o) => writeErrorResponse(upgradeRequired(), o), { omitBody: true }, [
    { body: false },
  ]],
  ["upgradeRequestFields()", upgradeRequestFields, { host: "a", key }, [
    { host: "a", key, protocol: "chat" },
    { host: "a", key, headers: Promise.resolve({}) },
    { host: "a", key, headers: { Cookie: Promise.resolve("a=b") } },
    { host: "a", key, headers: new Date() },
  ]],
  ["writeUpgradeResponse()", writeUpgradeResponse, { acceptKey: "a" }, [
    { acceptKey: "a", protocols: ["chat"] },
  ]],
  ["memoryPair()", memoryPair, { capacity: 1 }, [
    { size: 5 },
    { capacity: 0 },
    { capacity: NaN },
    { maxChunk: "1" },
    null,
  ]],
  ["listen()", (o) => void listen(o, { connection() {}, error() {} }).close(), listening, [
    { ...listening, host: "127.0.0.1" },
    { ...listening, port: "0" },
    { ...listening, tls: { cert: "a", key: "b", ca: "c" } },
  ]],
  ["bunSocketHandler()", bunSocketHandler, () => {}, [5, {}]],
  ["topics()", topics, {}, [{ history: 5 }]],
  ["subscribe()", (o) => topics().subscribe(peer, "a", o).unsubscribe(), { signal }, [
    { onMessage() {} },
    { signal: {} },
    { since: "1:1" },
  ]],
  ["publish()", (o) => topics().publish("a", "b", o), { id: "1" }, [{ excpet: peer }]],
  ["history()", (o) => topics().history("a", o), { limit: 1 }, [{ max: 1 }, { limit: "1" }]],
  ["topicsHandler()", (o) => topicsHandler(topics(), o), { subscribe: () => true }, [
    { onSubscribe() {} },
    { subscribe: true },
    null,
  ]],
  ["serve()", (o) => void serve(o, {}).shutdown(), listening, [
    new Map([["port", 0]]),
    Promise.resolve(listening),
    { ...listening, path: "/tmp/sluice.sock" },
    { path: "/tmp/sluice.sock", reusePort: true },
    { path: "/tmp/sluice.sock", maxConnectionsPerAddress: 1 },
    { ...listening, forwardedField: "forwarded" },
    { ...listening, overwriteBorrowed: true },
    { ...listening, onError: function* () {} },
    { ...listening, maxConnections: "5" },
  ]],
];

for (const [name, use, good, bad] of users) {
  test(`${name} takes its options, and refuses others`, async () => {
    await use(good);
    for (const options of bad) {
      const error = assertThrows(() => void use(options));
      assert(error instanceof TypeError || error instanceof RangeError, `${name}: ${error}`);
    }
  });
}

test("an unknown option is named, and so are those that exist", () => {
  const { message } = assertThrows(
    () => new MessageAssemblerStream({ maxPayload: 5 } as Any),
    TypeError,
  );
  assertEquals(
    message,
    "Cannot use option maxPayload of MessageOptions: unknown, expected one of maxMessageSize, " +
      "maxFragments, payload, onControlFrame",
  );
});

test("an error about a number that is a string shows the quotes", () => {
  const limits = { maxHeaders: "5" } as Any;
  assertThrows(() => resolveLimits(limits), RangeError, 'expected an integer above 0, got "5"');
});

test("send() refuses unknown options", async () => {
  await using pair = await testPair({});
  for (const options of [{ compres: true }, { compress: "no" }, null, 5] as Any[]) {
    assertThrows(() => void pair.client.send("x", options), TypeError, "send()");
  }
  await pair.client.send("x", { compress: false });
  await pair.client.send("x", {});
});

test("broadcast() refuses an except that is no connection", () => {
  assertThrows(() => broadcast([], "x", { except: peer as Any }), TypeError, "option except");
});

test("presence() and its methods refuse unknown options, and times that no timer can have", async () => {
  await using rooms = topics();
  for (const options of [{ timeout: 5 }, { interval: Infinity }, { grace: 2 ** 31 }] as Any[]) {
    assertThrows(() => presence(rooms, options));
  }
  await using people = presence<string>(rooms, { maxMembers: Infinity });
  assertThrows(() => people.changes("a", { timeout: 5 } as Any), TypeError, "option timeout");
  assertThrows(() => people.join(peer, "a", 5 as Any, "x"), TypeError, "the key, got 5");
});

test("openFeed() refuses topics that are no list, and other options that can't work", async () => {
  const unusable: Any[] = [
    { topics: "world" },
    { topics: [""] },
    { since: { a: "1:1" } },
    { protocols: ["chat"] },
    { discardMessages: true },
    { nope: 1 },
  ];
  for (const options of unusable) assertThrows(() => openFeed(client, options), TypeError);
  await using feed = openFeed(client, { maxAttempts: 1, topics: ["a"] });
  assertThrows(() => feed.subscribe("b", { from: 1 } as Any), TypeError, "option from");
  assertThrows(() => feed.subscribe(5 as Any), TypeError);
});

test("the transport connect() refuses unknown options", async () => {
  const target = { hostname: "127.0.0.1", port: 1 };
  const unusable: Any[] = [{ ...target, host: "a" }, { ...target, port: "1" }];
  for (const options of unusable) {
    await assertRejects(() => connectTransport(options, signal), TypeError, "of connect()");
  }
  const tls = { ca: "x" } as Any;
  await assertRejects(() => connectTransport({ ...target, tls }, signal), TypeError, "ca of tls");
});

test("serve() refuses scheme http with tls", () => {
  const tls = { cert: "a", key: "b" };
  const options: ServeOptions = { ...listening, tls, scheme: "http" };
  assertThrows(() => serve(options, {}), TypeError, 'scheme "http"');
});

test("a generator is no handler and no callback: its body would never run", async () => {
  for (const handler of [function* () {}, async function* () {}, { *message() {} }] as Any[]) {
    assertThrows(() => serve(listening, handler), TypeError, "handler");
    await assertRejects(() => connect(client, {}, handler), TypeError, "handler");
  }
});

test("connect() refuses null in the place of options or a handler", async () => {
  await assertRejects(() => connect(client, null as Any), TypeError);
  await assertRejects(() => connect(client, {}, null as Any), TypeError, "handler");
  assertThrows(() => new ReconnectingWebSocket(client, null as Any), TypeError);
});

test("WebSocketStream converts its options as Web IDL does: null is none, each is read once", async () => {
  const reads: string[] = [];
  const options = {
    get signal() {
      reads.push("signal");
      return AbortSignal.abort(new Error("stop"));
    },
    get protocols() {
      reads.push("protocols");
      return new Set(["a", "b"]);
    },
  };
  const stream = new WebSocketStream(client, options);
  await assertRejects(() => stream.opened, Error, "stop");
  assertEquals(reads, ["protocols", "signal"]);
  for (const none of [null, undefined, {}] as Any[]) {
    const stream = new WebSocketStream(client, none);
    stream.close(none);
    await assertRejects(() => stream.closed);
  }
  for (const options of [5, "x", true, Symbol(), { signal: null }, { protocols: "ab" }] as Any[]) {
    assertThrows(() => new WebSocketStream(client, options), TypeError);
  }
});

test("parseUpgradeResponse() refuses unknown options", () => {
  const head = new ResponseHeadParser();
  head.push(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
  const offer = { key, protocol: "chat" } as Any;
  assertThrows(() => parseUpgradeResponse(head.head!, offer), TypeError, "option protocol");
});
