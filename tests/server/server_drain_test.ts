// shutdown() with `spread`, `deadline` and `drain`. For the others see server_shutdown_test.ts.
import type { TcpAddr, WebSocketServer } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
  deadline,
  delay,
  run,
  test,
} from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { turns } from "../support/open.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { scriptCommand } from "../support/script.ts";
import { openRaw, PlatformClient, serving } from "../support/server.ts";
import type { RawWebSocket } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

const CLOSE_1001 = "\x88\x02\x03\xe9";

/** Opens raw clients, which answer a Close frame and record when it arrives. */
async function openMany(server: WebSocketServer, count: number) {
  const times = new Map<RawWebSocket, number>();
  const clients = await Promise.all(Array.from({ length: count }, async () => {
    const client = await openRaw(server);
    const { tcp } = client;
    const hasClose = () => client.text.includes(CLOSE_1001);
    tcp.until(() => hasClose() || tcp.hasEnded || tcp.isClosed, "a Close, or the end").then(() => {
      if (!hasClose()) return;
      times.set(client, performance.now());
      client.send(closeFrame(1001));
      client.tcp.end();
    }, () => {});
    return client;
  }));
  return { clients, times };
}

test("shutdown spreads the Close frames over a period, in random order", async () => {
  const { server } = serving({});
  const { clients, times } = await openMany(server, 40);
  const sockets = [...server.connections];
  const order: number[] = [];
  for (const [i, socket] of sockets.entries()) socket.closed.then(() => order.push(i));
  const started = performance.now();
  await server.shutdown({ spread: 400 });
  const delays = clients.map((client) => times.get(client)! - started).sort((a, b) => a - b);
  assert(delays[0] < 390, `the first at once, after ${delays[0]} ms`);
  assert(delays[39] >= 390, `the last at the end, after ${delays[39]} ms`);
  const early = delays.filter((delay) => delay < 200).length;
  assert(early < 35, `${early} of 40 in the first half`);
  assertEquals(order.length, 40);
  assert(order.some((i, at) => i !== at), "in another order than they came");
  assert(order.some((i, at) => i !== 39 - at), "nor the other way round");
});

test("shutdown with a spread closes a single connection at once", async () => {
  const { server } = serving({});
  await openMany(server, 1);
  await deadline(server.shutdown({ spread: 60_000 }), 5000, "the end");
});

test("a second shutdown speeds up the first", async () => {
  const { server } = serving({});
  const { clients, times } = await openMany(server, 5);
  const finished = server.shutdown({ spread: 60_000 });
  await delay(20);
  assert(server.shutdown() === finished);
  await deadline(finished, 5000, "the end");
  assertEquals(times.size, clients.length);
});

test("shutdown drops connections that are open at the deadline", async () => {
  const { server } = serving({}, { limits: { closeTimeout: 60_000 } });
  const client = await openRaw(server);
  const started = performance.now();
  await deadline(server.shutdown({ deadline: 50 }), 5000, "the end");
  assert(performance.now() - started >= 45);
  await client.tcp.untilEnd();
  assertEquals(server.connections.size, 0);
});

test("a deadline before the end of the spread drops connections that got no Close frame yet", async () => {
  const { server } = serving({});
  const { clients, times } = await openMany(server, 4);
  await deadline(server.shutdown({ spread: 60_000, deadline: 50 }), 5000, "the end");
  await Promise.all(clients.map(({ tcp }) => tcp.untilEnd()));
  assertEquals(times.size, 1);
});

test("a later call cannot postpone the deadline", async () => {
  const { server } = serving({}, { limits: { closeTimeout: 60_000 } });
  await openRaw(server);
  const finished = server.shutdown({ deadline: 50 });
  server.shutdown({ deadline: 60_000 });
  server.shutdown({ deadline: Infinity });
  await deadline(finished, 5000, "the end");
});

test("a slow reader gets the queued messages, until the deadline", async () => {
  const { server } = serving({}, { limits: { closeTimeout: 1000 } });
  const client = await openRaw(server);
  const [socket] = server.connections;
  client.tcp.socket.pause();
  const size = 8 * 1024 * 1024;
  socket.send(new Uint8Array(size));
  const finished = server.shutdown({ deadline: 20_000 });
  await delay(100);
  client.tcp.socket.resume();
  await client.tcp.until(({ length }) => length > size, "all of it");
  await client.received(CLOSE_1001);
  client.send(closeFrame(1001));
  client.tcp.end();
  await deadline(finished, 5000, "the end");
  assertEquals((await socket.closed).wasClean, true);
});

