import { uncounted } from "../connection/counters.ts";
import type { ConnectionCounters } from "../connection/counters.ts";
import type { HandshakeError } from "../http/errors.ts";
import { writeErrorResponse } from "../http/response_writer.ts";
import type { Transport } from "../transport/transport.ts";
import { timers as processTimers } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";
import { HttpResponder } from "./http_responder.ts";

/** The maximum number of pending responses. Further connections are dropped. */
const MAX_PENDING = 64;
/** The minimum time between two reports, in milliseconds. */
const REPORT_INTERVAL = 1000;

/** Receives the events of a {@linkcode RefusalResponder}. */
export interface RefusalHandler {
  /** A response is being sent on this connection. */
  responding(responder: HttpResponder): void;
  /** That connection is closed. */
  closed(responder: HttpResponder): void;
  /** A connection has been refused. Called at most once a second. */
  refused(error: HandshakeError): void;
}

/**
 * Rejects connections over the limit with 503, without reading their requests.
 *
 * At most 64 responses are pending at a time, since each keeps its connection open until the response
 * is read or times out; further connections are dropped.
 */
export class RefusalResponder {
  readonly #timeout: number;
  readonly #handler: RefusalHandler;
  readonly #counters: ConnectionCounters;
  readonly #timers: Timers;
  #pending = 0;
  #reportedAt = -Infinity;

  /**
   * Creates the responder for all connections of a server.
   *
   * @param timeout The time in which a peer must read the response and close, in milliseconds.
   * @param handler The receiver of the events.
   * @param counters Counts the bytes of the responses.
   */
  constructor(
    timeout: number,
    handler: RefusalHandler,
    counters: ConnectionCounters = uncounted,
    timers: Timers = processTimers,
  ) {
    this.#timers = timers;
    this.#counters = counters;
    this.#timeout = timeout;
    this.#handler = handler;
  }

  /**
   * Refuses a connection that has just been accepted.
   *
   * @param isSilent Whether to drop it without a response.
   */
  refuse(transport: Transport, error: HandshakeError, isSilent = false): void {
    const now = this.#timers.now();
    if (now - this.#reportedAt >= REPORT_INTERVAL) {
      this.#reportedAt = now;
      this.#handler.refused(error);
    }
    if (isSilent || this.#pending >= MAX_PENDING) return transport.abort();
    this.#pending++;
    const responder = new HttpResponder(
      transport,
      this.#timeout,
      () => {
        this.#pending--;
        this.#handler.closed(responder);
      },
      this.#timers,
      this.#counters,
    );
    this.#handler.responding(responder);
    responder.start();
    responder.write(writeErrorResponse(error, { date: new Date() }));
    responder.finish();
  }
}
