// A small API with a page and a WebSocket, all at one port, written with Hono. After `npm ci`:
// `deno run -A examples/api/main.ts`, or `bun examples/api/main.ts`. Then open the address that it
// prints and log in as "demo" with the password "demo". `examples/api/send.ts` calls the webhook.
import process from "node:process";
import { parse } from "hono/utils/cookie";
import { broadcast, serve } from "@sluice/websocket";
import type { WebSocketConnection } from "@sluice/websocket";
import { COOKIE, createApp } from "./app.ts";
import type { FeedEvent } from "./app.ts";
import { Sessions } from "./sessions.ts";

/** The data of a WebSocket: the session that its cookie names. */
interface Visit {
  token: string;
  user: string;
}

const { env } = process;
const sessions = new Sessions();
const events: FeedEvent[] = [];

/** Returns the WebSockets of a session. */
function socketsOf(token: string): WebSocketConnection<Visit>[] {
  return [...server.connections].filter(({ data }) => data.token === token);
}

const account = { user: env.API_USER || "demo", password: env.API_PASSWORD || "demo" };
const app = createApp({
  sessions,
  events,
  account,
  webhookSecret: env.WEBHOOK_SECRET || "secret",
  allowedOrigin: env.ALLOWED_ORIGIN || "https://app.example.com",
  isDraining: () => server.isDraining,
  publish(event) {
    broadcast(server.connections, JSON.stringify(event));
    return server.connections.size;
  },
  closeSession(token) {
    for (const socket of socketsOf(token)) socket.close(4001, "Logged out");
  },
});

const server = serve<Visit>({
  port: Number(env.PORT || 8080),
  ...(env.HOST ? { hostname: env.HOST } : {}),
  limits: { maxMessageSize: 1024, maxBodySize: 64 * 1024 },
  fetch: (request) => app.fetch(request),
  // The default of `origins` lets in the pages of this server only, whose cookie it is.
  upgrade(request) {
    if (new URL(request.url).pathname !== "/feed") return new Response(null, { status: 404 });
    const token = parse(request.headers.get("Cookie") ?? "", COOKIE)[COOKIE];
    const session = sessions.get(token);
    if (session === undefined) return new Response("Log in first\n", { status: 401 });
    return { data: { token: token!, user: session.user } };
  },
}, {
  open: (socket) => socket.send(JSON.stringify({ user: socket.data.user, events })),
  message: (socket) => socket.close(1008, "The feed has one direction"),
});

// The first signal closes every connection cleanly; the second ends the process.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.shutdown({ reason: "The server is going away" }));
}

if (server.addr.transport === "tcp") console.log(`API at http://localhost:${server.addr.port}/`);
if (!env.API_PASSWORD) console.log(`Log in as "${account.user}" with the password "demo"`);
await server.finished;
process.exit(0);
