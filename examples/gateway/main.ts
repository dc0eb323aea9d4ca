// A gateway in front of a WebSocket server. `deno run -A examples/gateway/main.ts`, or
// `bun examples/gateway/main.ts`, then connect to the address that it prints. PORT and HOST set its
// address, BACKEND the URL of the server; without it, the gateway starts a small one of its own, to which
// `bun src/cli/mod.ts connect ws://localhost:8080/ -H "authorization: Bearer 1234"` connects.
import process from "node:process";
import { connect, HandshakeError, relay, serve } from "@sluice/websocket";
import type { WebSocketConnection } from "@sluice/websocket";
import { startBackend } from "./backend.ts";

/** The fields of the client's request that the server behind the gateway gets. */
const PASSED = ["authorization", "cookie", "origin", "user-agent"];

/** The connection to the server behind the gateway, and what ends it if the client leaves too early. */
interface Visit {
  backend: WebSocketConnection;
  leave: () => void;
  left: AbortSignal;
}

const own = process.env.BACKEND ? undefined : startBackend();
const target = process.env.BACKEND || own!.url;

const server = serve<Visit>({
  port: Number(process.env.PORT || 8080),
  ...(process.env.HOST ? { hostname: process.env.HOST } : {}),
  // The server behind the gateway decides which pages may connect: it gets the Origin.
  origins: () => true,

  /** The server behind the gateway answers first, so that the client gets its status and its subprotocol. */
  async upgrade(request, { protocols, remoteAddr }) {
    const { pathname, search, host } = new URL(request.url);
    const fields = PASSED.flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [[name, value] as [string, string]];
    });
    const address = remoteAddr.transport === "tcp" ? remoteAddr.hostname : "unknown";
    try {
      const backend = await connect(new URL(pathname + search, target), {
        protocols,
        headers: [...fields, ["x-forwarded-for", address], ["x-forwarded-host", host]],
        signal: request.signal,
        timeout: 5000,
      });
      const leave = () => backend.abort();
      request.signal.addEventListener("abort", leave);
      return {
        protocol: backend.protocol || undefined,
        data: { backend, leave, left: request.signal },
      };
    } catch (error) {
      const isLate = (error as Error).name === "TimeoutError";
      const status = error instanceof HandshakeError && error.status >= 400
        ? error.status
        : isLate
        ? 504
        : 502;
      return new Response("The server behind the gateway has refused the connection\n", { status });
    }
  },
}, async (client) => {
  const { backend, leave, left } = client.data;
  left.removeEventListener("abort", leave);
  await relay(client, backend);
});

// A restart: the clients are closed with 1012 over two seconds, and come back to the next process.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    server.shutdown({ code: 1012, reason: "The gateway restarts", spread: 2000, deadline: 5000 });
  });
}
console.log(`Gateway to ${target} at ws://localhost:${server.port}/`);
if (own) console.log('Its server expects the header field "authorization: Bearer 1234"');
await server.finished;
await own?.shutdown();
process.exit(0);
