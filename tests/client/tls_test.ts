// TLS of the server and of the client, with certificates made by the tests.
import { connect, HandshakeError, WebSocketError } from "../../mod.ts";
import type { TcpAddr } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  deadline,
  delay,
  eventually,
  onTestEnd,
  runtime,
  test,
} from "../harness.ts";
import { collect, exchange } from "../support/open.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";
import {
  ca,
  commonNameOnly,
  elsewhere,
  expired,
  future,
  good,
  otherCa,
  selfSigned,
  servingTls,
  trust,
} from "../support/tls.ts";

test("connect and serve exchange messages over TLS", async () => {
  const urls: string[] = [];
  const { url, server, errors } = servingTls(echo, good, {
    protocols: ["chat"],
    upgrade: (request) => void urls.push(request.url),
  });
  const socket = await connect(`${url}chat`, { ...trust, protocols: ["chat"] });
  assertEquals(urls, [`${url.replace("wss", "https")}chat`]);
  assertEquals(socket.request.url, urls[0]);
  assertEquals([...server.connections].map(({ request }) => request.url), urls);
  assertEquals([socket.protocol, socket.remoteAddr.transport], ["chat", "tcp"]);
  const messages: (string | Uint8Array)[] = [];
  for (const size of [0, 1, 125, 126, 16384, 65535, 65536, 1024 * 1024]) {
    messages.push("x".repeat(size), new Uint8Array(size).fill(size & 0xff));
  }
  assertEquals(await exchange(messages, socket), messages);
  const { closeCode, wasClean } = await socket.close(1000);
  assertEquals([closeCode, wasClean], [1000, true]);
  assertEquals(errors, []);
});

test("connect and serve exchange messages over TLS with callbacks, and by a host name", async () => {
  const served = serving({
    message: (socket, message) => socket.send(message),
  }, { tls: { cert: good.cert, key: good.key } });
  const { port } = served.server.addr as TcpAddr;
  const socket = await connect(`https://localhost:${port}`, trust);
  const count = 5000;
  const got = collect(socket);
  for (let i = 0; i < count; i++) socket.send(`message ${i}`);
  await socket.ping();
  assertEquals((await socket.close()).wasClean, true);
  assertEquals((await got).length, count);
});

test("the server closes cleanly over TLS", async () => {
  const { url, errors } = servingTls((socket) => void socket.close(4001, "bye"));
  const socket = await connect(url, trust);
  assertEquals(await collect(socket), []);
  const { closeCode, reason, wasClean } = await deadline(socket.closed, 3000, "closed");
  assertEquals([closeCode, reason, wasClean], [4001, "bye", true]);
  assertEquals(errors, []);
});

test("backpressure goes through TLS", async () => {
  const big = new Uint8Array(1024 * 1024);
  let sent = 0;
  const { url } = servingTls(async (socket) => {
    for (let i = 0; i < 32; i++) {
      await socket.send(big);
      sent++;
    }
  });
  const socket = await connect(url, trust);
  await delay(300);
  assert(sent < 32, `${sent} messages have been sent to a client that reads nothing`);
  assertEquals((await collect(socket)).length, 32);
  assertEquals((await socket.closed).wasClean, true);
});

const refused: [name: string, certificate: typeof good, tls: Parameters<typeof connect>[1]][] = [
  ["an authority that is not trusted", good, {}],
  ["another authority than the one that is trusted", good, { tls: { caCerts: [otherCa.cert] } }],
  ["a self-signed certificate", selfSigned, trust],
  ["a certificate for another name", elsewhere, trust],
  ["an expired certificate", expired, trust],
  ["a certificate that is not valid yet", future, trust],
  ["another name than the one that is asked for", good, {
    tls: { caCerts: [ca.cert], serverName: "elsewhere.test" },
  }],
];

for (const [name, shown, options] of refused) {
  test(`connect refuses ${name}`, async () => {
    const { url, server, errors } = servingTls(echo, shown);
    const error = await assertRejects(() => connect(url, options), WebSocketError);
    assertEquals([error.name, error.code, error.closeCode], ["WebSocketError", "ERR_TLS", 1006]);
    assert(error.cause instanceof Error, String(error));
    // The server reports no error.
    await delay(20);
    assertEquals([server.connections.size, errors], [0, []]);
  });
}

