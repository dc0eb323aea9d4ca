import { BunTransport } from "./bun_transport.ts";
import type { BunSocketHandler } from "./bun_transport.ts";
import type { Listener, ListenHandler, ListenOptions, Transport } from "./transport.ts";

interface BunListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeActiveConnections?: boolean): void;
}

/** The members of the `Bun` namespace that are used here, declared for the checkers of other runtimes. */
interface BunNamespace {
  listen(options: Record<string, unknown>): BunListener;
}

const { Bun } = globalThis as unknown as { Bun?: BunNamespace };

/**
 * Returns the callbacks for your own `Bun.listen`, whose connections become {@linkcode Transport}s.
 * Listen with `allowHalfOpen: true`; otherwise Bun closes a connection before its Close frame is
 * answered.
 *
 * @param connection Called with each connection. What it throws, or what its promise rejects with, is
 * printed with `console.error`; if it throws, the connection is dropped.
 * @param path The path, if it is a Unix socket.
 */
export function bunSocketHandler(
  connection: (transport: Transport) => void,
  path?: string,
): BunSocketHandler {
  if (typeof connection !== "function") {
    throw new TypeError(`Cannot use bunSocketHandler(): expected a function, got ${connection}`);
  }
  return {
    binaryType: "uint8array",
    open(socket) {
      const transport = new BunTransport(socket, path);
      socket.data = transport;
      // The peer has reset the connection before it was accepted. Without an address, it would pass
      // every rule on addresses.
      if (path === undefined && !socket.remoteAddress) return transport.abort();
      try {
        const result: unknown = connection(transport);
        if (result instanceof Promise) result.catch(failed);
      } catch (error) {
        transport.abort();
        failed(error);
      }
    },
    // Bun closes a connection whose TLS handshake has failed.
    handshake() {},
    data: (socket, chunk) => (socket.data as BunTransport).data(chunk),
    drain: (socket) => (socket.data as BunTransport).drain(),
    end: (socket) => (socket.data as BunTransport).end(),
    close: (socket, error) => (socket.data as BunTransport).closed(error),
    error: (socket, error) => (socket.data as BunTransport).abort(error),
  };
}

function failed(error: unknown): void {
  console.error("Cannot serve a connection", error);
}

/**
 * Listens with `Bun.listen`. When file descriptors run out, Bun retries until one is free, and reports
 * nothing.
 */
export function listenBun(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false, tls } = options;
  const listener = Bun!.listen({
    ...(path === undefined ? { hostname, port, reusePort } : { unix: path }),
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
    allowHalfOpen: true,
    socket: bunSocketHandler((transport) => {
      try {
        handler.connection(transport);
      } catch (error) {
        transport.abort();
        handler.error(error);
      }
    }, path),
  });
  return {
    addr: path === undefined
      ? { transport: "tcp", hostname: listener.hostname, port: listener.port }
      : { transport: "unix", path },
    close() {
      listener.stop();
      return Promise.resolve();
    },
  };
}
