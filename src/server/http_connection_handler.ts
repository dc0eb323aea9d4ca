import type { WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/connection_settings.ts";
import { uncounted } from "../connection/counters.ts";
import type { HandshakeError } from "../http/errors.ts";
import type { Addr } from "../transport/transport.ts";
import { timers as processTimers } from "../util/timers.ts";
import type { AcceptConfig } from "./accept_options.ts";
import type { FetchFunction } from "./fetch_handler.ts";
import type { UpgradeChecker } from "./server_handshake.ts";
import type { HttpResponder } from "./http_responder.ts";

/** The members of an HTTP connection that its handler uses. */
export interface ClientConnection extends HttpResponder {
  /** The client; `undefined` until a proxy has named it. */
  readonly clientAddr: Addr | undefined;
  /** The size in bytes of the head that has opened a WebSocket. */
  readonly headSize: number;
}

/** Receives the events of an HTTP connection, and makes the decisions of the server. */
export interface HttpConnectionHandler<Data> extends UpgradeChecker {
  /** The settings that all connections of the server share. */
  readonly connectionSettings: ConnectionSettings<WebSocketConnection<Data>>;
  /** The server's `fetch()`. Without it, plain HTTP is refused. */
  readonly fetch?: FetchFunction | undefined;
  /** Whether connections may persist after a response: not while the server shuts down. */
  mayPersist?(): boolean;
  /**
   * A proxy has named the client of the next request. Returns a refusal if that client is over its limit.
   *
   * @param previous The client of the previous request, for which the connection has been counted.
   */
  identified?(clientAddr: Addr, previous: Addr | undefined): HandshakeError | undefined;
  /** The handshake is accepted. The handler starts the WebSocket with the 101 response and the early data. */
  open(
    socket: WebSocketConnection<Data>,
    response: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
    connection: ClientConnection,
  ): void;
  /** A request has been refused, and the response is being sent. */
  refused(error: HandshakeError): void;
  /** An error of `fetch()`, of the body of its response, or of the start of a WebSocket. */
  failed?(error: unknown): void;
  /** The connection is closed, and has not become a WebSocket. */
  closed(error: unknown, connection: ClientConnection): void;
  /** In addition, no call of `upgrade()` or `fetch()` is pending. */
  released?(connection: ClientConnection): void;
}

/** Makes the settings that all connections with these options share. */
export function connectionSettings<Data>(
  config: AcceptConfig<Data>,
  server: Pick<ConnectionSettings<WebSocketConnection<Data>>, "budget" | "onError" | "onClosed">,
): ConnectionSettings<WebSocketConnection<Data>> {
  const {
    limits,
    overflow,
    payload,
    overwriteBorrowed,
    discardMessages,
    makeRequest,
    overRate,
    inspect,
  } = config;
  const { timers = processTimers, counters = uncounted } = config;
  return {
    role: "server",
    limits,
    timers,
    counters,
    overflow,
    payload,
    overwriteBorrowed,
    discardMessages,
    overRate,
    inspect,
    makeRequest,
    ...server,
  };
}
