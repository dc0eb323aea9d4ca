// Handlers that still run after their connection is closed hold its place, and what sockets keep counts.
import { assert, assertEquals, delay, eventually, test } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { RawHttpClient } from "../support/http_client.ts";
import { openRaw, serving } from "../support/server.ts";

/** The status of the response to a WebSocket request, retried until it is not 503. */
async function statusOfNext(addr: Parameters<typeof RawHttpClient.connect>[0]): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const client = await RawHttpClient.connect(addr);
    client.send(upgradeRequest());
    const { status } = await client.response();
    client.tcp.reset();
    if (status !== 503) return status;
    await delay(10);
  }
  return 503;
}

for (
  const [name, options] of [
    ["maxConnections", { maxConnections: 2 }],
    ["maxConnectionsPerAddress", { maxConnectionsPerAddress: 2 }],
  ] as const
) {
  test(`${name}: a handler function that still runs holds the place of its connection`, async () => {
    const release = Promise.withResolvers<void>();
    let running = 0;
    const { server } = serving(async (socket) => {
      running++;
      await socket.closed;
      await release.promise;
      running--;
    }, options);
    for (let i = 0; i < 2; i++) (await openRaw(server)).tcp.reset();
    await eventually(() => server.connections.size === 0, 5000, "the ends");
    assertEquals(running, 2);
    const refused = await RawHttpClient.connect(server.addr);
    assertEquals((await refused.response()).status, 503);
    refused.tcp.end();
    release.resolve();
    assertEquals(await statusOfNext(server.addr), 101);
  });

  test(`${name}: a handler function that returns early gives its place back at the end`, async () => {
    const { server } = serving(() => {}, options);
    for (let i = 0; i < 6; i++) {
      const client = await openRaw(server);
      await client.received("\x88\x02\x03\xe8");
      client.tcp.reset();
      await eventually(() => server.connections.size === 0, 5000, "the end");
    }
    assertEquals(await statusOfNext(server.addr), 101);
  });

  test(`${name}: a pending upgrade() holds the place of its connection`, async () => {
    const release = Promise.withResolvers<void>();
    const { server } = serving({}, { ...options, upgrade: () => release.promise });
    for (let i = 0; i < 2; i++) {
      const client = await RawHttpClient.connect(server.addr);
      client.send(upgradeRequest());
      await delay(10);
      client.tcp.reset();
    }
    await delay(30);
    const refused = await RawHttpClient.connect(server.addr);
    assertEquals((await refused.response()).status, 503);
    refused.tcp.end();
    release.resolve();
    assertEquals(await statusOfNext(server.addr), 101);
  });
}

test("maxMemory counts what is received while upgrade() is pending", async () => {
  const release = Promise.withResolvers<void>();
  const { server } = serving({}, { upgrade: () => release.promise });
  const client = await RawHttpClient.connect(server.addr);
  client.send(upgradeRequest(), new Uint8Array(60_000));
  await eventually(() => server.heldBytes >= 50_000, 5000, "the count");
  client.tcp.reset();
  await eventually(() => server.heldBytes === 0, 5000, "nothing held");
  release.resolve();
});

test("maxMemory counts the large heads that sockets keep", async () => {
  const { server } = serving({});
  const large = { Cookie: "x".repeat(12_000) };
  const clients = [];
  for (let i = 0; i < 10; i++) clients.push(await openRaw(server, large));
  assert(server.heldBytes >= 100_000, `${server.heldBytes} bytes`);
  for (const client of clients) client.tcp.reset();
  await eventually(() => server.heldBytes === 0, 5000, "nothing held");
});

test("maxMemory counts responses that wait for the client to read", async () => {
  const { server } = serving({}, { fetch: () => new Response(new Uint8Array(8_000_000)) });
  const client = await RawHttpClient.connect(server.addr);
  client.tcp.socket.pause();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => server.heldBytes > 1_000_000, 5000, "the count");
  client.tcp.reset();
  await eventually(() => server.heldBytes === 0, 5000, "nothing held");
});

