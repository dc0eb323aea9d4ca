import { Timeouts } from "../util/timeouts.ts";
import { unknownOutcome } from "./relay_options.ts";

/** The timeout for the broker's confirmation of a message, in milliseconds: with the timer's delay under 5 s. */
export const CONFIRM_TIMEOUT = 4800;

/**
 * The probes of a node. A probe that comes back confirms that the broker has all messages that were sent before
 * it on the same connection.
 */
export class Probes {
  readonly #send: (probe: number) => void;
  /** The probes that are on their way. */
  readonly #open = new Map<number, PromiseWithResolvers<true>>();
  readonly #timeouts = new Timeouts();
  #count = 0;
  /** The number of the connection: a probe on a later connection does not confirm earlier messages. */
  #connection = 0;
  /** The probe of this event-loop turn, shared by all callers in it. */
  #current: Promise<void> | undefined;

  /** @param send Sends a probe to this node, through the broker. */
  constructor(send: (probe: number) => void) {
    this.#send = send;
  }

  get connection(): number {
    return this.#connection;
  }

  /** Resolves when the broker has all messages that a connection has sent so far. */
  confirm(connection: number): Promise<void> {
    if (connection !== this.#connection) {
      return Promise.reject(unknownOutcome("the connection was lost"));
    }
    if (this.#current === undefined) {
      this.#current = this.#probe();
      queueMicrotask(() => this.#current = undefined);
    }
    return this.#current;
  }

  /** Handles a probe that has come back. */
  end(number: number): void {
    this.#open.get(number)?.resolve(true);
  }

  /** Handles a lost connection: messages that were sent may not have arrived. */
  lose(): void {
    this.#connection++;
    for (const { reject } of this.#open.values()) {
      reject(unknownOutcome("the connection was lost"));
    }
    this.#current = undefined;
  }

  async #probe(): Promise<void> {
    const number = ++this.#count;
    const probe = Promise.withResolvers<true>();
    this.#open.set(number, probe);
    try {
      this.#send(number);
      if (await this.#timeouts.withTimeout(CONFIRM_TIMEOUT, probe.promise)) return;
    } finally {
      this.#open.delete(number);
    }
    throw unknownOutcome("no answer within 4.8 s");
  }
}
