// The ceiling on Bun: an echo of raw TCP, without WebSocket.
import { Bun } from "../globals.ts";
import type { BunSocket } from "../globals.ts";
import { ready } from "./ready.mjs";

/** The bytes that the kernel has not accepted yet. */
type Queue = Uint8Array[];

function flush(socket: BunSocket<Queue>): void {
  const queue = socket.data;
  while (queue.length > 0) {
    const chunk = queue[0]!;
    const written = Math.max(0, socket.write(chunk));
    if (written < chunk.length) {
      queue[0] = chunk.subarray(written);
      return;
    }
    queue.shift();
  }
}

const { port } = Bun.listen<Queue>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    binaryType: "uint8array",
    open(socket) {
      socket.data = [];
      socket.setNoDelay(true);
    },
    data(socket, chunk) {
      socket.data.push(chunk);
      if (socket.data.length === 1) flush(socket);
    },
    drain: flush,
  },
});
ready(port);
