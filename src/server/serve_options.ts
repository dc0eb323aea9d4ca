import type { Addr, ListenOptions } from "../transport/transport.ts";
import type { AcceptOptions, RequestInfo } from "./accept_options.ts";
import type { AdmissionOptions } from "./connection_limits.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** Options of {@linkcode serve}. */
export interface ServeOptions<Data = unknown>
  extends ListenOptions, AdmissionOptions, AcceptOptions<Data> {
  /** Shuts the server down when it aborts. */
  signal?: AbortSignal;
  /** Called with the address once the server listens. */
  onListen?: (addr: Addr) => void;
  /**
   * Told of everything that goes wrong: a handler that throws, a peer that breaks the protocol, a
   * request that is refused, a connection that can't be accepted. Nothing is printed elsewhere.
   *
   * @default {undefined} prints what is not a peer's fault with `console.error`
   */
  onError?: (error: unknown, socket?: WebSocketConnection<Data>) => void;
  /**
   * How many bytes of memory all connections may hold together, by their `heldBytes`; an idle one holds
   * next to nothing. Over it, and until they are back at 90 %, upgrades are answered with 503 and a
   * `Retry-After`, and those that have more than a fair share and grow are not read; where none of it
   * is freed for as long as `closeTimeout`, or at twice as much, the heaviest are closed with 1013, or
   * dropped where their peers don't read. `Infinity` for no bound.
   *
   * @default {536870912} 512 MiB
   */
  maxMemory?: number;
  /**
   * Answers a plain HTTP request, GET or HEAD, so that a page and a health check come from the same
   * port. The connection ends with the answer.
   *
   * @default {undefined} plain HTTP is answered with 426
   */
  fetch?: (request: Request, info: RequestInfo) => Response | Promise<Response>;
}

/** A function that is the life of a connection: when it returns, the connection closes with 1000. */
export type SocketFunction<Data = unknown> = (
  socket: WebSocketConnection<Data>,
) => void | Promise<void>;
