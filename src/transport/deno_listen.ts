import { DenoTransport, toAddr } from "./deno_transport.ts";
import type { DenoAddr, DenoConn } from "./deno_transport.ts";
import type { Listener, ListenHandler, ListenOptions } from "./transport.ts";

/** The members of `Deno.Listener` that are used here. */
interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** The members of the `Deno` namespace that are used here, declared for the checkers of other runtimes. */
interface DenoNamespace {
  listen(options: Record<string, unknown>): DenoListener;
  listenTls(options: Record<string, unknown>): DenoListener;
  /** Exists only with the flag `--unstable-net`. */
  listenDatagram?: unknown;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/**
 * The pause before accepting again after a failure such as EMFILE, in milliseconds. It doubles with each
 * further failure, so that there is at most one report a second, and halves with each success.
 */
const MIN_PAUSE = 50;
const MAX_PAUSE = 1000;
/**
 * The errors of a connection that its peer has reset before it was accepted. They cause no pause:
 * otherwise a peer that does so repeatedly could keep others waiting.
 */
const RESET = /* @__PURE__ */ new Set(["ConnectionAborted", "ConnectionReset", "NotConnected"]);

/**
 * Listens with `Deno.listen`.
 *
 * @throws {TypeError} If `reusePort` is set without the flag `--unstable-net`: Deno would exit.
 */
export function listenDeno(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false, tls } = options;
  if (reusePort && path === undefined && Deno!.listenDatagram === undefined) {
    throw new TypeError("Cannot listen: reusePort on Deno needs the flag --unstable-net");
  }
  const listener = path !== undefined
    ? Deno!.listen({ transport: "unix", path })
    : tls === undefined
    ? Deno!.listen({ hostname, port, reusePort })
    : Deno!.listenTls({ hostname, port, reusePort, cert: tls.cert, key: tls.key });
  const stop = new AbortController();

  async function acceptAll(): Promise<void> {
    let wait = MIN_PAUSE;
    while (!stop.signal.aborted) {
      let conn: DenoConn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (RESET.has((error as Error).name)) continue;
        handler.error(error);
        if (stop.signal.aborted) return; // Closed by the handler.
        await pause(wait, stop.signal);
        wait = Math.min(wait * 2, MAX_PAUSE);
        continue;
      }
      wait = Math.max(wait / 2, MIN_PAUSE);
      const transport = transportOf(conn);
      if (transport === undefined) continue;
      try {
        handler.connection(transport);
      } catch (error) {
        transport.abort();
        handler.error(error);
      }
    }
  }

  const finished = acceptAll();
  return {
    addr: toAddr(listener.addr),
    close() {
      if (!stop.signal.aborted) {
        stop.abort();
        listener.close();
      }
      return finished;
    },
  };
}

/** Returns `undefined` if the peer has reset the connection: setting an option of its socket throws. */
function transportOf(conn: DenoConn): DenoTransport | undefined {
  try {
    return new DenoTransport(conn);
  } catch {
    conn.close();
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
