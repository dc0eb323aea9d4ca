// Serves an echo to at most as many clients as the first argument says; prints its port and errors.
import process from "node:process";
import { serve } from "../../mod.ts";
import type { TcpAddr } from "../../mod.ts";

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  maxConnections: Number(process.argv[2] ?? Infinity),
  onError: (error) => console.log(`error: ${error}`),
}, { message: (socket, message) => socket.send(message) });
console.log(`port ${(server.addr as TcpAddr).port}`);
process.once("SIGTERM", () => process.exit(0));
