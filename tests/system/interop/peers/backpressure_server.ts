/**
 * An echo in a process of its own, so that its memory can be measured. Its first argument is the form:
 * callbacks, a loop, pipes, or "slow", a handler that reads one message only. An HTTP request collects
 * the garbage and returns the memory usage.
 */

import process from "node:process";
import { serve } from "../../../../mod.ts";
import type { SocketFunction, SocketHandler, TcpAddr } from "../../../../mod.ts";
import { collectGarbage } from "../../../support/garbage.ts";

const HANDLERS: Record<string, SocketFunction | SocketHandler> = {
  callbacks: { message: (socket, message) => void socket.send(message) },
  loop: async (socket) => {
    for await (const message of socket) await socket.send(message);
  },
  pipe: (socket) => socket.readable.pipeTo(socket.writable),
  slow: async (socket) => {
    for await (const message of socket) {
      await socket.send(message);
      // The other connection is served: only a flood of larger messages meets a handler that is stuck.
      if (message.length > 64) await new Promise(() => {});
    }
  },
};

let peak = 0;

/** In bytes: what is alive on the heap and beside it, what the system has given, what is said to be held. */
async function memory(): Promise<Response> {
  // What is beside the heap goes later than the objects that it belongs to.
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  // What became garbage during the last wait.
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  const held = peak;
  peak = server.heldBytes;
  return Response.json({ live: heapUsed + external, rss, held });
}

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: memory,
  onListen: (addr) => console.log(`listening on ${(addr as TcpAddr).port}`),
}, HANDLERS[process.argv[2]!]!);
setInterval(() => peak = Math.max(peak, server.heldBytes), 1);
await server.finished;
