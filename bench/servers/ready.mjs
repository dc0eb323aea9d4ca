// Common to all peers: prints the port and collects garbage on SIGUSR2.
import process from "node:process";

/** The mode: "broadcast", "compressed" for an echo with permessage-deflate, otherwise an echo. */
export const mode = process.argv[2] ?? "echo";

/** Prints the port, in a line that the benchmark waits for. */
export function ready(port) {
  console.log(`PORT ${port}`);
}

/** For the memory loads. Deno and Node need --expose-gc. */
if (mode === "idle") {
  process.on("SIGUSR2", () => globalThis.Bun ? globalThis.Bun.gc(true) : globalThis.gc?.());
}
