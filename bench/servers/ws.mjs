// `ws`, on Node.
import { WebSocketServer } from "ws";
import { mode, ready } from "./ready.mjs";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: mode === "compressed",
}, () => ready(server.address().port));

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => {
    if (mode !== "broadcast") return socket.send(data, { binary });
    for (const each of server.clients) each.send(data, { binary });
  });
});