test("shutdown checks its times", () => {
  const { server } = serving({});
  for (const value of [-1, NaN, "1" as unknown as number]) {
    assertThrows(() => void server.shutdown({ spread: value }), RangeError, "spread");
    assertThrows(() => void server.shutdown({ deadline: value }), RangeError, "deadline");
  }
  assertThrows(() => void server.shutdown({ spread: Infinity }), RangeError, "spread");
  assertEquals(server.isDraining, false);
});

/** Sends a plain HTTP request. */
async function responseTo(
  server: WebSocketServer,
  request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
) {
  const client = await tcpConnect(server.addr);
  client.write(request);
  const text = await client.untilEnd();
  client.end();
  return text;
}

test("shutdown with drain listens until the last WebSocket is closed, and answers 503", async () => {
  const served = serving({}, {
    fetch: (): Response => new Response("", { status: served.server.isDraining ? 503 : 200 }),
    limits: { closeTimeout: 20_000 },
  });
  const { server, errors } = served;
  const client = await openRaw(server);
  assertMatch(await responseTo(server), /^HTTP\/1\.1 200 /);
  const half = await tcpConnect(server.addr);
  half.write(upgradeRequest().slice(0, 30));
  const finished = server.shutdown({ drain: true });
  await client.received(CLOSE_1001);
  assertMatch(await responseTo(server), /^HTTP\/1\.1 503 /);
  const refused = await responseTo(server, upgradeRequest());
  assertMatch(refused, /^HTTP\/1\.1 503 Service Unavailable\r\n(.+\r\n)*Retry-After: 5\r\n/);
  half.write(upgradeRequest().slice(30));
  assertMatch(await half.untilEnd(), /^HTTP\/1\.1 503 /);
  assertEquals(
    errors.map(({ error }) => (error as { code: string }).code),
    ["ERR_HANDSHAKE_DRAINING", "ERR_HANDSHAKE_DRAINING"],
  );
  let isFinished = false;
  finished.then(() => isFinished = true);
  await turns();
  assertEquals(isFinished, false);
  client.send(closeFrame(1001));
  client.tcp.end();
  await deadline(finished, 5000, "the end");
  await assertRejects(() => tcpConnect(server.addr), Error);
});

test("shutdown with drain refuses a request that upgrade() accepts after it", async () => {
  const asked = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<undefined>();
  let calls = 0;
  const { server } = serving({}, {
    upgrade() {
      if (++calls === 1) return undefined;
      asked.resolve();
      return decided.promise;
    },
    limits: { closeTimeout: 20_000 },
  });
  const client = await openRaw(server);
  const waiting = await tcpConnect(server.addr);
  waiting.write(upgradeRequest());
  await asked.promise;
  const finished = server.shutdown({ drain: true });
  decided.resolve(undefined);
  assertMatch(await waiting.untilEnd(), /^HTTP\/1\.1 503 /);
  waiting.end();
  client.send(closeFrame(1001));
  client.tcp.end();
  await deadline(finished, 5000, "the end");
});

test("shutdown with drain of a server without WebSockets finishes at once", async () => {
  const { server } = serving({});
  await tcpConnect(server.addr);
  await deadline(server.shutdown({ drain: true }), 1000, "the end");
  await assertRejects(() => tcpConnect(server.addr), Error);
});

test("a second shutdown without drain stops listening", async () => {
  const { server } = serving({}, { limits: { closeTimeout: 20_000 } });
  const client = await openRaw(server);
  const finished = server.shutdown({ drain: true });
  await tcpConnect(server.addr);
  server.shutdown();
  await turns();
  await assertRejects(() => tcpConnect(server.addr), Error);
  client.send(closeFrame(1001));
  client.tcp.end();
  await deadline(finished, 5000, "the end");
});

test("shutdown does not wait for a handler that never ends", async () => {
  const { server, url } = serving(() => new Promise(() => {}));
  const client = new PlatformClient(url);
  await client.opened;
  await deadline(server.shutdown(), 5000, "the end");
  assertEquals((await client.closed).code, 1001);
});

test("a process ends by itself when its server has shut down", async () => {
  const ended = run(...scriptCommand("tests/support/serve_and_end.ts"));
  const { code, stdout } = await deadline(ended, 20_000, "its end");
  assertEquals([code, stdout], [0, "1001\nfinished\n"]);
});

test("shutdown frees the port for the next server", async () => {
  const { server } = serving({});
  await openMany(server, 3);
  const { port } = server.addr as TcpAddr;
  await server.shutdown({ spread: 30, deadline: 10_000, drain: true });
  const { server: next } = serving({}, { port });
  await openRaw(next);
});
