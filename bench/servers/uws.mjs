// uWebSockets.js, on Node. Not a dependency, because its authors do not publish it on npm: see README.md.
import { mode, ready } from "./ready.mjs";

const { default: uws } = await import("uWebSockets.js");
const compressed = mode === "compressed";

const app = uws.App().ws("/*", {
  maxPayloadLength: 16 * 1024 * 1024,
  maxBackpressure: 16 * 1024 * 1024,
  // Each connection keeps its context between messages.
  ...(compressed && { compression: uws.DEDICATED_COMPRESSOR | uws.DEDICATED_DECOMPRESSOR }),
  open: (socket) => mode === "broadcast" && socket.subscribe("all"),
  message: (socket, message, binary) =>
    mode === "broadcast"
      ? app.publish("all", message, binary)
      : socket.send(message, binary, compressed),
});
app.listen("127.0.0.1", 0, (listening) => ready(uws.us_socket_local_port(listening)));
