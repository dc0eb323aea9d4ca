import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../../mod.ts";
import type {
  Addr,
  SocketFunction,
  SocketHandler,
  TcpAddr,
  WebSocketConnection,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertThrows, onTestEnd, test } from "../harness.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import { turns } from "../support/open.ts";
import { openRaw, PlatformClient, serving } from "../support/server.ts";
import type { Served } from "../support/server.ts";

const echoes: [drive: string, handler: SocketFunction | SocketHandler][] = [
  ["callbacks", { message: (socket, message) => socket.send(message) }],
  ["for await", async (socket) => {
    for await (const message of socket) await socket.send(message);
  }],
  ["pipeTo", (socket) => socket.readable.pipeTo(socket.writable)],
];

for (const [drive, handler] of echoes) {
  test(`serve echoes by ${drive}`, async () => {
    const { url, errors, server } = serving(handler);
    const client = new PlatformClient(url);
    await client.opened;
    client.socket.send("text");
    client.socket.send(new Uint8Array([1, 2]));
    client.socket.send("x".repeat(100_000));
    assertEquals(await client.received(3), [
      "text",
      new Uint8Array([1, 2]).buffer,
      "x".repeat(100_000),
    ]);
    const [socket] = server.connections;
    client.socket.close(3333, "bye");
    const { code, wasClean } = await client.closed;
    assertEquals([code, wasClean], [3333, true]);
    assertEquals(await socket.closed, { closeCode: 3333, reason: "bye", wasClean: true });
    assertEquals(errors, []);
  });
}

test("serve checks its arguments", () => {
  const options = { hostname: "127.0.0.1", port: 0 };
  const handlers = [undefined, null, 1, "handler"] as unknown as SocketFunction[];
  for (const handler of handlers.slice(1)) {
    assertThrows(() => serve(options, handler), TypeError, "expected a handler");
  }
  assertThrows(() => serve(undefined as unknown as SocketFunction), TypeError);
  assertThrows(() => serve({ ...options, limits: { maxFragments: -1 } }, () => {}), RangeError);
  assertThrows(() => serve({ ...options, origins: ["example.com"] }, () => {}), TypeError);
});

test("serve throws if the port is in use", () => {
  const { server } = serving(() => {});
  const { port } = server.addr as TcpAddr;
  assertThrows(
    () => serve({ hostname: "127.0.0.1", port }, () => {}),
    Error,
    `Cannot listen at port ${port} of 127.0.0.1: the address is in use`,
  );
});

test("serve names the host of which no address is found", () => {
  const hostname = "no-such-host.invalid";
  const { message } = assertThrows(() => serve({ port: 0, hostname }, {}), Error);
  assertMatch(message, /^Cannot listen at port 0 of no-such-host\.invalid: /);
});

test("serve without options listens at port 8080 of all addresses", async () => {
  let server;
  try {
    server = serve(() => {});
  } catch (error) {
    assertMatch(`${error}`, /in use/i); // Another program of this machine uses it.
    return;
  }
  assertEquals([server.port, server.url], [8080, "ws://localhost:8080/"]);
  await server.shutdown();
});

test("serve listens at a Unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "socket");
  const { server } = serving(echoes[0][1], { path });
  assertEquals(server.addr, { transport: "unix", path });
  assertEquals([server.port, server.url], [0, `ws+unix:${path}`]);
  const client = await openRaw(server);
  client.send(textFrame("Hi"));
  await client.received("\x81\x02Hi");
  assertEquals([...server.connections][0].localAddr, { transport: "unix", path });
});

test("serve's port and url are those to connect to", async () => {
  const { server } = serving(echoes[0][1]);
  assertEquals(server.port, (server.addr as TcpAddr).port);
  assertEquals(server.url, `ws://127.0.0.1:${server.port}/`);
  const client = new PlatformClient(server.url);
  await client.opened;
  client.socket.close();
  await client.closed;
});

test("serve calls onListen with its address before it returns", () => {
  const addrs: Addr[] = [];
  const { server } = serving(() => {}, { onListen: (addr) => addrs.push(addr) });
  assertEquals(addrs, [server.addr]);
});

