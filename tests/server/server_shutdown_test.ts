import type { TcpAddr } from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows, deadline, test } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { turns } from "../support/open.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { openRaw, PlatformClient, serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

/** Asserts that the server's port is closed. */
async function assertNotListening(addr: TcpAddr): Promise<void> {
  await assertRejects(() => tcpConnect(addr), Error);
}

test("shutdown of an idle server finishes at once", async () => {
  const { server } = serving({});
  let finished = false;
  server.finished.then(() => finished = true);
  await turns();
  assertEquals(finished, false);
  assert(server.shutdown() === server.finished);
  await deadline(server.finished, 1000, "the end");
  await server.shutdown();
  await assertNotListening(server.addr as TcpAddr);
});

test("shutdown closes all connections with 1001, after the queued messages", async () => {
  const { server, url } = serving((socket) => socket.closed.then(() => {}));
  const clients = [new PlatformClient(url), new PlatformClient(url)];
  await Promise.all(clients.map(({ opened }) => opened));
  for (const socket of server.connections) socket.send("last words");
  await server.shutdown();
  for (const client of clients) {
    const { code, reason, wasClean } = await client.closed;
    assertEquals([code, reason, wasClean], [1001, "", true]);
    assertEquals(client.messages, ["last words"]);
  }
  assertEquals(server.connections.size, 0);
});

test("shutdown sends the code and the reason of its options", async () => {
  const { server, url } = serving({});
  const client = new PlatformClient(url);
  await client.opened;
  await server.shutdown({ code: 1012, reason: "back soon" });
  const { code, reason } = await client.closed;
  assertEquals([code, reason], [1012, "back soon"]);
});

test("shutdown with a code that may not be sent does nothing", async () => {
  const { server, url } = serving({});
  assertThrows(() => void server.shutdown({ code: 1006 }), RangeError);
  assertThrows(() => void server.shutdown({ reason: "x".repeat(124) }), DOMException);
  const client = new PlatformClient(url);
  await client.opened;
  assertEquals(server.connections.size, 1);
});

test("shutdown drops connections without a request", async () => {
  const { server } = serving({});
  const silent = await tcpConnect(server.addr);
  const half = await tcpConnect(server.addr);
  half.write("GET / HT");
  await turns(5);
  await deadline(server.shutdown(), 1000, "the end");
  await Promise.all([silent.untilEnd(), half.untilEnd()]);
  assertEquals([silent.text, half.text], ["", ""]);
});

test("shutdown drops connections whose upgrade() is pending", async () => {
  const asked = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const { server, errors } = serving({}, {
    upgrade() {
      asked.resolve();
      return promise;
    },
  });
  const client = await tcpConnect(server.addr);
  client.write(upgradeRequest());
  await asked.promise;
  await deadline(server.shutdown(), 1000, "the end");
  resolve(undefined);
  await client.untilEnd();
  await turns();
  assertEquals(client.text, "");
  assertEquals(server.connections.size, 0);
  assertEquals(errors, []);
});

test("shutdown drops a pending response of fetch() at the deadline, and cancels its body", async () => {
  const cancelled = Promise.withResolvers<void>();
  const { server, url } = serving({}, {
    fetch: () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
          cancel: () => cancelled.resolve(),
        }),
      ),
  });
  const client = await tcpConnect(server.addr);
  client.write(`GET / HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
  await client.until(({ text }) => text.endsWith("begin\r\n"), "the body");
  await deadline(server.shutdown({ deadline: 50 }), 1000, "the end");
  await deadline(cancelled.promise, 1000, "the body's cancel");
});

test("shutdown drops a peer that does not answer the Close within closeTimeout", async () => {
  const { server } = serving({}, { limits: { closeTimeout: 30 } });
  const client = await openRaw(server);
  const started = performance.now();
  await deadline(server.shutdown(), 5000, "the end");
  assert(performance.now() - started > 20);
  await client.received("\x88\x02\x03\xe9");
  await client.tcp.untilEnd();
});

test("a connection that is closing keeps its code on shutdown", async () => {
  const { server } = serving({});
  const client = await openRaw(server);
  const [socket] = server.connections;
  socket.close(4000);
  const finished = server.shutdown();
  await client.received("\x88\x02\x0f\xa0");
  client.send(closeFrame(4000));
  client.tcp.end();
  await finished;
  assertEquals(client.text, "\x88\x02\x0f\xa0");
});

test("shutdown works in a callback, and while others connect", async () => {
  const { server, url } = serving({ message: () => void server.shutdown() });
  const client = new PlatformClient(url);
  await client.opened;
  const others = Array.from({ length: 10 }, () => new PlatformClient(url));
  client.socket.send("stop");
  await deadline(server.finished, 5000, "the end");
  assertEquals((await client.closed).code, 1001);
  for (const other of others) await other.closed;
});

test("await using shuts down", async () => {
  const { server, url } = serving({});
  const client = new PlatformClient(url);
  await client.opened;
  {
    await using disposed = server;
    assert(disposed === server);
  }
  assertEquals((await client.closed).code, 1001);
  await assertNotListening(server.addr as TcpAddr);
});

test("a signal shuts down", async () => {
  const controller = new AbortController();
  const { server, url } = serving({}, { signal: controller.signal });
  const client = new PlatformClient(url);
  await client.opened;
  controller.abort();
  await deadline(server.finished, 5000, "the end");
  assertEquals((await client.closed).code, 1001);
});

test("an aborted signal shuts down at once", async () => {
  const { server } = serving({}, { signal: AbortSignal.abort() });
  await deadline(server.finished, 1000, "the end");
  await assertNotListening(server.addr as TcpAddr);
});

test("a signal that aborts after the shutdown does nothing", async () => {
  const controller = new AbortController();
  const { server } = serving({}, { signal: controller.signal });
  await server.shutdown();
  controller.abort();
});
