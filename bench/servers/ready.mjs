// What every peer does beside serving: says where it listens, and collects garbage when asked to.
import process from "node:process";

/** What to do with messages: "broadcast", or for any other mode an echo; "compressed" if so. */
export const mode = process.argv[2] ?? "echo";

/** Says where the peer listens: a line that the benchmark waits for. */
export function ready(port) {
  console.log(`PORT ${port}`);
}

/** For the load that measures memory: Deno and Node need --expose-gc. */
if (mode === "idle") {
  process.on("SIGUSR2", () => globalThis.Bun ? globalThis.Bun.gc(true) : globalThis.gc?.());
}
