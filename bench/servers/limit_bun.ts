// The limit on Bun: counts bytes and answers with frames that are ready, without WebSocket.
import { Bun } from "../globals.ts";
import type { BunSocket } from "../globals.ts";
import { Replies } from "./limit.ts";
import { ready } from "./ready.mjs";

/** A connection: its replies, and the bytes that the kernel has not accepted yet. */
interface Connection {
  readonly replies: Replies;
  readonly queue: Uint8Array[];
}

function flush(socket: BunSocket<Connection>): void {
  const { queue } = socket.data;
  while (queue.length > 0) {
    const bytes = queue[0]!;
    const written = Math.max(0, socket.write(bytes));
    if (written < bytes.length) {
      queue[0] = bytes.subarray(written);
      return;
    }
    queue.shift();
  }
}

const { port } = Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    binaryType: "uint8array",
    open(socket) {
      socket.data = { replies: new Replies(), queue: [] };
      socket.setNoDelay(true);
    },
    data(socket, chunk) {
      const { replies, queue } = socket.data;
      const bytes = replies.to(chunk.length);
      if (bytes.length > 0 && queue.push(bytes) === 1) flush(socket);
    },
    drain: flush,
  },
});
ready(port);
