/** Ports of processes that take theirs from a configuration. */

import { connect, HandshakeError, serve } from "../../mod.ts";
import type { ConnectOptions, WebSocketConnection } from "../../mod.ts";
import { deadline, delay } from "../harness.ts";
import type { Child } from "../harness.ts";

/** The ports below those that the system gives to connections and to servers at port 0, and their number. */
const FIRST = 10_000;
const COUNT = 20_000;

/** Returns a port that is free, and that no other process gets by chance before a child listens on it. */
export async function freePort(): Promise<number> {
  while (true) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      await serve({ hostname: "127.0.0.1", port }, {}).shutdown();
      return port;
    } catch (error) {
      if (!/in use/.test(String(error))) throw error;
    }
  }
}

/**
 * Connects to a process at a port as soon as it listens; `path` is that of the URL. The URL is `wss:` if
 * there are options for TLS. Rejects with the process's stderr if it ends before, or with the
 * `HandshakeError` of its refusal.
 */
export async function connectToChild(
  child: Child,
  port: number,
  { path = "/", ...options }: ConnectOptions = {},
): Promise<WebSocketConnection> {
  const url = `${options.tls === undefined ? "ws" : "wss"}://127.0.0.1:${port}${path}`;
  let isRunning = true;
  child.exited.finally(() => isRunning = false).catch(() => {});
  const connecting = (async () => {
    while (true) {
      try {
        return await connect(url, options);
      } catch (error) {
        if (error instanceof HandshakeError && error.status !== 0) throw error;
        if (!isRunning) throw new Error((await child.exited).stderr, { cause: error });
        await delay(20);
      }
    }
  })();
  return await deadline(connecting, 20_000, "a connection").catch(async (error) => {
    if (error instanceof HandshakeError && error.status !== 0) throw error;
    await child.kill();
    throw new Error((await child.exited).stderr, { cause: error });
  });
}
