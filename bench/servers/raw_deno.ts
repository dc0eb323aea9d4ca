// The ceiling on Deno: an echo of raw TCP, without WebSocket.
import { Deno } from "../globals.ts";
import type { DenoConn } from "../globals.ts";
import { ready } from "./ready.mjs";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
ready(listener.addr.port);
for await (const conn of listener) echo(conn).catch(() => {});

async function echo(conn: DenoConn): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const end = await conn.read(buffer);
    if (end === null) break;
    for (let start = 0; start < end;) start += await conn.write(buffer.subarray(start, end));
  }
  conn.close();
}
