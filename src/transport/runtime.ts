import { connectBun, startTlsBun } from "./bun_connect.ts";
import { listenBun } from "./bun_listen.ts";
import { BunTransport, isBun } from "./bun_transport.ts";
import { DenoTransport, isDeno } from "./deno_transport.ts";
import type { DenoConn } from "./deno_transport.ts";
import { listenDeno } from "./deno_listen.ts";
import { connectDeno, startTlsDeno } from "./deno_connect.ts";
import { checkNames, checkPort } from "./options.ts";
import { resolveClientTls, resolveServerTls } from "./tls_options.ts";
import type {
  ClientTls,
  ConnectTarget,
  Listener,
  ListenHandler,
  ListenOptions,
  Transport,
} from "./transport.ts";

const LISTEN_NAMES = ["hostname", "port", "path", "reusePort", "tls"];

/**
 * Listens with the runtime's own sockets.
 *
 * @throws {Error} The runtime's error, if the address is not available.
 * @throws {TypeError} If the runtime is neither Deno nor Bun, if `tls` can't work, if `tls` and `path` are
 * both set, if an option is unknown, or if `reusePort` is set on Deno without its flag `--unstable-net`.
 */
export function listen(options: ListenOptions, handler: ListenHandler): Listener {
  checkNames("listen()", options, LISTEN_NAMES);
  checkPort("listen()", options.port);
  refuseUnixTls("listen", options);
  const { tls } = options;
  const resolved = tls === undefined ? options : { ...options, tls: resolveServerTls(tls) };
  if (isDeno) return listenDeno(resolved, handler);
  if (isBun) return listenBun(resolved, handler);
  throw new TypeError("Cannot listen: expected Deno or Bun");
}

/**
 * Checks the TLS options of a client, and that this runtime can use them.
 *
 * @param isTunnel Whether TLS is started on a connection through a proxy.
 * @throws {TypeError} If an option is malformed, or this runtime can't use it.
 */
export function checkTlsOptions(tls: ClientTls, isTunnel: boolean): void {
  const { cert, serverName } = resolveClientTls(tls);
  if (!isDeno || cert === undefined || (serverName === undefined && !isTunnel)) return;
  const other = isTunnel ? "a proxy" : "serverName";
  throw new TypeError(`Cannot use cert of tls: Deno can't use it together with ${other}`);
}

/**
 * Connects with the runtime's own sockets: to TCP or a Unix socket, with TLS on top of TCP.
 *
 * @param target The address, and the TLS options.
 * @param signal Ends the attempt and frees its resources.
 * @throws {Error} The runtime's error, if the connection can't be established.
 * @throws {TlsError} If TLS can't be established on it.
 * @throws {unknown} The signal's reason, if it aborts.
 * @throws {TypeError} If the runtime is neither Deno nor Bun, if an option is unknown, or if `tls` and `path`
 * are both set.
 */
export async function connect(target: ConnectTarget, signal: AbortSignal): Promise<Transport> {
  checkNames("connect()", target, ["hostname", "port", "path", "tls"]);
  checkPort("connect()", target.port);
  refuseUnixTls("connect", target);
  const { tls } = target;
  const resolved = tls === undefined ? target : { ...target, tls: resolveClientTls(tls) };
  signal.throwIfAborted();
  if (isDeno) return await orReason(connectDeno(resolved, signal), signal);
  if (isBun) return await orReason(connectBun(resolved, signal), signal);
  throw new TypeError("Cannot connect: expected Deno or Bun");
}

/**
 * Starts TLS, as a client, on a transport of {@linkcode connect} that carries a tunnel.
 *
 * @param transport The transport, which its handler has paused within `data()`. It can't be used any
 * more, whether this succeeds or fails.
 * @param tls The TLS options.
 * @param hostname The host at the other end of the tunnel.
 * @param signal Ends the attempt and closes the connection.
 * @returns The transport that encrypts.
 * @throws {TlsError} If TLS can't be established.
 * @throws {unknown} The signal's reason, if it aborts.
 * @throws {TypeError} If TLS can't be started on such a transport, or an option is malformed.
 */
export async function startTls(
  transport: Transport,
  tls: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  try {
    return await orReason(startTlsOn(transport, resolveClientTls(tls), hostname, signal), signal);
  } catch (error) {
    transport.abort();
    throw error;
  }
}

async function startTlsOn(
  transport: Transport,
  tls: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  signal.throwIfAborted();
  if (transport instanceof DenoTransport) {
    return await startTlsDeno(transport, tls, hostname, signal);
  }
  if (transport instanceof BunTransport) {
    return await startTlsBun(transport, tls, hostname, signal);
  }
  throw new TypeError("Cannot start TLS: expected a transport of Deno or Bun");
}

/** Rejects with the signal's reason if it has aborted, and then closes a transport that came too late. */
async function orReason(attempt: Promise<Transport>, signal: AbortSignal): Promise<Transport> {
  try {
    const transport = await attempt;
    if (signal.aborted) transport.abort();
    else return transport;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  throw signal.reason;
}

function refuseUnixTls(
  what: string,
  { path, tls }: Pick<ConnectTarget, "path" | "tls"> | ListenOptions,
): void {
  if (path !== undefined && tls !== undefined) {
    throw new TypeError(`Cannot ${what}: TLS is for TCP, not for a Unix socket`);
  }
}

/** A connection that the caller has opened: a {@linkcode Transport} or a `Deno.Conn`. */
export type Conn = Transport | DenoConn;

/**
 * Returns the transport of a connection that the caller has opened.
 *
 * @throws {TypeError} If it is not a connection.
 */
export function toTransport(conn: Conn): Transport {
  if (conn instanceof BunTransport || "shutdown" in conn) return conn;
  if ("closeWrite" in conn) return new DenoTransport(conn);
  throw new TypeError("Cannot use as a connection: expected a Transport or a Deno.Conn");
}
