// Sends a file by a node:stream as a message, on connections that end before all of it is sent. Prints "alive"
// if that has not ended the process.
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { connect, serve } from "../../mod.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const path = join(folder, "file");
writeFileSync(path, "");
truncateSync(path, 64 * 1024 * 1024);
const server = serve({ hostname: "127.0.0.1", port: 0 }, { message() {} });

/** Begins to send the file, and after some turns drops the connection: the client does, or the server. */
async function abandon(index: number): Promise<void> {
  const socket = await connect(server.url);
  const file = Readable.toWeb(createReadStream(path)) as unknown as ReadableStream<Uint8Array>;
  const sent = socket.send(file).catch(() => {});
  for (let i = 0; i < index % 50; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  if (index % 2 === 0) socket.abort();
  else for (const peer of server.connections) peer.abort();
  await sent;
}

for (let index = 0; index < 60; index++) await abandon(index);
await server.shutdown();
rmSync(folder, { recursive: true });
console.log("alive");
