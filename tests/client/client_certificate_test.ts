// A server that asks for the client's certificate: Node's, since Deno has none.
import { connect, WebSocketError } from "../../mod.ts";
import type { ClientTls, WebSocketConnection } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  onTestEnd,
  runtime,
  spawn,
  test,
  testIf,
} from "../harness.ts";
import { certificate } from "../support/certificates.ts";
import { ca, good, otherCa } from "../support/tls.ts";

/** Serves one message: the common name of the client's certificate. */
const SERVER = `
const { createHash } = require("node:crypto");
const { createServer } = require("node:tls");
const { ca, cert, key } = JSON.parse(process.argv[1]);
const server = createServer({ ca, cert, key, requestCert: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (head) => {
    const key = /sec-websocket-key: (\\S+)/i.exec(head)[1];
    const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1").update(key + guid).digest("base64");
    const name = socket.getPeerCertificate().subject.CN;
    socket.write("HTTP/1.1 101 X\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n" +
      "Sec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n\\x81" +
      String.fromCharCode(name.length) + name, "latin1");
  });
});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));
`;

const client = certificate({ subject: "the client", issuer: ca });
const stranger = certificate({ subject: "a stranger", issuer: otherCa });

async function servingAndAsking(): Promise<string> {
  const keys = JSON.stringify({ ca: ca.cert, cert: good.cert, key: good.key });
  const child = spawn("node", ["-e", SERVER, keys]);
  onTestEnd(() => child.kill());
  return `wss://127.0.0.1:${(await child.waitForLine(/^port (\d+)$/))[1]}/`;
}

async function nameSeen(socket: WebSocketConnection): Promise<unknown> {
  const { value } = await socket[Symbol.asyncIterator]().next();
  socket.abort();
  await socket.closed;
  return value;
}

const hasNode = canRun("node", ["--version"]);

testIf(
  hasNode,
  "connect shows the client's certificate to a server that asks for one",
  async () => {
    const url = await servingAndAsking();
    const { cert, key } = client;
    const socket = await connect(url, { tls: { caCerts: [ca.cert], cert, key } });
    assertEquals(await nameSeen(socket), "the client");
  },
);

testIf(hasNode, "connect rejects if the server asks for another certificate", async () => {
  const url = await servingAndAsking();
  const { cert, key } = stranger;
  for (const own of [{}, { cert, key }]) {
    // TLS 1.3: the client is done before the server has seen its certificate.
    const error = await assertRejects(
      () => connect(url, { tls: { caCerts: [ca.cert], ...own } }),
      WebSocketError,
    );
    assert(/^ERR_(TLS|HANDSHAKE_LEFT)$/.test(error.code), `${error.code}: ${error}`);
  }
});

testIf(hasNode, "connect verifies the server's certificate when it shows its own", async () => {
  const url = await servingAndAsking();
  const { cert, key } = client;
  const error = await assertRejects(() => connect(url, { tls: { cert, key } }), WebSocketError);
  assertEquals(error.code, "ERR_TLS");
});

testIf(hasNode, "connect with a client certificate ends when its signal aborts", async () => {
  const url = await servingAndAsking();
  const { cert, key } = client;
  for (let ms = 0; ms < 8; ms++) {
    const stop = new AbortController();
    const attempt = connect(url, { tls: { caCerts: [ca.cert], cert, key }, signal: stop.signal });
    attempt.catch(() => {});
    const until = performance.now() + ms;
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 0));
    stop.abort("enough");
    try {
      const socket = await attempt;
      socket.abort();
      await socket.closed;
    } catch (error) {
      assertEquals(error, "enough");
    }
  }
});

const { cert, key } = client;
const unusable: [name: string, tls: Record<string, unknown>][] = [
  ["a certificate without a key", { cert }],
  ["a key without a certificate", { key }],
  ["variables that are not set", { cert: undefined, key: undefined }],
  ["empty strings", { cert: "", key: "" }],
  ["a certificate that is not PEM", { cert: "cert", key }],
  ["a key that is not PEM", { cert, key: "secret" }],
  ["the key in place of the certificate", { cert: key, key: cert }],
];

for (const [name, tls] of unusable) {
  test(`connect refuses ${name} before it connects`, async () => {
    const error = await assertRejects(
      () => connect("wss://127.0.0.1:1/", { tls: tls as ClientTls }),
      TypeError,
    );
    assert(/cert|key/.test(error.message), error.message);
    assert(!error.message.includes("secret"), error.message);
  });
}

// Bun can do it.
if (runtime === "deno") {
  test(
    "connect refuses a client certificate with a proxy or a server name",
    async () => {
      for (
        const more of [{ tls: { cert, key, serverName: "a" } }, { proxy: "http://127.0.0.1:1" }]
      ) {
        await assertRejects(
          () => connect("wss://127.0.0.1:1/", { tls: { cert, key }, ...more }),
          TypeError,
          "Deno",
        );
      }
    },
  );
}