test("serve gives each socket what upgrade() decides", async () => {
  const sockets: WebSocketConnection<{ id: number }>[] = [];
  let count = 0;
  const { url } = serving<{ id: number }>({ open: (socket) => sockets.push(socket) }, {
    protocols: ["one"],
    upgrade: () => ({ data: { id: ++count } }),
  });
  const clients = [new PlatformClient(url, ["two", "one"]), new PlatformClient(url)];
  await Promise.all(clients.map(({ opened }) => opened));
  assertEquals(sockets.map(({ data }) => data.id).sort(), [1, 2]);
  assertEquals(clients.map(({ socket }) => socket.protocol), ["one", ""]);
});

test("serve's refusals reach the client, and onError unless they are upgrade()'s", async () => {
  const { url, errors } = serving(() => {}, {
    upgrade: (request) => {
      if (request.url.endsWith("/no")) return new Response("no", { status: 403 });
      if (request.url.endsWith("/oops")) throw new Error("oops");
      return undefined;
    },
    origins: ["https://example.com"],
  });
  const http = url.replace("ws", "http");
  for (const path of ["/no", "/oops", ""]) {
    const client = new PlatformClient(url + path);
    const outcome = await client.opened.then(() => "open", () => "refused");
    assertEquals(outcome, path === "" ? "open" : "refused");
  }
  const plain = await fetch(http);
  assertEquals([plain.status, plain.headers.get("upgrade")], [426, "websocket"]);
  assertMatch(await plain.text(), /expected "Upgrade: websocket"/);
  assertEquals(
    errors.map(({ error }) => (error as { code?: string }).code ?? (error as Error).message),
    ["oops", "ERR_HANDSHAKE_UPGRADE"],
  );
});

test("a handler function that returns closes with 1000, one that fails with 1011", async () => {
  const oops = new Error("oops");
  const { url, errors } = serving(async (socket) => {
    const { value } = await socket[Symbol.asyncIterator]().next();
    if (value === "throw") throw oops;
  });
  for (const [message, expected] of [["return", 1000], ["throw", 1011]] as const) {
    const client = new PlatformClient(url);
    await client.opened;
    client.socket.send(message);
    assertEquals((await client.closed).code, expected);
  }
  assertEquals(errors.map(({ error }) => error), [oops]);
  assert(errors[0].socket !== undefined);
});

test("a handler function that throws at once closes with 1011", async () => {
  const { url, errors } = serving(() => {
    throw new Error("oops");
  });
  const client = new PlatformClient(url);
  assertEquals((await client.closed).code, 1011);
  assertEquals(errors.length, 1);
});

test("a handler function that sends after the client has left is not reported", async () => {
  const left = Promise.withResolvers<string>();
  const { server, errors } = serving(async (socket) => {
    const { closeCode } = await socket.closed;
    left.resolve(`${closeCode}`);
    await socket.send("are you there?");
  });
  const client = await openRaw(server);
  client.tcp.reset();
  assertEquals(await left.promise, "1006");
  await turns();
  assertEquals(errors, []);
});

test("a pipeTo that ends with the connection is not reported", async () => {
  const piping = Promise.withResolvers<unknown>();
  const { server, errors } = serving((socket) => {
    const done = socket.readable.pipeTo(socket.writable);
    done.catch(piping.resolve);
    return done;
  });
  const client = await openRaw(server);
  client.send(textFrame("Hi"));
  await client.received("\x81\x02Hi");
  client.tcp.reset();
  assert(await piping.promise instanceof Error);
  await turns();
  assertEquals(errors, []);
});

test("a pipeTo that ends with a protocol error is reported once", async () => {
  const { server, errors } = serving((socket) => socket.readable.pipeTo(socket.writable));
  const client = await openRaw(server);
  const [socket] = server.connections;
  client.send({ first: 0x83 });
  client.tcp.end();
  await socket.closed;
  await turns();
  assertEquals(errors.map(({ error }) => (error as { code: string }).code), [
    "ERR_RESERVED_OPCODE",
  ]);
});

