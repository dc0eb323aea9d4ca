// Clients that leave a server in every way, over real sockets.
import type { CloseInfo, SocketFunction, SocketHandler, WebSocketConnection } from "../../mod.ts";
import { assert, delay, eventually, test, testIf } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { random } from "../protocol/frames.ts";
import { rawFrame } from "../support/frames.ts";
import { assertDescriptors, canCount, countDescriptors } from "../support/descriptors.ts";
import { upgradeRequest } from "../support/http.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import { echo, openRaw, serving } from "../support/server.ts";
import type { RawWebSocket, Served } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import { good } from "../support/tls.ts";

const PATIENCE = 15_000;
const LIMITS = { closeTimeout: 200, handshakeTimeout: 1000, incomingHighWaterMark: 1000 };
const close = rawFrame(closeFrame(1000, "bye"), "server");

/** Resolves once nothing is left of a server's connections. */
async function emptied({ server }: Served<unknown>): Promise<void> {
  const since = performance.now();
  while (server.connections.size > 0) {
    assert(performance.now() - since < PATIENCE, `${server.connections.size} connections are left`);
    await delay(5);
  }
}

/** A server whose connections are used in some way, and how each of them ended. */
function watched(drive: SocketFunction) {
  const ended: CloseInfo[] = [];
  let running = 0;
  const served = serving(async (socket: WebSocketConnection) => {
    running++;
    socket.closed.then((info) => ended.push(info));
    try {
      await drive(socket);
    } finally {
      running--;
    }
  }, { limits: LIMITS });
  return { ...served, ended, isRunning: () => running > 0 };
}

/** Reads one message only. */
const stuck: SocketFunction = async (socket) => {
  for await (const _ of socket) await socket.closed;
};

const DEPARTURES: [name: string, SocketFunction, (client: RawWebSocket) => void, ends: string[]][] =
  [
    ["a reset", echo, ({ tcp }) => tcp.reset(), ["1006 false"]],
    ["a FIN without a Close", echo, ({ tcp }) => tcp.end(), ["1006 false"]],
    ["a FIN inside of a frame", echo, ({ tcp }) => {
      tcp.write(close.subarray(0, 7));
      tcp.end();
    }, ["1006 false"]],
    ["a Close and a FIN at once", echo, ({ tcp }) => {
      tcp.write(close);
      tcp.end();
    }, ["1000 true"]],
    ["a Close without a FIN", echo, ({ tcp }) => tcp.write(close), ["1000 true"]],
    ["a Close and a reset", echo, ({ tcp }) => {
      tcp.write(close);
      tcp.socket.end(() => tcp.reset());
    }, ["1000 true", "1000 false", "1006 false"]],
    ["a reset behind what is not read", stuck, ({ tcp }) => {
      for (let i = 0; i < 50; i++) tcp.write(rawFrame(textFrame("x".repeat(1000)), "server"));
      tcp.socket.write(close, () => tcp.reset());
    }, ["1006 false", "1000 false"]],
  ];

for (const [name, drive, leave, ends] of DEPARTURES) {
  test(`a client that leaves by ${name} leaves nothing`, async () => {
    const served = watched(drive);
    const client = await openRaw(served.server);
    client.send(textFrame("hi"));
    if (drive === echo) await client.received("hi");
    leave(client);
    // A stuck application notices a reset only when it writes or closes.
    if (drive === stuck) {
      await client.tcp.untilClosed();
      await delay(20);
      for (const socket of served.server.connections) socket.close(1001);
    }
    await emptied(served);
    const isOver = () => !served.isRunning() && served.ended.length > 0;
    await eventually(isOver, PATIENCE, "the handler's end");
    const [{ closeCode, wasClean }] = served.ended;
    assert(ends.includes(`${closeCode} ${wasClean}`), `${closeCode} ${wasClean}`);
  });
}

testIf(canCount, "clients that leave inside of the TLS handshake leave nothing", async () => {
  const served = serving(echo, { tls: { cert: good.cert, key: good.key }, limits: LIMITS });
  const before = countDescriptors();
  // The start of a ClientHello: RFC 8446 §4.1.2, in a record of 512 bytes that is never completed.
  const hello = new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
  for (let length = 0; length <= hello.length; length++) {
    for (const way of ["end", "reset"] as const) {
      const client = await tcpConnect(served.server.addr);
      if (length > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        client.socket.write(hello.subarray(0, length), () => resolve());
        await promise;
      }
      client[way]();
      if (way === "end") await client.untilEnd();
      client.socket.destroy();
      await client.untilClosed();
    }
  }
  await emptied(served);
  await assertDescriptors(before);
});

/** Everything that a client of the next test would send. */
const SESSION = join(
  new TextEncoder().encode(upgradeRequest()),
  rawFrame(textFrame("Hello"), "server"),
  rawFrame({ first: 0x01, payload: "frag" }, "server"),
  rawFrame({ first: 0x89, payload: "?" }, "server"),
  rawFrame({ first: 0x80, payload: "ments" }, "server"),
  rawFrame({ first: 0x82, payload: new Uint8Array(70_000) }, "server"),
  close,
);
const callbacks: SocketHandler = { message: (socket, message) => socket.send(message) };

for (const [name, handler] of [["a function", echo], ["callbacks", callbacks]] as const) {
  testIf(canCount, `500 clients that leave anywhere leave nothing: ${name}`, async () => {
    const next = random(name.length);
    let opened = 0;
    const served = serving(handler, { limits: LIMITS, upgrade: () => void opened++ });
    const settled = await openRaw(served.server);
    settled.tcp.end();
    await settled.tcp.untilClosed();
    await emptied(served);
    const before = countDescriptors();
    for (let i = 0; i < 500; i += 50) await Promise.all(Array.from({ length: 50 }, () => leave()));
    await emptied(served);
    await assertDescriptors(before);
    assert(opened > 200 && opened <= 501, `${opened} have become WebSockets`);

    async function leave(): Promise<void> {
      const client = await tcpConnect(served.server.addr);
      // Half of them within the handshake and the short frames.
      const at = next() % (next() % 2 === 0 ? 300 : SESSION.length);
      for (let start = 0; start < at;) {
        const end = Math.min(at, start + 1 + next() % at);
        client.write(SESSION.subarray(start, end));
        start = end;
        if (next() % 2 === 0) await delay(0);
      }
      const way = next() % 4;
      if (way === 0) client.end();
      else if (way === 1) client.reset();
      else if (way === 2) client.socket.destroy();
      // Otherwise the server gives up, or has closed.
      else await Promise.race([client.untilEnd(), delay(50)]);
      if (way === 0) await client.untilEnd();
      client.socket.destroy();
      await client.untilClosed();
    }
  });
}
