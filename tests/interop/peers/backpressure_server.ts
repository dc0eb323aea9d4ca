/**
 * An echo in a process of its own, so that its memory can be measured: with callbacks, a loop or pipes,
 * as its first argument says; "slow" is a handler that takes a message and never the next.
 */

import process from "node:process";
import { serve } from "../../../mod.ts";
import type { SocketFunction, SocketHandler, TcpAddr } from "../../../mod.ts";

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

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: (addr) => console.log(`listening on ${(addr as TcpAddr).port}`),
}, HANDLERS[process.argv[2]!]!);
await server.finished;
