import { DenoTransport, toAddr } from "./deno_transport.ts";
import type { DenoAddr, DenoConn } from "./deno_transport.ts";
import type { Listener, ListenHandler, ListenOptions } from "./transport.ts";

/** What is used of `Deno.Listener`. */
interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** What is used of the `Deno` namespace; named here so that other runtimes' checkers know it. */
interface DenoNamespace {
  listen(options: Record<string, unknown>): DenoListener;
  listenTls(options: Record<string, unknown>): DenoListener;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/**
 * How long to wait, in milliseconds, before accepting again after a failure, such as EMFILE: twice as
 * long after each that follows, so that there is one report a second at most, half as long after each
 * success.
 */
const MIN_PAUSE = 50;
const MAX_PAUSE = 1000;
/**
 * Failures of the one connection that was to be accepted, whose peer has reset it: there is nothing to
 * wait for, and whoever does it again and again must not make others wait.
 */
const GONE = /* @__PURE__ */ new Set(["ConnectionAborted", "ConnectionReset", "NotConnected"]);

/** Listens by `Deno.listen`. */
export function listenDeno(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false, tls } = options;
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
        if (GONE.has((error as Error).name)) continue;
        handler.error(error);
        if (stop.signal.aborted) return; // By whoever was told.
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

/** The peer may be gone already, which is nobody's fault: setting an option of its socket throws. */
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
