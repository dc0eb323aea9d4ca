import { listen } from "../transport/runtime.ts";
import type { Addr, Listener, ListenHandler, ListenOptions } from "../transport/transport.ts";

/** Listens. The error of the runtime, whose class is kept, names the address. */
export function listenAt(all: ListenOptions, handler: ListenHandler): Listener {
  const options: ListenOptions = {};
  for (const name of ["hostname", "port", "path", "reusePort", "tls"] as const) {
    if (all[name] !== undefined) Object.assign(options, { [name]: all[name] });
  }
  try {
    return listen(options, handler);
  } catch (error) {
    // A TypeError is about an option; it names the option.
    if (error instanceof Error && !(error instanceof TypeError)) {
      const { hostname = "0.0.0.0", port = 8080, path } = options;
      const { code } = error as { code?: unknown };
      const where = path === undefined ? `port ${port} of ${hostname}` : path;
      const why = code === "EADDRINUSE" ? "the address is in use" : error.message;
      const suffix = typeof code === "string" ? ` (${code})` : "";
      error.message = `Cannot listen at ${where}: ${why}${suffix}`;
    }
    throw error;
  }
}

/** Returns the URL of a server, to connect to from the same machine. */
export function urlOf(addr: Addr, isTls: boolean): string {
  if (addr.transport === "unix") return `ws+unix:${addr.path}`;
  const { hostname, port } = addr;
  const isEveryAddress = hostname === "0.0.0.0" || hostname === "::";
  const host = isEveryAddress ? "localhost" : hostname.includes(":") ? `[${hostname}]` : hostname;
  return new URL(`${isTls ? "wss" : "ws"}://${host}:${port}/`).href;
}
