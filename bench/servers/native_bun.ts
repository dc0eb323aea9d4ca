// Bun's own server.
import { Bun } from "../globals.ts";
import type { BunServer } from "../globals.ts";
import { answer } from "./http.ts";
import { mode, ready } from "./ready.mjs";

const compress = mode === "compressed";

const server: BunServer = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (mode === "http") return answer(request);
    return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
  },
  websocket: {
    ...(mode === "broadcast" && { open: (socket) => socket.subscribe("all") }),
    message: mode === "broadcast"
      ? (_socket, message) => server.publish("all", message)
      : (socket, message) => socket.send(message, compress),
    // The default, 1 MiB, would drop messages with two of 1 MiB in flight.
    backpressureLimit: 16 * 1024 * 1024,
    // "dedicated" keeps the context between messages.
    ...(compress && { perMessageDeflate: { compress: "dedicated", decompress: "dedicated" } }),
  },
});
ready(server.port);
