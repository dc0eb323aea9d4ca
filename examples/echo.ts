// An echo server: `deno run -A examples/echo.ts`, or `bun examples/echo.ts`.
import process from "node:process";
import { serve } from "@sluice/websocket";

const server = serve({ port: Number(process.env.PORT || 8080) }, async (socket) => {
  // Text is a string and returns as text; binary is a Uint8Array and returns as binary. Awaiting
  // `send()` applies backpressure: a client that does not read cannot fill the memory.
  for await (const message of socket) await socket.send(message);
});

// The first signal closes every connection cleanly; the second ends the process.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.shutdown());
}

if (server.addr.transport === "tcp") console.log(`Echo at ws://localhost:${server.addr.port}/`);
await server.finished;
process.exit(0);
