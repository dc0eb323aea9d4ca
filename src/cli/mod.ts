/**
 * The command line: a WebSocket client and server for people, an inspector of frames, and a benchmark.
 *
 * ```sh
 * deno run -A jsr:@sluice/websocket/cli connect wss://example.com/chat
 * deno run -A jsr:@sluice/websocket/cli proxy 9000 ws://localhost:8080
 * ```
 *
 * @module
 */
import process from "node:process";
import { main } from "./main.ts";

export { main };

// Input that waits for a line, and a signal handler, would keep the process alive.
if (import.meta.main) process.exit(await main());
