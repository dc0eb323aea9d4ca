// The transport of the runtime that runs the test, over real sockets.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BunTransport } from "../../src/transport/bun_transport.ts";
import { DenoTransport } from "../../src/transport/deno_transport.ts";
import { listen, toTransport } from "../../src/transport/runtime.ts";
import type { Addr, Listener, ListenOptions, Transport } from "../../src/transport/transport.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
  onTestEnd,
  run,
  runtime,
  spawn,
  test,
} from "../harness.ts";
import { watch } from "../support/events.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns } from "../support/open.ts";
import { scriptCommand } from "../support/script.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

const MIB = 1024 * 1024;

/** Listens, until the end of the test; `accepted` gives each connection to whoever waits for it. */
function listening(options: ListenOptions) {
  const waiting: PromiseWithResolvers<Transport>[] = [];
  const arrived: Transport[] = [];
  const errors: unknown[] = [];
  const listener: Listener = listen(options, {
    connection(transport) {
      onTestEnd(() => transport.abort());
      const next = waiting.shift();
      if (next === undefined) arrived.push(transport);
      else next.resolve(transport);
    },
    error: (error) => errors.push(error),
  });
  onTestEnd(() => listener.close());
  const accepted = (): Promise<Transport> => {
    const transport = arrived.shift();
    if (transport !== undefined) return Promise.resolve(transport);
    waiting.push(Promise.withResolvers());
    return waiting.at(-1)!.promise;
  };
  return { listener, accepted, errors };
}

/** Where a test of each kind listens. */
function tcp(): ListenOptions {
  return { hostname: "127.0.0.1", port: 0 };
}
function unix(): ListenOptions {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  return { path: join(folder, "socket") };
}

/** A connection, and its client. */
async function connected(where: () => ListenOptions) {
  const { listener, accepted } = listening(where());
  const [client, transport] = await Promise.all([tcpConnect(listener.addr), accepted()]);
  return { client, transport };
}

for (const [kind, where] of [["TCP", tcp], ["a Unix socket", unix]] as const) {
  test(`listen over ${kind} gives the runtime's own transport and tells its addresses`, async () => {
    const { listener, accepted, errors } = listening(where());
    const [client, transport] = await Promise.all([tcpConnect(listener.addr), accepted()]);
    assertInstanceOf(transport, runtime === "deno" ? DenoTransport : BunTransport);
    const events = watch(transport);
    if (kind === "TCP") {
      const { port } = listener.addr as Addr & { port: number };
      assert(port > 0);
      assertEquals(transport.localAddr, { transport: "tcp", hostname: "127.0.0.1", port });
      const remote = { transport: "tcp", hostname: "127.0.0.1", port: client.socket.localPort };
      assertEquals(transport.remoteAddr, remote as Addr);
    } else {
      assertEquals(transport.localAddr, listener.addr);
      assertEquals(transport.remoteAddr.transport, "unix");
    }
    transport.close();
    await client.untilEnd();
    assertEquals(events.log, ["close"]);
    assertEquals(errors, []);
  });

  test(`bytes over ${kind} go both ways, and each direction ends on its own`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    client.write("ping");
    await events.untilReceived(4);
    transport.write(new TextEncoder().encode("pong"));
    await client.until(({ length }) => length === 4, "pong");
    client.end();
    await events.until("end");
    await turns();
    // The peer's end does not end ours.
    if (!transport.write(new TextEncoder().encode(" and more"))) await events.until("drain");
    transport.shutdown();
    assertEquals(await client.untilEnd(), "pong and more");
    assertEquals(events.told, ["data 70 69 6e 67", "end"]);
    transport.close();
    assertEquals(events.told.at(-1), "close");
    await client.untilClosed();
    assertEquals(client.error, undefined);
  });

  test(`our end over ${kind} leaves the peer's direction open`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    transport.shutdown();
    await client.untilEnd();
    client.write("still here");
    await events.untilReceived(10);
    client.end();
    // With both directions ended, a runtime may close at once.
    await events.untilTrue(() => /end|close/.test(events.told.at(-1)!), "the end");
  });

  test(`8 MiB over ${kind} go out whole, before the end, at the peer's pace`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    client.socket.pause();
    const bytes = new Uint8Array(8 * MIB).map((_, i) => i % 251);
    assertEquals(transport.write(bytes), false);
    transport.shutdown();
    await turns(10);
    assertEquals(events.log, [], "nobody reads");
    client.socket.resume();
    await client.untilEnd();
    await events.until("drain");
    assertEquals(client.bytes.equals(bytes), true);
  });

  test(`a write over ${kind} that goes out in parts tells of its progress`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    client.socket.pause();
    assertEquals(transport.write(new Uint8Array(32 * MIB)), false);
    await turns(10);
    const before = events.parts;
    client.socket.on("data", () => {
      if (client.length > 16 * MIB) client.socket.pause();
    });
    client.socket.resume();
    await events.untilTrue(() => events.parts > before, "a part");
    assertEquals(events.log, []);
    client.socket.removeAllListeners("data");
    transport.abort();
  });

  test(`8 MiB over ${kind} come in whole`, async () => {
    const { client, transport } = await connected(where);
    let sum = 0;
    const events = watch(transport, true);
    const data = events.data.bind(events);
    events.data = (chunk) => {
      for (let i = 0; i < chunk.length; i += 1) sum = (sum * 31 + chunk[i]) | 0;
      data(chunk);
    };
    const bytes = new Uint8Array(8 * MIB).map((_, i) => i % 251);
    client.write(bytes);
    await events.untilReceived(bytes.length);
    assertEquals(sum, bytes.reduce((sum, byte) => (sum * 31 + byte) | 0, 0));
  });

  test(`pause over ${kind} holds the peer back, and resume lets it go on`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport, true);
    transport.pause();
    client.write(new Uint8Array(32 * MIB));
    await turns(20);
    const before = events.received;
    await turns(20);
    assertEquals(events.received, before);
    assert(before <= MIB, `${before} bytes came`);
    transport.resume();
    await events.untilReceived(32 * MIB);
  });

  test(`a reset over ${kind} is told of while nothing is under way`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    client.write("x");
    await events.untilReceived(1);
    client.reset();
    await events.untilTrue(() => events.told.length > 1, "the reset");
    // A Unix socket has no reset.
    if (kind === "TCP") assert(events.told.at(-1)!.startsWith("close"), `${events.told}`);
    transport.close();
    await turns();
    assertEquals(events.told.filter((event) => event.startsWith("close")).length, 1);
  });

  test(`a reset over ${kind} is told of while a write is under way`, async () => {
    const { client, transport } = await connected(where);
    const events = watch(transport);
    client.socket.pause();
    assertEquals(transport.write(new Uint8Array(8 * MIB)), false);
    await turns();
    client.reset();
    await events.until("close");
    assertEquals(transport.write(new Uint8Array(1)), true);
    transport.resume();
    transport.pause();
    transport.shutdown();
    transport.abort();
    await turns();
    assertEquals(events.told.filter((event) => event.startsWith("close")).length, 1);
    assertEquals(events.log.includes("drain"), false);
  });

  for (const how of ["close", "abort"] as const) {
    test(`${how} over ${kind} with a write under way is told of once`, async () => {
      const { client, transport } = await connected(where);
      const events = watch(transport);
      client.socket.pause();
      assertEquals(transport.write(new Uint8Array(8 * MIB)), false);
      transport[how]();
      assertEquals(events.log, ["close"]);
      client.socket.resume();
      await client.until(({ hasEnded, isClosed }) => hasEnded || isClosed, "the end");
      await turns();
      assertEquals(events.log, ["close"]);
    });
  }

  test(`what comes over ${kind} before there is a handler is not lost`, async () => {
    const { client, transport } = await connected(where);
    client.write("early");
    client.end();
    await turns(20);
    const events = watch(transport);
    await events.until("end");
    assertEquals(events.told, ["data 65 61 72 6c 79", "end"]);
  });

  test(`a closed listener over ${kind} takes no more, and its connections live on`, async () => {
    const { listener, accepted } = listening(where());
    const [client, transport] = await Promise.all([tcpConnect(listener.addr), accepted()]);
    const events = watch(transport);
    await listener.close();
    await listener.close();
    await assertRejects(() => tcpConnect(listener.addr), Error);
    client.write("hi");
    await events.untilReceived(2);
  });

  test(`listen over ${kind} throws where the address is taken`, () => {
    const { listener } = listening(where());
    const { addr } = listener;
    const taken = addr.transport === "unix"
      ? { path: addr.path }
      : { hostname: "127.0.0.1", port: addr.port };
    assertThrows(() => listen(taken, { connection() {}, error() {} }), Error);
  });
}

