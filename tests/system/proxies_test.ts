// The configurations of docs/behind-a-proxy.md, in front of a server.
import type { ServeOptions, TcpAddr, WebSocketConnection } from "../../mod.ts";
import { assert, assertEquals, canRun, deadline, eventually, testIf } from "../harness.ts";
import type { Child } from "../harness.ts";
import { blocksOf } from "../support/markdown.ts";
import { connectToChild, freePort } from "../support/ports.ts";
import { startHaproxy, startNginx } from "../support/proxies.ts";
import { echo, serving } from "../support/server.ts";

/** The configuration of a proxy in the document, with other ports. */
function configuration(proxy: string, proxyPort: number, serverPort: number): string {
  const block = blocksOf("docs/behind-a-proxy.md").find(({ language }) => language === proxy)!;
  return block.code
    .replace(/(?<=listen |bind :)80\b/, String(proxyPort))
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${serverPort}`);
}

interface Proxied {
  child: Child;
  port: number;
  /** The connections of the server. */
  sockets: WebSocketConnection[];
  /** The paths of plain requests to the server, with the method. */
  requests: string[];
}

type Start = (proxyPort: number, serverPort: number) => Child;

async function startBehind(start: Start, options: ServeOptions = {}): Promise<Proxied> {
  const sockets: WebSocketConnection[] = [];
  const requests: string[] = [];
  const { server } = serving((socket) => {
    sockets.push(socket);
    return echo(socket);
  }, {
    trustedProxies: ["127.0.0.1"],
    forwardedField: "x-forwarded-for",
    fetch: (request) => {
      requests.push(`${request.method} ${new URL(request.url).pathname}`);
      return new Response("ok");
    },
    ...options,
  });
  const port = await freePort();
  return { child: start(port, (server.addr as TcpAddr).port), port, sockets, requests };
}

/** Connects to the server through the proxy, as a browser behind a proxy that has reported 192.0.2.7. */
async function converse({ child, port, sockets }: Proxied): Promise<WebSocketConnection> {
  const client = await connectToChild(child, port, {
    origin: `http://127.0.0.1:${port}`,
    headers: { "X-Forwarded-For": "192.0.2.7" },
    compression: true,
  });
  const messages = client[Symbol.asyncIterator]();
  for (const message of ["", "Hello", "x".repeat(100_000), new Uint8Array([0, 255])]) {
    await client.send(message);
    assertEquals((await deadline(messages.next(), 5_000, "an echo")).value, message);
  }
  await client.ping();
  const { closeCode, wasClean } = await deadline(client.close(4000, "bye"), 5_000, "the close");
  assertEquals([closeCode, wasClean], [4000, true]);
  const info = await deadline(sockets[0]!.closed, 5_000, "the server's close");
  assertEquals([info.closeCode, info.reason, info.wasClean], [4000, "bye", true]);
  return sockets[0]!;
}

testIf(canRun("nginx", ["-v"]), "nginx as documented passes WebSockets on", async () => {
  const proxied = await startBehind((proxyPort, serverPort) =>
    startNginx(configuration("nginx", proxyPort, serverPort))
  );
  const socket = await converse(proxied);
  assertEquals(socket.request.headers.get("x-forwarded-for"), "192.0.2.7, 127.0.0.1");
  assertEquals((socket.clientAddr as TcpAddr).hostname, "192.0.2.7");
  const response = await fetch(`http://127.0.0.1:${proxied.port}/healthz`);
  assertEquals(await response.text(), "ok");
  await proxied.child.kill("SIGTERM");
});

testIf(canRun("haproxy", ["-v"]), "HAProxy as documented passes WebSockets on", async () => {
  const proxied = await startBehind((proxyPort, serverPort) =>
    startHaproxy(configuration("haproxy", proxyPort, serverPort))
  );
  const socket = await converse(proxied);
  assertEquals(socket.request.headers.get("x-forwarded-for"), "192.0.2.7, 127.0.0.1");
  assertEquals((socket.clientAddr as TcpAddr).hostname, "192.0.2.7");
  const isChecked = () => proxied.requests.includes("GET /healthz");
  await eventually(isChecked, 10_000, "a health check");
  await proxied.child.kill("SIGTERM");
});

testIf(canRun("haproxy", ["-v"]), "HAProxy with send-proxy-v2 names its client", async () => {
  const start: Start = (proxyPort, serverPort) => {
    const text = configuration("haproxy", proxyPort, serverPort);
    assert(text.includes(" check\n"));
    return startHaproxy(text.replace(" check\n", " check send-proxy-v2\n"));
  };
  const proxied = await startBehind(start, { proxyProtocol: true });
  const socket = await converse(proxied);
  assertEquals(socket.clientAddr.transport, "tcp");
  await proxied.child.kill("SIGTERM");
});
