// The limit on Deno: counts bytes and answers with frames that are ready, without WebSocket.
import { Deno } from "../globals.ts";
import type { DenoConn } from "../globals.ts";
import { Replies } from "./limit.ts";
import { ready } from "./ready.mjs";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
ready(listener.addr.port);
for await (const conn of listener) serve(conn).catch(() => {});

async function serve(conn: DenoConn): Promise<void> {
  conn.setNoDelay(true);
  const replies = new Replies();
  const buffer = new Uint8Array(256 * 1024);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) break;
    for (let bytes = replies.to(count); bytes.length > 0;) {
      bytes = bytes.subarray(await conn.write(bytes));
    }
  }
  conn.close();
}
