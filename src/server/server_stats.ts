import type { ConnectionCounters, RoundTrips } from "../connection/counters.ts";
import { Tally } from "../connection/counters.ts";
import type { HandshakeError } from "../http/errors.ts";

/**
 * What a server has done so far, and what it does now: `server.stats`. All numbers are counters that only
 * grow, except the last three.
 */
export interface ServerStats {
  /** TCP connections that were accepted, those that were refused at once included. */
  readonly accepted: number;
  /** WebSockets that have opened. */
  readonly opened: number;
  /** WebSockets that were closed. */
  readonly closed: number;
  /**
   * The same by the received close code: 1005 for a Close frame without one, 1006 if none was received.
   * After 64 different codes, further ones are counted as `other`.
   */
  readonly closedByCode: Readonly<Record<string, number>>;
  /**
   * The WebSockets that an error has ended, by the code of the error, such as `ERR_PONG_TIMEOUT`. They are a
   * part of `closed`.
   */
  readonly failedByReason: Readonly<Record<string, number>>;
  /** Requests that were refused, and connections that were refused before their request was read. */
  readonly refused: number;
  /** The same by the code of the error: `ERR_HANDSHAKE_REFUSED` is a `Response` of `upgrade()`. */
  readonly refusedByReason: Readonly<Record<string, number>>;
  /** HTTP requests that `fetch()` was called with. */
  readonly requests: number;
  /** Messages that were received whole. */
  readonly messagesReceived: number;
  /** Messages that `send()` and `broadcast()` have accepted, once for each connection. */
  readonly messagesSent: number;
  /** Bytes that were received on all TCP connections, HTTP included, after TLS. */
  readonly bytesReceived: number;
  /** Bytes that the operating system has accepted on all TCP connections, HTTP included, before TLS. */
  readonly bytesSent: number;
  /** Ping frames of the peers. */
  readonly pingsReceived: number;
  /** Ping frames to the peers: those of `ping()` and of the heartbeat. */
  readonly pingsSent: number;
  /** The round trips of the Pings that were answered. */
  readonly roundTrips: RoundTrips;
  /** Messages that were not sent, because the send queue had no room: see `overflow`. */
  readonly overflows: number;
  /** How often a peer has exceeded `messageRate` or `byteRate` and was not read. */
  readonly rateLimited: number;
  /** Errors that were reported to `onError`. */
  readonly errors: number;
  /** WebSockets that are open or closing now: `opened` less `closed`. */
  readonly open: number;
  /** TCP connections now: WebSockets, handshakes, and HTTP. */
  readonly connections: number;
  /** The memory of all connections now, in bytes: as `server.heldBytes`. */
  readonly heldBytes: number;
}

/** The counters of a server that are not those of its WebSockets. */
export class ServerCounters {
  accepted = 0;
  requests = 0;
  errors = 0;
  readonly refusedByReason = new Tally();

  /** Counts a refusal. */
  refused(error: HandshakeError): void {
    this.refusedByReason.add(error.code);
  }
}

/** Returns a copy of all counters and gauges. */
export function takeStats(
  server: ServerCounters,
  sockets: ConnectionCounters,
  gauges: Pick<ServerStats, "open" | "connections" | "heldBytes">,
): ServerStats {
  return {
    accepted: server.accepted,
    opened: sockets.opened,
    closed: sockets.closedByCode.total,
    closedByCode: sockets.closedByCode.toRecord(),
    failedByReason: sockets.failedByReason.toRecord(),
    refused: server.refusedByReason.total,
    refusedByReason: server.refusedByReason.toRecord(),
    requests: server.requests,
    messagesReceived: sockets.messagesReceived,
    messagesSent: sockets.messagesSent,
    bytesReceived: sockets.bytesReceived,
    bytesSent: sockets.bytesSent,
    pingsReceived: sockets.pingsReceived,
    pingsSent: sockets.pingsSent,
    roundTrips: sockets.roundTrips,
    overflows: sockets.overflows,
    rateLimited: sockets.rateLimited,
    errors: server.errors,
    ...gauges,
  };
}
