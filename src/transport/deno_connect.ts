import { DenoTransport } from "./deno_transport.ts";
import type { DenoConn } from "./deno_transport.ts";
import { withoutDot } from "./tls_options.ts";
import { TlsError } from "./transport.ts";
import type { ClientTls, ConnectTarget, Transport } from "./transport.ts";

/** The members of `Deno.TlsConn` that are used here in addition. */
interface DenoTlsConn extends DenoConn {
  handshake(): Promise<unknown>;
}

/** The members of the `Deno` namespace that are used here, declared for the checkers of other runtimes. */
interface DenoNamespace {
  connect(options: Record<string, unknown>): Promise<DenoConn>;
  connectTls(options: Record<string, unknown>): Promise<DenoTlsConn>;
  startTls(conn: DenoConn, options: Record<string, unknown>): Promise<DenoTlsConn>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/** Connects with `Deno.connect`. */
export async function connectDeno(
  target: ConnectTarget,
  signal: AbortSignal,
): Promise<Transport> {
  const { hostname, port, path, tls } = target;
  if (tls?.cert !== undefined) return await connectWithCertificate(hostname, port, tls, signal);
  const conn = path === undefined
    ? await connectTcp(hostname, port, signal)
    : await Deno!.connect({ transport: "unix", path });
  try {
    signal.throwIfAborted();
    if (tls === undefined) return new DenoTransport(conn);
    // A connection over TLS has no such option.
    conn.setNoDelay?.(true);
  } catch (error) {
    // Aborted; or the peer has reset the connection, and setting an option of its socket throws.
    conn.close();
    throw error;
  }
  return await startTls(conn, tls, hostname, signal);
}

/**
 * Connects to TCP. If the signal aborts in the moment in which the connection is established, returns
 * the connection, for the caller to close.
 */
async function connectTcp(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<DenoConn> {
  const stop = new AbortController();
  // As its last step, Deno calls this method, even though the connection is open; if it throws, the
  // connection can't be closed any more. An attempt that is under way ends by the abort event.
  stop.signal.throwIfAborted = () => {};
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Deno!.connect({ hostname, port, signal: stop.signal });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Connects with a certificate of the client, which `Deno.startTls` does not take. `Deno.connectTls` takes
 * neither a signal nor a server name: an attempt that is aborted ends in the background.
 */
async function connectWithCertificate(
  hostname: string,
  port: number,
  { caCerts = [], cert, key }: ClientTls,
  signal: AbortSignal,
): Promise<Transport> {
  const aborted = Promise.withResolvers<never>();
  let conn: DenoTlsConn | undefined;
  const onAbort = () => {
    if (conn !== undefined) closeQuietly(conn);
    aborted.reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort);
  try {
    const attempt = Deno!.connectTls({ hostname, port, caCerts: [...caCerts], cert, key });
    attempt.then((late) => signal.aborted && closeQuietly(late), () => {});
    conn = await Promise.race([attempt, aborted.promise]);
    await conn.handshake();
    return new DenoTransport(conn);
  } catch (cause) {
    if (conn === undefined || signal.aborted) throw cause;
    closeQuietly(conn);
    throw new TlsError(`Cannot start TLS: ${(cause as Error).message}`, { cause });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Starts TLS with `Deno.startTls`, on a paused transport. */
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
  { caCerts = [], serverName }: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  let current = conn;
  const stop = () => closeQuietly(current);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    const tlsConn = await Deno!.startTls(conn, {
      hostname: withoutDot(serverName ?? hostname),
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

/** Closes a connection; closing one that `Deno.startTls` has taken over throws. */
function closeQuietly(conn: DenoConn): void {
  try {
    conn.close();
  } catch {
    // It is closed, or taken over.
  }
}
