// TLS of the server: faulty clients, and options.
import { Buffer } from "node:buffer";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { connect, type HandshakeError, serve, WebSocketError } from "../../mod.ts";
import type { ConnectOptions, ServeOptions } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  canRun,
  deadline,
  eventually,
  onTestEnd,
  runtime,
  spawn,
  test,
  testIf,
} from "../harness.ts";
import { certificate } from "../support/certificates.ts";
import { upgradeRequest } from "../support/http.ts";
import { collect } from "../support/open.ts";
import { echo, serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import { ca, elsewhere, good, servingTls, trust } from "../support/tls.ts";

testIf(canRun("curl"), "serve answers plain HTTP over TLS, with https URLs", async () => {
  const { port } = servingTls(echo, good, { fetch: ({ url }) => new Response(url) });
  const folder = await mkdtemp(`${tmpdir()}/sluice-`);
  onTestEnd(() => rm(folder, { recursive: true }));
  await writeFile(`${folder}/ca.pem`, ca.cert);
  const url = `https://localhost:${port}/a`;
  const child = spawn("curl", ["-sS", "--noproxy", "*", "--cacert", `${folder}/ca.pem`, url]);
  assertEquals(await child.exited, { code: 0, stdout: url, stderr: "" });
});

/** The beginning of a ClientHello. */
const HELLO = Buffer.from("160301020001", "hex");

const bad: [name: string, bytes: Uint8Array | string, end: "fin" | "reset" | "none"][] = [
  ["speaks plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "none"],
  ["speaks plain HTTP, and leaves", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "fin"],
  ["sends garbage", "\x80\x00garbage".repeat(100), "none"],
  ["leaves in the middle of the TLS handshake", HELLO, "fin"],
  ["resets in the middle of the TLS handshake", HELLO, "reset"],
  ["leaves at once", "", "fin"],
  ["resets at once", "", "reset"],
  ["is silent", "", "none"],
  ["is silent after the beginning of a TLS handshake", HELLO, "none"],
];

for (const [name, bytes, end] of bad) {
  test(`a client that ${name} harms no other client`, async () => {
    const { url, server, errors } = servingTls(echo, good, {
      limits: { handshakeTimeout: 60, closeTimeout: 60 },
    });
    for (let i = 0; i < 5; i++) {
      const client = await tcpConnect(server.addr);
      if (bytes.length > 0) client.write(bytes);
      if (end === "fin") client.end();
      else if (end === "reset") client.reset();
      const isHeld = runtime === "deno" && end === "none" &&
        (bytes === "" || bytes === HELLO);
      // Deno continues a handshake by itself until the peer sends or ends something.
      if (!isHeld) await client.until(({ hasEnded, isClosed }) => hasEnded || isClosed, "the end");
    }
    const socket = await connect(url, trust);
    await socket.send("still there?");
    assertEquals((await socket[Symbol.asyncIterator]().next()).value, "still there?");
    assertEquals((await socket.close()).wasClean, true);
    const tooLate = errors.filter(({ error }) => (error as HandshakeError).status !== 408);
    assertEquals(tooLate, []);
  });
}

testIf(canRun("openssl", ["version"]), "a FIN without close_notify is a 1006", async () => {
  const { port, server, errors } = servingTls();
  const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-quiet"], {
    input: upgradeRequest({ Host: "127.0.0.1" }, "GET / HTTP/1.1"),
  });
  await eventually(() => server.connections.size > 0, 5000, "a connection");
  const [socket] = server.connections;
  await client.kill("SIGKILL");
  const { closeCode, wasClean } = await deadline(socket.closed, 5000, "closed");
  assertEquals([closeCode, wasClean, errors], [1006, false, []]);
});

test("serve refuses an invalid certificate, and TLS on a Unix socket", () => {
  const { cert, key } = good;
  const empty = (what: string) => `-----BEGIN ${what}-----\nAAAA\n-----END ${what}-----\n`;
  for (const bad of ["nonsense", key, empty("CERTIFICATE"), cert + empty("CERTIFICATE")]) {
    assertThrows(
      () => servingTls(echo, { ...good, cert: bad }),
      TypeError,
      "Cannot use cert of tls",
    );
  }
  for (const bad of ["nonsense", cert, empty("PRIVATE KEY"), elsewhere.key]) {
    const error = assertThrows(() => servingTls(echo, { ...good, key: bad }), TypeError);
    assert(/^Cannot use key of tls: (expected|it is)/.test(error.message), error.message);
    assert(!error.message.includes(elsewhere.key.slice(30, 60)), "nothing of the key");
  }
  const options = { tls: { cert, key }, path: "/tmp/never" };
  assertThrows(() => serve(options, echo), TypeError, "TLS is for TCP");
});

test("serve and connect refuse a key that one of the runtimes can't use", async () => {
  const keys = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const { cert, key } = certificate({ subject: "weak", names: ["localhost"], issuer: ca, keys });
  const expected = "Cannot use key of tls: it is malformed, or not RSA of 2048 to 8192 bits, " +
    "EC (P-256, P-384, P-521) or Ed25519";
  assertThrows(() => servingTls(echo, { ...good, cert, key }), TypeError, expected);
  const connecting = () => connect("wss://127.0.0.1:1/", { tls: { cert, key } });
  await assertRejects(connecting, TypeError, expected);
});

test("serve and connect take certificates and keys with text around them", async () => {
  const around = (pem: string) => `\uFEFF"${pem}"\0`;
  const { url } = servingTls(echo, { ...good, cert: around(good.cert), key: around(good.key) });
  const socket = await connect(url, { tls: { caCerts: [around(ca.cert)] } });
  await socket.send("hello");
  for await (const message of socket) {
    assertEquals(message, "hello");
    break;
  }
  await socket.close();
});

test("errors on TLS options contain nothing of a key, wherever it stands", async () => {
  const { cert, key } = good;
  const secret = key.slice(30, 50);
  for (const tls of [key, [key, cert], { [key]: 1 }, { cert: key, key: cert }]) {
    const options = { port: 0, tls } as unknown as ServeOptions;
    const { message } = assertThrows(() => serve(options, echo), TypeError);
    assert(!message.includes(secret), message);
  }
  for (const tls of [key, [key, cert], { caCerts: key }, { caCerts: [key] }, { serverName: key }]) {
    const options = { tls } as unknown as ConnectOptions;
    const error = await assertRejects(() => connect("wss://127.0.0.1:1/", options), TypeError);
    assert(!error.message.includes(secret), error.message);
  }
});

test("serve gives https URLs if `scheme` says that a proxy ends TLS", async () => {
  const { url } = serving(async (socket) => {
    await socket.send(socket.request.url);
  }, { scheme: "https" });
  const socket = await connect(url);
  assertEquals(await collect(socket), [`${url.replace("ws:", "https:")}/`]);
});

test("a new server on the same port takes over with a renewed certificate", async () => {
  const first = servingTls(echo, elsewhere);
  await assertRejects(() => connect(first.url, trust), WebSocketError);
  const ended = first.server.shutdown({ spread: 100 });
  let second: ReturnType<typeof servingTls> | undefined;
  // Deno frees the port a moment after the listener is closed.
  await eventually(
    () => {
      try {
        second = servingTls(echo, good, { port: first.port });
      } catch { /* The port is still in use. */ }
      return second !== undefined;
    },
    5000,
    "the port",
  );
  assertEquals(second!.port, first.port);
  await (await connect(second!.url, trust)).close();
  await ended;
});
