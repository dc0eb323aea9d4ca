// Options that are unknown or cannot work are a TypeError that names them, before anything listens.
import { accept, broadcast, connect, serve } from "../../mod.ts";
import type {
  AcceptOptions,
  BroadcastOptions,
  ServeOptions,
  ShutdownOptions,
  SocketHandler,
} from "../../mod.ts";
import { assertMatch, assertThrows, test } from "../harness.ts";
import { HttpPeer } from "../support/http_peer.ts";
import { serving } from "../support/server.ts";

function assertServeRefuses(options: Record<string, unknown>, text: RegExp): void {
  const { message } = assertThrows(() => serve(options as ServeOptions, {}), TypeError);
  assertMatch(message, text);
}

const unusable: [options: Record<string, unknown>, name: RegExp][] = [
  [{ maxPayload: 5 }, /option maxPayload of accept\(\): unknown/],
  [{ maxMessageSize: 5 }, /option maxMessageSize of accept\(\): unknown/],
  [{ limits: { maxPayload: 5 } }, /option maxPayload of limits of accept\(\): unknown/],
  [{ limits: 5 }, /option limits of accept\(\): expected an object, got 5/],
  [{ compression: "yes" }, /option compression of accept\(\): expected a boolean or an object/],
  [{ compression: { windowBits: 9 } }, /option windowBits of compression of accept\(\): unknown/],
  [{ protocols: "chat" }, /option protocols of accept\(\): expected a list of tokens, got "chat"/],
  [{ protocols: ["a b"] }, /option protocols of accept\(\): expected a list of tokens/],
  [{ origins: "https://example.com" }, /option origins of accept\(\): expected "\*" or/],
  [{ origins: ["https://*.example.com"] }, /origin "https:\/\/\*\.example\.com"/],
  [{ origins: ["https://example.com/"] }, /origin "https:\/\/example\.com\/"/],
  [{ origins: [/example/] }, /option origins of accept\(\)/],
  [{ scheme: "ws" }, /option scheme of accept\(\): expected "http" or "https", got "ws"/],
  [{ upgrade: {} }, /option upgrade of accept\(\): expected a function, got an object/],
  [{ overflow: "drop" }, /option overflow of accept\(\)/],
  [{ trustedProxies: "10.0.0.1" }, /option trustedProxies of accept\(\): expected a list/],
  [{ proxyProtocol: 2 }, /option proxyProtocol of accept\(\): expected a boolean, got 2/],
];
for (const [options, text] of unusable) {
  test(`accept() and serve() refuse the options ${JSON.stringify(options)}`, () => {
    const conn = new HttpPeer().conn;
    const accepting = () => void accept(conn, options as AcceptOptions);
    assertMatch(assertThrows(accepting, TypeError).message, text);
    conn.abort();
    assertServeRefuses({ port: 0, ...options }, new RegExp(text.source.replace("accept", "serve")));
  });
}

const unusableOfServe: [options: Record<string, unknown>, name: RegExp][] = [
  [{ port: "8080" }, /option port of serve\(\): expected an integer from 0 to 65535, got "8080"/],
  [{ port: 65536 }, /option port of serve\(\)/],
  [{ host: "127.0.0.1" }, /option host of serve\(\): unknown, expected one of .*hostname/],
  [{ hostname: "" }, /option hostname of serve\(\)/],
  [
    { tls: { cert: undefined, key: undefined } },
    /option tls of serve\(\): expected .*cert and key/,
  ],
  [{ tls: { cert: "a" } }, /option tls of serve\(\)/],
  [{ tls: { cert: "a", key: "b", ca: "c" } }, /option ca of tls of serve\(\): unknown/],
  [{ tls: true }, /option tls of serve\(\)/],
  [{ signal: new AbortController() }, /option signal of serve\(\): expected an AbortSignal/],
  [{ fetch: "page" }, /option fetch of serve\(\): expected a function/],
  [{ onError: true }, /option onError of serve\(\): expected a function/],
  [{ onMessage: () => {} }, /option onMessage of serve\(\): unknown/],
];
for (const [options, text] of unusableOfServe) {
  test(`serve() refuses the options ${JSON.stringify(options)}`, () => {
    assertServeRefuses(options, text);
  });
}

test("serve() refuses options in the place of a handler", () => {
  const both = { port: 0, message() {} };
  assertThrows(() => serve(both as SocketHandler), TypeError, 'unknown callback "port"');
  assertThrows(
    () => serve({ port: 0 }, { onmessage() {} } as SocketHandler),
    TypeError,
    "onmessage",
  );
});

test("accept() refuses an unusable handler", () => {
  const conn = new HttpPeer().conn;
  const handler = { messages() {} } as SocketHandler;
  assertThrows(() => void accept(conn, {}, handler), TypeError, '"messages"');
  conn.abort();
});

test("shutdown() refuses unknown options, and the server goes on", async () => {
  const { server, url } = serving({});
  const shutDown = (options: unknown) => () => void server.shutdown(options as ShutdownOptions);
  assertThrows(shutDown({ timeout: 5 }), TypeError, "option timeout of shutdown(): unknown");
  assertThrows(shutDown("now"), TypeError, "expected an object of options");
  assertThrows(shutDown({ drain: "yes" }), TypeError, "option drain of shutdown()");
  await (await connect(url)).close();
});

test("broadcast() refuses unknown options", () => {
  const options = { excpet: undefined } as BroadcastOptions;
  assertThrows(() => broadcast([], "x", options), TypeError, "option excpet of broadcast()");
});
