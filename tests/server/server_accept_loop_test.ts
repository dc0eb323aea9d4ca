// The accept loop survives a lack of file descriptors, and peers that leave at once.
import { readdirSync } from "node:fs";
import type { Addr, TcpAddr } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  deadline,
  delay,
  eventually,
  runtime,
  spawn,
  test,
} from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import { scriptCommand } from "../support/script.ts";
import { openRaw, RawWebSocket, serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

/** Starts an echo server with few file descriptors. */
async function startServer(files: number, ...options: string[]) {
  const [command, args] = scriptCommand("tests/support/serve_echo.ts");
  const limited = ["-c", `ulimit -n ${files}; exec "$@"`, "sh", command, ...args, ...options];
  const child = spawn("sh", limited);
  const [, port] = await child.waitForLine(/^port (\d+)$/);
  const addr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: Number(port) };
  return { child, addr };
}

async function assertEchoes(client: RawWebSocket, text: string): Promise<void> {
  client.send(textFrame(text));
  await client.received(`\x81\x02${text}`);
}

test("a server without free file descriptors serves its connections, and accepts when some are free", async () => {
  const { child, addr } = await startServer(100);
  const first = await connectAndOpen(addr);
  const clients = await Promise.all(Array.from({ length: 150 }, () => tcpConnect(addr)));
  for (const client of clients) client.write(upgradeRequest());
  const opened = () => clients.filter(({ text }) => text.startsWith("HTTP/1.1 101 ")).length;
  if (runtime === "deno") await child.waitForLine(/^error: .*Too many open files/);
  else await eventually(() => opened() >= 40, 20_000, "40 connections");
  await assertEchoes(first, "Hi");
  assert(opened() < 120, `${opened()} are open`);
  // Waiting connections are accepted when others leave.
  for (const client of clients.slice(0, 100)) client.socket.destroy();
  const rest = clients.slice(100);
  await deadline(
    Promise.all(rest.map((client) => client.until(({ text }) => text !== "", "the answer"))),
    10_000,
    "the answers",
  );
  for (const client of rest) assertMatch(client.text, /^HTTP\/1\.1 101 /);
  for (const client of rest) client.socket.destroy();
  await assertEchoes(await connectAndOpen(addr), "yo");
  await assertEchoes(first, "Ho");
  await child.kill("SIGTERM");
  const { stdout } = await child.exited;
  const reports = stdout.match(/^error: /gm)?.length ?? 0;
  assert(reports < 40, `${reports} reports`);
});

test("maxConnections keeps a server from running out of file descriptors", async () => {
  const { child, addr } = await startServer(180, "60");
  // A connection can be dropped before its client has seen it open.
  const connects = Array.from({ length: 300 }, () => tcpConnect(addr).catch(() => undefined));
  const clients = (await Promise.all(connects)).filter((client) => client !== undefined);
  await Promise.all(clients.slice(60).map((client) => client.untilEnd()));
  const answered = clients.filter(({ text }) => text.startsWith("HTTP/1.1 503 ")).length;
  assert(answered > 0, "some are answered");
  for (const client of clients) client.socket.destroy();
  await assertEchoes(await connectAndOpen(addr), "yo");
  await child.kill("SIGTERM");
  const { stdout } = await child.exited;
  assertEquals(/Too many open files/.test(stdout), false);
});

/** Opens a raw WebSocket, as soon as the server accepts one. */
async function connectAndOpen(addr: Addr): Promise<RawWebSocket> {
  const started = performance.now();
  while (performance.now() - started < 20_000) {
    const client = await tcpConnect(addr);
    client.write(upgradeRequest());
    await client.until(
      ({ text, hasEnded, isClosed }) => hasEnded || isClosed || text.includes("\r\n\r\n"),
      "an answer",
    );
    if (client.text.startsWith("HTTP/1.1 101 ")) return new RawWebSocket(client);
    await delay(10);
  }
  throw new Error("the server accepted no connection");
}

/** Returns the number of open file descriptors of this process; 0 if it is not known. */
function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

test("10,000 connects and resets leave no connection and no file descriptor", async () => {
  const { server, errors } = serving({ message: (socket, message) => socket.send(message) }, {
    maxConnections: 400,
    maxConnectionsPerAddress: 400,
  });
  const addr = server.addr as TcpAddr;
  const { connect } = await import("node:net");
  const before = openFiles();
  for (let round = 0; round < 50; round++) {
    await Promise.all(Array.from({ length: 200 }, (_, i) =>
      new Promise<void>((resolve) => {
        const socket = connect({ host: "127.0.0.1", port: addr.port });
        socket.on("connect", () => {
          // They send nothing, a half, or all of a request.
          if (i % 4 === 1) socket.write(upgradeRequest().slice(0, 40));
          if (i % 4 === 2) socket.write(upgradeRequest());
          socket.resetAndDestroy();
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
      })));
  }
  // All connections are released, and so are the descriptors.
  const client = await connectAndOpen(addr);
  await assertEchoes(client, "Hi");
  const isSettled = () => server.connections.size <= 1 && openFiles() <= before + 8;
  await eventually(isSettled, 10_000, "the end of the others");
  const clients = await Promise.all(Array.from({ length: 100 }, () => openRaw(server)));
  assertEquals(server.connections.size, 101);
  for (const other of clients) other.tcp.reset();
  const codes = errors.map(({ error }) => (error as { code?: string }).code);
  assertEquals(codes.filter((code) => code !== "ERR_HANDSHAKE_FULL"), []);
  client.send(closeFrame(1000));
  client.tcp.end();
  await client.tcp.untilClosed();
});
