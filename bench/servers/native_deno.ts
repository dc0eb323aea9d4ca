// Deno's own server.
import { Deno } from "../globals.ts";
import { answer } from "./http.ts";
import { mode, ready } from "./ready.mjs";

const sockets = new Set<WebSocket>();

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => ready(port) }, (request) => {
  if (mode === "http") return answer(request);
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  if (mode === "broadcast") {
    socket.onopen = () => sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => {
      for (const each of sockets) each.send(data);
    };
  } else {
    socket.onmessage = ({ data }) => socket.send(data);
  }
  return response;
});