test("RFC 9525 §6.3: connect refuses a certificate with the name as its common name only", async () => {
  const { port } = servingTls(echo, commonNameOnly);
  const error = await assertRejects(
    () => connect(`wss://localhost:${port}/`, trust),
    WebSocketError,
  );
  assertEquals(error.code, "ERR_TLS");
});

test("connect refuses them even if the environment disables verification", async () => {
  const { default: process } = await import("node:process");
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  onTestEnd(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  });
  for (const shown of [selfSigned, elsewhere, expired]) {
    const { url } = servingTls(echo, shown);
    const error = await assertRejects(() => connect(url, trust), WebSocketError);
    assertEquals(error.code, "ERR_TLS");
  }
});

test("connect accepts a certificate for the option serverName", async () => {
  const { url } = servingTls(echo, elsewhere);
  const tls = { caCerts: [otherCa.cert, ca.cert], serverName: "elsewhere.test" };
  const socket = await connect(url, { tls });
  assertEquals(socket.request.headers.get("host"), new URL(url).host);
  await socket.close();
});

test("connect refuses a server without TLS, and certificates that are not PEM", async () => {
  const { url } = serving(echo);
  const plain = await assertRejects(
    () => connect(url.replace("ws:", "wss:"), trust),
    WebSocketError,
  );
  assertEquals(plain.code, "ERR_TLS");
  const tls = servingTls();
  const empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const pem of ["nonsense", "", ca.cert.slice(0, 200), empty, ca.cert + empty]) {
    await assertRejects(() => connect(tls.url, { tls: { caCerts: [pem] } }), TypeError, "caCerts");
  }
  for (const serverName of ["[::1]", "two words", "https://example.com", "bücher.example"]) {
    await assertRejects(() => connect(tls.url, { tls: { serverName } }), TypeError, "serverName");
  }
  await assertRejects(() => connect(tls.url, { tls: { serverName: "" } }), TypeError, "serverName");
});

test("connect without TLS to a TLS server rejects", async () => {
  const { port, errors } = servingTls();
  // A TLS alert is not HTTP.
  const error = await assertRejects(() => connect(`ws://127.0.0.1:${port}/`), WebSocketError);
  assert(error instanceof HandshakeError || error.code === "ERR_HANDSHAKE_LEFT", String(error));
  assertEquals(errors, []);
});

test("connect ends a TLS handshake by its timeout or its signal", async () => {
  const server = await rawServer();
  const url = `wss://127.0.0.1:${server.port}/`;
  const late = await assertRejects(() => connect(url, { timeout: 50 }), DOMException);
  assertEquals(late.name, "TimeoutError");
  const stop = new AbortController();
  const attempt = connect(url, { signal: stop.signal });
  setTimeout(() => stop.abort("enough"), 50);
  assertEquals(await assertRejects(() => attempt), "enough");
  // Deno continues a handshake until the server sends something or disconnects.
  if (runtime === "bun") {
    for (const connection of server.connections) {
      await connection.untilGone();
    }
  }
});

test("connect over TLS ends at once when its signal aborts, at any step", async () => {
  const { url, server } = servingTls();
  for (let ms = 0; ms < 12; ms += 0.5) {
    const stop = new AbortController();
    const attempt = connect(url, { ...trust, signal: stop.signal });
    attempt.catch(() => {});
    const until = performance.now() + ms;
    while (performance.now() < until) await delay(0);
    stop.abort("enough");
    try {
      await (await attempt).close();
    } catch (error) {
      assertEquals(error, "enough");
    }
  }
  await eventually(() => server.connections.size === 0, 5000, "no connections");
});

test("connect rejects if the server disconnects during the TLS handshake", async () => {
  for (const isReset of [false, true]) {
    const server = await rawServer(async (connection) => {
      await connection.until(() => connection.text.length > 0, "a ClientHello");
      if (isReset) connection.socket.resetAndDestroy();
      else connection.socket.end();
    });
    const error = await assertRejects(
      () => connect(`wss://127.0.0.1:${server.port}/`, trust),
      WebSocketError,
    );
    assertEquals(error.code, "ERR_TLS");
  }
});