test("onError receives the protocol errors of peers", async () => {
  const { server, errors } = serving({});
  const client = await openRaw(server);
  client.send({ first: 0x83 });
  await client.received("\x88\x02\x03\xea");
  client.tcp.end();
  await client.tcp.untilClosed();
  assertEquals(errors.map(({ error }) => (error as { code: string }).code), [
    "ERR_RESERVED_OPCODE",
  ]);
});

test("without onError, handlers' errors are printed, and peers' are not", async () => {
  const printed: unknown[][] = [];
  const { error: original } = console;
  console.error = (...values: unknown[]) => printed.push(values);
  onTestEnd(() => void (console.error = original));
  const oops = new Error("oops");
  const { server } = serving({
    message: () => {
      throw oops;
    },
  }, { onError: undefined } as object);
  const broken = await openRaw(server);
  broken.send({ first: 0x83 });
  await broken.tcp.untilEnd();
  const client = await openRaw(server);
  client.send(textFrame("Hi"));
  await client.received("\x88\x02\x03\xf3");
  assertEquals(printed, [[oops]]);
});

test("without onError, a handler that throws null or undefined is printed as it is", async () => {
  const printed: unknown[][] = [];
  const { error: original } = console;
  console.error = (...values: unknown[]) => printed.push(values);
  onTestEnd(() => void (console.error = original));
  for (const thrown of [null, undefined]) {
    const { server } = serving(() => Promise.reject(thrown), { onError: undefined } as object);
    const client = await openRaw(server);
    await client.received("\x88\x02\x03\xf3");
  }
  assertEquals(printed, [[null], [undefined]]);
});

test("an onError that throws is printed, and the server goes on", async () => {
  const printed: unknown[][] = [];
  const { error: original } = console;
  console.error = (...values: unknown[]) => printed.push(values);
  onTestEnd(() => void (console.error = original));
  const oops = new Error("oops");
  const { server } = serving({}, {
    onError: () => {
      throw oops;
    },
  });
  const broken = await openRaw(server);
  broken.send({ first: 0x83 });
  await broken.tcp.untilEnd();
  const client = await openRaw(server);
  client.send(closeFrame(1000));
  await client.received("\x88\x02\x03\xe8");
  assertEquals(printed.map((values) => values.at(-1)), [oops]);
});

test("an onError that rejects is printed, too", async () => {
  const printed: unknown[][] = [];
  const { error: original } = console;
  console.error = (...values: unknown[]) => printed.push(values);
  onTestEnd(() => void (console.error = original));
  const oops = new Error("oops");
  const { server } = serving({}, { onError: () => Promise.reject(oops) });
  const broken = await openRaw(server);
  broken.send({ first: 0x83 });
  await broken.tcp.untilEnd();
  assertEquals(printed.map((values) => values.at(-1)), [oops]);
});

test("connections contains the sockets that are open or closing", async () => {
  const { server } = serving({});
  assertEquals(server.connections.size, 0);
  const clients = [await openRaw(server), await openRaw(server)];
  assertEquals(server.connections.size, 2);
  const sockets = [...server.connections];
  sockets[0].close(1000);
  await turns();
  assertEquals(server.connections.size, 2);
  sockets[1].abort();
  assertEquals([...server.connections], [sockets[0]]);
  clients[0].send(closeFrame(1000));
  clients[0].tcp.end();
  await sockets[0].closed;
  await turns();
  assertEquals(server.connections.size, 0);
});

test("connections does not contain the socket within `close`", async () => {
  const seen: boolean[] = [];
  const isListed = (socket: WebSocketConnection): void => {
    seen.push(server.connections.has(socket));
  };
  const { server, url }: Served<unknown> = serving({ open: isListed, close: isListed });
  const client = new PlatformClient(url);
  await client.opened;
  const [socket] = server.connections;
  client.socket.close();
  await client.closed;
  await socket.closed;
  await turns();
  assertEquals(seen, [true, false]);
});
