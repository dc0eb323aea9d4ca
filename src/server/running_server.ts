import type { WebSocketConnection } from "../connection/connection.ts";
import type { Addr } from "../transport/transport.ts";
import type { ServerStats } from "./server_stats.ts";
import type { ShutdownOptions } from "./shutdown.ts";

/**
 * The server that `fetch()` gets as `info.server`. TypeScript cannot infer the type of a variable that is
 * used in the options of the `serve()` call that initializes it.
 */
export interface RunningServer {
  /** The address that the server listens at. */
  readonly addr: Addr;
  /** The port that the server listens at; 0 for a Unix domain socket. */
  readonly port: number;
  /** The URL of the server, to connect to from the same machine. */
  readonly url: string;
  /** The WebSockets that are open or closing. */
  readonly connections: ReadonlySet<WebSocketConnection>;
  /** Whether `shutdown()` has been called. */
  readonly isDraining: boolean;
  /** The memory of all connections together, in bytes: the sum of their `heldBytes`. */
  readonly heldBytes: number;
  /** What the server has done so far, and what it does now. */
  readonly stats: ServerStats;
  /** Shuts the server down. */
  shutdown(options?: ShutdownOptions): Promise<void>;
}