/** The server name in a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3); `undefined` if there is none. */
function serverNameIn(hello: Uint8Array): string | undefined {
  const view = new DataView(hello.buffer, hello.byteOffset, hello.length);
  let at = 43; // The record's and the message's headers, the version, the random bytes.
  at += 1 + hello[at]; // The session.
  at += 2 + view.getUint16(at); // The cipher suites.
  at += 1 + hello[at]; // The compression methods.
  const end = at + 2 + view.getUint16(at);
  for (at += 2; at < end; at += 4 + view.getUint16(at + 2)) {
    const last = at + 4 + view.getUint16(at + 2);
    if (view.getUint16(at) === 0) return new TextDecoder().decode(hello.subarray(at + 9, last));
  }
  return undefined;
}

for (
  const [name, serverName, sent] of [
    ["an IPv4 address", undefined, undefined],
    ["an IPv4 address as serverName", "192.0.2.1", undefined],
    ["an IPv6 address as serverName", "2001:db8::1", undefined],
    ["a name", "example.com", "example.com"],
    ["a name with a trailing dot", "example.com.", "example.com"],
  ] as const
) {
  test(`RFC 6066 §3: connect sends ${sent ?? "no server name"} for ${name}`, async () => {
    const { promise: hello, resolve } = Promise.withResolvers<Uint8Array>();
    const server = await rawServer(({ socket }) => void socket.once("data", resolve));
    const stop = new AbortController();
    const tls = serverName === undefined ? {} : { serverName };
    const attempt = connect(`wss://127.0.0.1:${server.port}/`, { tls, signal: stop.signal });
    const name = serverNameIn(await deadline(hello, 5000, "the ClientHello"));
    stop.abort(new Error("enough"));
    await assertRejects(() => attempt);
    assertEquals(name, sent);
  });
}

test("connect names the certificate of a bundle that is malformed, or has no end", async () => {
  const good = ca.cert.trim();
  const bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  const open = "-----BEGIN CERTIFICATE-----\nAAAA";
  const bundles: [caCerts: string[], text: string][] = [
    [[bad], "certificate 1 of 1 is malformed"],
    [[[good, good, bad].join("\n")], "certificate 3 of 3 is malformed"],
    [[good, [good, bad].join("\n")], "certificate 2 of 2 in string 2 of 2 is malformed"],
    [[[good, open, good].join("\n")], "certificate 2 of 3 has no end"],
    [[[good, open].join("\n")], "certificate 2 of 2 has no end"],
  ];
  for (const [caCerts, text] of bundles) {
    const connecting = () => connect("wss://127.0.0.1:1/", { tls: { caCerts } });
    await assertRejects(connecting, TypeError, `Cannot use caCerts of tls: ${text}`);
  }
  // Text around the certificates, as in the bundles of Linux distributions, is no mistake.
  const caCerts = [`# An authority\n${good}\n\n# Another\n${otherCa.cert}`];
  const connecting = () => connect("wss://127.0.0.1:1/", { tls: { caCerts } });
  await assertRejects(connecting, WebSocketError, "Cannot connect");
});

test("connect refuses certificates that are missing, and a serverName that is no name", async () => {
  const connecting = (tls: object) => () => connect("wss://127.0.0.1:1/", { tls });
  // deno-lint-ignore no-sparse-arrays
  const caCerts = [, ca.cert];
  const expected = "Cannot use option caCerts of tls of connect()";
  await assertRejects(connecting({ caCerts }), TypeError, expected);
  const invalid = [
    ...["a:b:c", "::::", "1.2.3.256", "1.2.3.4.5", "127.0.0.1.", "0x7f.1"],
    ...["-a", "a-.b", "a..b", "[::1]", "a:443", "müller.de"],
  ];
  for (const serverName of invalid) {
    const expected = "Cannot use serverName of tls: expected a host name";
    await assertRejects(connecting({ serverName }), TypeError, expected);
  }
  const valid = ["xn--mller-kva.de", "a_b.c-d.", "1a.2b", "::1", "::ffff:1.2.3.4", "1.2.3.4"];
  for (const serverName of valid) {
    const expected = "Cannot connect to 127.0.0.1, port 1";
    await assertRejects(connecting({ serverName }), WebSocketError, expected);
  }
});
