// A command-line client: `deno run -A examples/client.ts ws://localhost:8080/`, or `bun
// examples/client.ts ws://localhost:8080/`. Sends each typed line and prints each
// received message.
import process from "node:process";
import { createInterface } from "node:readline";
import { connect } from "@sluice/websocket";
import type { WebSocketConnection } from "@sluice/websocket";

const [url = "ws://localhost:8080/", ...more] = process.argv.slice(2);
if (more.length > 0) {
  console.error("Usage: client.ts [URL]");
  process.exit(2);
}

let socket: WebSocketConnection;
try {
  socket = await connect(url);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
console.error(`Connected to ${url}`);
process.once("SIGINT", () => socket.close(1000));

const lines = createInterface({ input: process.stdin });
// Awaiting `send()` applies backpressure: a server that reads slowly cannot fill the memory.
const sendLines = async () => {
  for await (const line of lines) await socket.send(line);
  await socket.close(1000);
};
sendLines().catch(() => {}); // The server has closed: the loop below reports it.

for await (const message of socket) {
  console.log(typeof message === "string" ? message : `(${message.length} bytes)`);
}
const { closeCode, reason, wasClean } = await socket.closed;
console.error(`Closed: ${closeCode} ${reason}`.trimEnd());
process.exit(wasClean ? 0 : 1);