test("listen with reusePort shares a port", async () => {
  // In a process of its own: Deno needs a flag for it.
  const command = scriptCommand("tests/support/reuse_port.ts", "--unstable-net");
  const { code, stdout, stderr } = await run(...command);
  assertEquals([code, stderr], [0, ""]);
  const counts: number[] = JSON.parse(stdout);
  assertEquals(counts[0] + counts[1], 40);
  assert(counts[0] > 0 && counts[1] > 0, `${counts}`);
});

test("listen refuses reusePort on Deno without its flag, and listens otherwise", async () => {
  const handler = { connection() {}, error() {} };
  const shared = () => listen({ ...tcp(), reusePort: true }, handler);
  if (runtime !== "deno") return await shared().close();
  assertThrows(shared, TypeError, "Cannot listen: reusePort on Deno needs the flag --unstable-net");
});

test("listen reports a connection handler that throws, and drops the connection", async () => {
  const errors: unknown[] = [];
  const oops = new Error("oops");
  const listener = listen(tcp(), {
    connection() {
      throw oops;
    },
    error: (error) => errors.push(error),
  });
  onTestEnd(() => listener.close());
  for (let i = 1; i <= 2; i++) {
    const client = await tcpConnect(listener.addr);
    await client.untilEnd();
    assertEquals(errors, Array(i).fill(oops));
  }
});

test("listen goes on after it ran out of file descriptors", async () => {
  const [command, args] = scriptCommand("tests/support/few_files.ts");
  const child = spawn("sh", ["-c", 'ulimit -n 100; exec "$@"', "sh", command, ...args]);
  const [, port] = await child.waitForLine(/^port (\d+)$/);
  const addr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: Number(port) };
  const clients = await Promise.all(Array.from({ length: 120 }, () => tcpConnect(addr)));
  if (runtime === "deno") await child.waitForLine(/^cannot accept: .*Too many open files/);
  assert(clients.some(({ length }) => length === 0), "all were accepted");
  for (const client of clients) client.socket.destroy();
  const late = await tcpConnect(addr);
  await late.until(({ text }) => text === "hello", "the greeting");
});

test("toTransport takes a Transport as it is, and refuses what is no connection", () => {
  const transport = new FakeTransport();
  assert(toTransport(transport) === transport);
  assertThrows(() => toTransport({} as Transport), TypeError, "Cannot use as a connection");
});
