// Serves a file by a node:stream to clients that leave in the middle of it, and is still there after.
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { serve } from "../../mod.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
writeFileSync(path, "");
truncateSync(path, 64 * 1024 * 1024);
const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () => new Response(Readable.toWeb(createReadStream(path)) as unknown as ReadableStream),
}, {});

/** Requests the file, reads nothing of it or some of it, and leaves. */
function abandon(index: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => {
      socket.write(`${index % 4 === 3 ? "HEAD" : "GET"} / HTTP/1.1\r\nHost: a\r\n\r\n`);
    });
    let received = 0;
    if (index % 2 === 0) socket.pause();
    else socket.on("data", ({ length }) => (received += length) > 1e6 && socket.pause());
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    setTimeout(() => index % 3 === 0 ? socket.destroy() : socket.resetAndDestroy(), 200);
  });
}

for (let round = 0; round < 3; round++) {
  await Promise.all(Array.from({ length: 4 }, (_, index) => abandon(4 * round + index)));
}
await server.shutdown();
rmSync(folder, { recursive: true });
console.log("alive");
