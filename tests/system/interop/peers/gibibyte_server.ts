/**
 * A server in a process of its own, so that its memory can be measured. It reads the message that a
 * client sends to /send/..., or sends a message to /read/..., of the size in MiB in its first argument.
 */

import process from "node:process";
import { serve } from "../../../../mod.ts";
import type { Message, TcpAddr, WebSocketConnection } from "../../../../mod.ts";
import { begin, end, look, MIB } from "./growth.ts";

const total = Number(process.argv[2]) * MIB;

/** Reads a message: into one buffer repeatedly, or in the chunks that the stream provides. */
async function read(socket: WebSocketConnection, isByob: boolean): Promise<number> {
  let count = 0;
  for await (const { type, readable } of socket.messageStreams()) {
    if (isByob && type === "binary") {
      const reader = readable.getReader({ mode: "byob" });
      let buffer = new ArrayBuffer(64 * 1024);
      while (true) {
        const { done, value } = await reader.read(new Uint8Array(buffer));
        if (done) return count;
        buffer = value.buffer;
        count += value.length;
        look(value.length);
      }
    }
    const reader = (readable as ReadableStream<Message>).getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done) return count;
      count += value.length;
      look(value.length);
    }
  }
  return count;
}

async function send(socket: WebSocketConnection, isText: boolean): Promise<number> {
  const bytes = new Uint8Array(64 * 1024).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
  const chunk = isText ? "grüße, 世界 and 🌍! ".repeat(1260) : bytes;
  const size = typeof chunk === "string" ? new TextEncoder().encode(chunk).length : chunk.length;
  let count = 0;
  // deno-lint-ignore no-explicit-any
  const stream = new ReadableStream<any>({
    pull(controller) {
      look(size);
      count += size;
      controller.enqueue(chunk);
      if (count >= total) controller.close();
    },
  }, { highWaterMark: 0 });
  await socket.send(stream);
  return count;
}

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  compression: process.argv[3] === "deflate",
  limits: { maxMessageSize: Infinity, maxFragments: Infinity },
  onListen: (addr) => console.log(`listening on ${(addr as TcpAddr).port}`),
}, async (socket) => {
  const { pathname } = new URL(socket.request.url);
  const isText = pathname.endsWith("text");
  begin();
  const count = pathname.startsWith("/read")
    ? await send(socket, isText)
    : await read(socket, pathname.endsWith("byob"));
  end(pathname, count);
});
await server.finished;
