/** A server to be put behind the gateway, which trusts what the gateway says of its clients. */
import { serve } from "@sluice/websocket";
import type { WebSocketServer } from "@sluice/websocket";

/** Starts a server on a free port of this machine; its clients need a token. */
export function startBackend(): WebSocketServer<{ user: string }> {
  const users = new Map([["Bearer 1234", "ann"], ["Bearer 5678", "bob"]]);
  return serve({
    hostname: "127.0.0.1",
    port: 0,
    protocols: ["v2", "v1"],
    upgrade(request) {
      const user = users.get(request.headers.get("authorization") ?? "");
      return user === undefined ? new Response(null, { status: 401 }) : { data: { user } };
    },
  }, {
    open(socket) {
      const address = socket.request.headers.get("x-forwarded-for");
      socket.send(`Hello ${socket.data.user} from ${address}`);
    },
    message(socket, message) {
      const code = typeof message === "string" && /^close (\d+)$/.exec(message)?.[1];
      if (code) return void socket.close(Number(code), "as you wish");
      socket.send(message);
    },
  });
}
