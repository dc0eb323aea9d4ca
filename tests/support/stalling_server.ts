// A server that blocks its event loop for so many milliseconds on request. It prints how many
// connections it has lost, and how many have answered a Ping.
import process from "node:process";
import { serve } from "../../mod.ts";
import type { TcpAddr, WebSocketError } from "../../mod.ts";
import { block } from "./block.ts";

const lost: string[] = [];
const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  limits: { pingInterval: 300, pongTimeout: 1000 },
  onError: () => {},
}, {
  message(socket, message) {
    const [command, ms] = `${message}`.split(" ");
    if (command === "stall") {
      block(Number(ms));
      socket.send("stalled");
    } else if (command === "report") {
      const sockets = [...server.connections];
      const answered = sockets.filter(({ roundTrip }) => roundTrip !== undefined).length;
      socket.send(JSON.stringify({ open: sockets.length, answered, lost }));
    }
  },
  close(_, { error }) {
    lost.push(`${(error as WebSocketError | undefined)?.code}`);
  },
});
console.log(`port ${(server.addr as TcpAddr).port}`);
process.once("SIGTERM", () => process.exit(0));
