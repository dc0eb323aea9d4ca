import { BunTransport, isBun, listenBun } from "./bun_transport.ts";
import { connectBun, startTlsBun } from "./bun_connect.ts";
import { DenoTransport, isDeno } from "./deno_transport.ts";
import type { DenoConn } from "./deno_transport.ts";
import { listenDeno } from "./deno_listen.ts";
import { connectDeno, startTlsDeno } from "./deno_connect.ts";
import type {
  ClientTls,
  ConnectTarget,
  Listener,
  ListenHandler,
  ListenOptions,
  Transport,
} from "./transport.ts";

/**
 * Listens by the means of the runtime at hand.
 *
 * @throws {Error} the runtime's own where the address can't be had, or the certificate is malformed.
 * @throws {TypeError} where it's neither Deno nor Bun, or TLS is asked for on a Unix socket.
 */
export function listen(options: ListenOptions, handler: ListenHandler): Listener {
  refuseUnixTls("listen", options);
  if (isDeno) return listenDeno(options, handler);
  if (isBun) return listenBun(options, handler);
  throw new TypeError("Cannot listen: expected Deno or Bun");
}

/**
 * Connects by the means of the runtime at hand: TCP or a Unix socket, and TLS on top of TCP.
 *
 * @param target Where to.
 * @param signal Gives the attempt up, which frees all that it holds; Bun can't end an attempt to connect
 * by TCP before the kernel does, so what comes of that is dropped when it comes.
 * @throws {Error} the runtime's own where there is no connection.
 * @throws {TlsError} where TLS could not be established on it.
 * @throws {unknown} the signal's reason where it aborts.
 * @throws {TypeError} where it's neither Deno nor Bun, or TLS is asked for on a Unix socket.
 */
export async function connect(target: ConnectTarget, signal: AbortSignal): Promise<Transport> {
  refuseUnixTls("connect", target);
  signal.throwIfAborted();
  if (isDeno) return await orReason(connectDeno(target, signal), signal);
  if (isBun) return await orReason(connectBun(target, signal), signal);
  throw new TypeError("Cannot connect: expected Deno or Bun");
}

/**
 * Starts TLS, as a client, on a transport of {@linkcode connect}'s that a tunnel has been opened on.
 *
 * @param transport The transport, which its handler has paused from within `data()`; it's of no use
 * any more, whatever comes of this.
 * @param tls Whom to trust.
 * @param hostname The host at the other end of the tunnel.
 * @param signal Gives the attempt up, which closes the connection.
 * @returns the transport for what is to be encrypted.
 * @throws {TlsError} where TLS could not be established.
 * @throws {unknown} the signal's reason where it aborts.
 * @throws {TypeError} where it's a transport that TLS can't be started on.
 */
export async function startTls(
  transport: Transport,
  tls: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  try {
    return await orReason(startTlsOn(transport, tls, hostname, signal), signal);
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
  throw new TypeError("Cannot start TLS: expected a transport of Deno's or Bun's");
}

/** Whatever an abort has made fail, fails with its reason; whatever it came too late for is dropped. */
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

/** A connection of the caller's own: a {@linkcode Transport}, or a `Deno.Conn`. */
export type Conn = Transport | DenoConn;

/**
 * The transport of a connection of the caller's own.
 *
 * @throws {TypeError} where it's not a connection.
 */
export function toTransport(conn: Conn): Transport {
  if (conn instanceof BunTransport || "shutdown" in conn) return conn;
  if ("closeWrite" in conn) return new DenoTransport(conn);
  throw new TypeError("Cannot use as a connection: expected a Transport or a Deno.Conn");
}