test("maxConnectionsPerAddress counts a proxy's connection as that of its latest request", async () => {
  const { server } = serving({}, {
    trustedProxies: ["127.0.0.1"],
    maxConnectionsPerAddress: 1,
    fetch: (_, { clientAddr }) => new Response((clientAddr as { hostname: string }).hostname),
  });
  const [one, two] = await Promise.all([0, 1].map(() => RawHttpClient.connect(server.addr)));
  const from = (address: string) => `X-Forwarded-For: ${address}\r\n`;
  assertEquals((await one!.request("GET /", from("192.0.2.1"))).body, "192.0.2.1");
  assertEquals((await one!.request("GET /", from("192.0.2.1"))).body, "192.0.2.1");
  assertEquals((await one!.request("GET /", from("192.0.2.2"))).body, "192.0.2.2");
  // The first client has no connection any more, the second one has.
  assertEquals((await two!.request("GET /", from("192.0.2.1"))).body, "192.0.2.1");
  assertEquals((await two!.request("GET /", from("192.0.2.2"))).status, 503);
  one!.tcp.end();
  await one!.tcp.untilEnd();
  const three = await RawHttpClient.connect(server.addr);
  assertEquals((await three.request("GET /", from("192.0.2.2"))).status, 200);
});

test("over maxMemory for closeTimeout, the largest HTTP connection is dropped", async () => {
  const release = Promise.withResolvers<void>();
  const { server } = serving({}, {
    maxMemory: 200_000,
    limits: { closeTimeout: 200, bodyTimeout: 20 },
    fetch: async (request) => {
      await release.promise;
      return new Response(await request.text());
    },
  });
  const clients = await Promise.all(
    Array.from({ length: 6 }, () => RawHttpClient.connect(server.addr)),
  );
  const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n";
  for (const client of clients) client.send(head, new Uint8Array(60_000));
  await eventually(() => clients.some(({ tcp }) => tcp.isClosed || tcp.hasEnded), 5000, "an end");
  await eventually(() => server.heldBytes < 200_000, 5000, "less memory");
  release.resolve();
  for (const client of clients) client.tcp.reset();
});

for (const ending of ["clean", "unclean"] as const) {
  test(`maxMemory counts unread messages while a handler runs after a ${ending} end`, async () => {
    const reads = Promise.withResolvers<void>();
    const returns = Promise.withResolvers<void>();
    const sizes: number[] = [];
    const { server } = serving(async (socket) => {
      await reads.promise;
      for await (const message of socket) sizes.push(message.length);
      await returns.promise;
    });
    const client = await openRaw(server);
    const second = ending === "clean" ? 50_000 : 300_000;
    for (const size of [40_000, second]) {
      client.send({ first: 0x82, payload: new Uint8Array(size) });
      await eventually(() => server.heldBytes >= size, 5000, "the count");
    }
    const [socket] = server.connections;
    if (ending === "clean") {
      client.send({ first: 0x88, payload: new Uint8Array([0x03, 0xe8]) });
      await client.received("\x88\x02\x03\xe8");
      client.tcp.end();
    } else {
      socket!.abort();
    }
    await eventually(() => server.connections.size === 0, 5000, "the end");
    // After an unclean end at most 4 times `incomingHighWaterMark` is kept: the first message.
    const least = ending === "clean" ? 90_000 : 40_000;
    assert(server.heldBytes >= least && server.heldBytes < least + 200_000, `${server.heldBytes}`);
    assertEquals(socket!.heldBytes, 0);
    reads.resolve();
    await eventually(() => sizes.length > 0 && server.heldBytes === 0, 5000, "the reads");
    assertEquals(sizes, ending === "clean" ? [40_000, second] : [40_000]);
    returns.resolve();
  });
}

test("maxMemory does not count unread messages when the handler has returned", async () => {
  const reads = Promise.withResolvers<void>();
  const { server } = serving(async () => {
    await reads.promise;
  });
  const client = await openRaw(server);
  client.send({ first: 0x82, payload: new Uint8Array(40_000) });
  await eventually(() => server.heldBytes >= 40_000, 5000, "the count");
  const [socket] = server.connections;
  socket!.abort();
  await eventually(() => server.connections.size === 0, 5000, "the end");
  assert(server.heldBytes >= 40_000);
  reads.resolve();
  await eventually(() => server.heldBytes === 0, 5000, "the return");
  assertEquals(socket!.heldBytes, 0);
});
