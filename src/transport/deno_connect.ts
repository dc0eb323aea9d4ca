import { DenoTransport } from "./deno_transport.ts";
import type { DenoConn } from "./deno_transport.ts";
import { TlsError } from "./transport.ts";
import type { ClientTls, ConnectTarget, Transport } from "./transport.ts";

/** What is used of `Deno.TlsConn`. */
interface DenoTlsConn extends DenoConn {
  handshake(): Promise<unknown>;
}

/** What is used of the `Deno` namespace; named here so that other runtimes' checkers know it. */
interface DenoNamespace {
  connect(options: Record<string, unknown>): Promise<DenoConn>;
  startTls(conn: DenoConn, options: Record<string, unknown>): Promise<DenoTlsConn>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/** Connects by `Deno.connect`. */
export async function connectDeno(
  target: ConnectTarget,
  signal: AbortSignal,
): Promise<Transport> {
  const { hostname, port, path, tls } = target;
  const conn = path === undefined
    ? await connectTcp(hostname, port, signal)
    : await Deno!.connect({ transport: "unix", path });
  try {
    signal.throwIfAborted();
    if (tls === undefined) return new DenoTransport(conn);
    // A connection over TLS has no such option.
    conn.setNoDelay?.(true);
  } catch (error) {
    // Aborted; or the peer may be gone already: setting an option of its socket throws.
    conn.close();
    throw error;
  }
  return await startTls(conn, tls, hostname, signal);
}

/**
 * Connects TCP. What has come of it is given back where the signal has aborted in the same moment, for
 * the caller to close.
 */
async function connectTcp(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<DenoConn> {
  const stop = new AbortController();
  // Last of all, Deno asks the signal to throw, even with an open connection at hand, which nobody could
  // close any more. An attempt that is under way ends by the abort itself, not by this.
  stop.signal.throwIfAborted = () => {};
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Deno!.connect({ hostname, port, signal: stop.signal });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Starts TLS by `Deno.startTls`, on a transport that is paused. */
export function startTlsDeno(
  transport: DenoTransport,
  tls: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  return startTls(transport.release(), tls, hostname, signal);
}

async function startTls(
  conn: DenoConn,
  { caCerts = [], serverName = "" }: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  let current = conn;
  const stop = () => closeQuietly(current);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const tlsConn = await Deno!.startTls(conn, {
      hostname: serverName || hostname,
      caCerts: [...caCerts],
    });
    current = tlsConn;
    signal.throwIfAborted();
    await tlsConn.handshake();
    return new DenoTransport(tlsConn);
  } catch (cause) {
    closeQuietly(current);
    throw new TlsError(`Cannot start TLS: ${(cause as Error).message}`, { cause });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Once `Deno.startTls` has taken a connection, closing that throws. */
function closeQuietly(conn: DenoConn): void {
  try {
    conn.close();
  } catch {
    // It's closed, or somebody else's.
  }
}
