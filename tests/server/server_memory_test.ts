import { assert, assertEquals, assertThrows, delay, eventually, test } from "../harness.ts";
import { serve } from "../../mod.ts";
import { rawFrame } from "../support/frames.ts";
import { upgradeRequest } from "../support/http.ts";
import { openRaw, PlatformClient, serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

const KIB = 1024;

/** Returns the beginning of a message that does not end. */
function start(size: number) {
  return { first: 0x02, payload: new Uint8Array(size) };
}

test("serve refuses a maxMemory that is not above 0", () => {
  for (const maxMemory of [0, -1, NaN]) {
    assertThrows(() => serve({ port: 0, maxMemory }, {}), RangeError, "Cannot use maxMemory");
  }
});

test("over maxMemory, upgrades get 503 and Retry-After, and plain HTTP and open connections are served", async () => {
  const { server, url, errors } = serving({
    message: (socket, message) => void socket.send(message),
  }, {
    maxMemory: 500 * KIB,
    fetch: () => new Response("here"),
    limits: { closeTimeout: 4000 },
  });
  const other = new PlatformClient(url);
  await other.opened;
  const heavies = await Promise.all([openRaw(server), openRaw(server), openRaw(server)]);
  for (const client of heavies) client.send(start(200 * KIB));
  await eventually(() => server.heldBytes > 500 * KIB, 10_000, "more than maxMemory");

  const refused = await tcpConnect(server.addr);
  refused.write(upgradeRequest({}));
  const answer = await refused.untilEnd();
  assert(answer.startsWith("HTTP/1.1 503 Service Unavailable\r\n"), answer);
  assert(answer.includes("\r\nRetry-After: 4\r\n"), answer);
  assert(errors.some(({ error }) => (error as { code: string }).code === "ERR_HANDSHAKE_MEMORY"));

  const plain = await tcpConnect(server.addr);
  plain.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert((await plain.untilEnd()).endsWith("\r\n\r\nhere"));
  other.socket.send("still here");
  assertEquals(await other.received(1), ["still here"]);

  // The end of a connection that is not read is not seen: it is closed after closeTimeout.
  for (const client of heavies) client.tcp.reset();
  await eventually(() => server.heldBytes === 0, 10_000, "nothing held");
  await openRaw(server);
});

test("over maxMemory, the largest connection is not read, and its peer stops sending", async () => {
  const { server, url } = serving({
    message: (socket, message) => void socket.send(message),
  }, {
    maxMemory: 3 * 1024 * KIB,
    limits: { maxMessageSize: Infinity, maxFragments: Infinity, closeTimeout: 60_000 },
  });
  const other = new PlatformClient(url);
  await other.opened;
  const heavy = await openRaw(server);
  const fragment = rawFrame({ first: 0x00, payload: new Uint8Array(1000) }, "server");
  heavy.send(start(1000));
  let isHeld = false;
  for (let i = 0; i < 60_000 && !isHeld; i++) {
    heavy.tcp.write(fragment);
    isHeld = heavy.tcp.socket.writableLength > 8 * 1024 * KIB;
    if (i % 500 === 0) await delay(1);
  }
  assert(isHeld, "the kernel takes no more");
  assert(server.heldBytes > 3 * 1024 * KIB, `${server.heldBytes}`);
  assert(server.heldBytes <= 6 * 1024 * KIB, `${server.heldBytes}`);
  other.socket.send("still here");
  assertEquals(await other.received(1), ["still here"]);
});

test("over maxMemory for closeTimeout, a connection with an unfinished message is closed with 1013", async () => {
  const { server } = serving({ message() {} }, {
    maxMemory: 1200 * KIB,
    limits: { closeTimeout: 200, maxMessageSize: 2048 * KIB },
  });
  const [large, small] = await Promise.all([openRaw(server), openRaw(server)]);
  small.send(start(80 * KIB));
  await eventually(() => server.heldBytes > 0, 10_000, "the small one");
  large.send(start(1160 * KIB));
  await large.received("\x88\x02\x03\xf5");
  await eventually(() => server.heldBytes < 1080 * KIB, 10_000, "less");
  assertEquals([...server.connections].filter(({ readyState }) => readyState === 1).length, 1);
  small.send({ first: 0x80, payload: "" });
  await eventually(() => server.heldBytes < 600 * KIB, 10_000, "the small one's end");
});
