import { BunTransport, isBun, listenBun } from "./bun.ts";
import { DenoTransport, isDeno, listenDeno } from "./deno.ts";
import type { DenoConn } from "./deno.ts";
import type { Listener, ListenHandler, ListenOptions, Transport } from "./transport.ts";

/**
 * Listens by the means of the runtime at hand.
 *
 * @throws {Error} the runtime's own where the address can't be had.
 * @throws {TypeError} where it's neither Deno nor Bun.
 */
export function listen(options: ListenOptions, handler: ListenHandler): Listener {
  if (isDeno) return listenDeno(options, handler);
  if (isBun) return listenBun(options, handler);
  throw new TypeError("Cannot listen: expected Deno or Bun");
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
