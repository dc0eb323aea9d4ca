import type { HandshakeError } from "../http/errors.ts";
import { writeErrorResponse } from "../http/response_writer.ts";
import type { Transport } from "../transport/transport.ts";
import { HttpResponder } from "./http_responder.ts";

/** How many may be answered at a time; others are dropped. */
const MAX_ANSWERED = 64;
/** How often a refusal is reported at most, in milliseconds. */
const REPORT_INTERVAL = 1000;

/** Who a {@linkcode RefusalResponder} works for. */
export interface RefusalResponderOwner {
  /** One of those who are turned away is being answered. */
  answering(farewell: HttpResponder): void;
  /** It's gone. */
  gone(farewell: HttpResponder): void;
  /** Somebody has been turned away: told once a second, however many there are. */
  refused(error: HandshakeError): void;
}

/**
 * Turns away those who have come when there was no room. Each could wait for its answer to be read for
 * as long as a timeout, and so hold what the limit is to save: so only a few are answered, without
 * reading what they ask for, and the others are dropped.
 */
export class RefusalResponder {
  readonly #timeout: number;
  readonly #owner: RefusalResponderOwner;
  #answering = 0;
  #reportedAt = -Infinity;

  /** @param timeout How long one may take to read the answer and to leave, in milliseconds. */
  constructor(timeout: number, owner: RefusalResponderOwner) {
    this.#timeout = timeout;
    this.#owner = owner;
  }

  /** Refuses a connection that has just come. */
  refuse(transport: Transport, error: HandshakeError): void {
    const now = performance.now();
    if (now - this.#reportedAt >= REPORT_INTERVAL) {
      this.#reportedAt = now;
      this.#owner.refused(error);
    }
    if (this.#answering >= MAX_ANSWERED) return transport.abort();
    this.#answering++;
    const farewell = new HttpResponder(transport, this.#timeout, () => {
      this.#answering--;
      this.#owner.gone(farewell);
    });
    this.#owner.answering(farewell);
    farewell.write(writeErrorResponse(error, { date: new Date() }));
    farewell.finish();
  }
}
