import { checkNumber, isCount } from "../protocol/options.ts";
import { MAX_DELAY } from "../util/max_delay.ts";

/** Options that decide whether, and when, the next attempt is made. */
export interface BackoffOptions {
  /**
   * The upper bound of the delay after the first failure, in milliseconds.
   *
   * @default {1000} 1 s
   */
  initialDelay?: number;
  /**
   * The factor by which the upper bound grows with each further failure; 1 for a constant bound.
   *
   * @default {1.5} so that nearly all clients are back 4 s after a server that was down for a second
   */
  factor?: number;
  /**
   * The maximum of the upper bound, in milliseconds.
   *
   * @default {30000} 30 s
   */
  maxDelay?: number;
  /**
   * The number of consecutive attempts after which to give up. An attempt counts if it failed, or if
   * its connection was not stable.
   *
   * @default {Infinity} never
   */
  maxAttempts?: number;
  /**
   * The time after which an open connection counts as stable, in milliseconds. A stable connection
   * resets the delay and the number of attempts. A server that accepts each connection and closes it at
   * once is therefore not asked again at full speed.
   *
   * @default {5000} 5 s
   */
  stableAfter?: number;
}

/**
 * Exponential backoff with full jitter: the delay before an attempt is a random part of an upper bound
 * that grows with each failure. The clients of a server that was down thus come back spread over time,
 * neither all at once nor in waves.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  readonly #random: () => number;
  #failures = 0;

  /**
   * @param random Returns which part of the upper bound the delay is: a number from 0 up to 1.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(options: BackoffOptions, random: () => number = Math.random) {
    const {
      initialDelay = 1000,
      factor = 1.5,
      maxDelay = 30_000,
      maxAttempts = Infinity,
      stableAfter = 5000,
    } = options;
    const hasTimer = (delay: number) => delay > 0 && delay <= MAX_DELAY;
    const delays = `above 0, to ${MAX_DELAY}`;
    checkNumber("initialDelay", initialDelay, hasTimer(initialDelay), delays);
    checkNumber("factor", factor, factor >= 1 && factor < Infinity, "from 1");
    checkNumber("maxDelay", maxDelay, hasTimer(maxDelay), delays);
    checkNumber("maxAttempts", maxAttempts, isCount(maxAttempts), "that is an integer above 0");
    checkNumber("stableAfter", stableAfter, stableAfter >= 0, "from 0");
    this.#options = { initialDelay, factor, maxDelay, maxAttempts, stableAfter };
    this.#random = random;
  }

  /** The number of the next attempt: 1 for the first one. */
  get attempt(): number {
    return this.#failures + 1;
  }

  /** Begins anew, as after a stable connection. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Records that an attempt has failed, or that its connection has closed.
   *
   * @param openFor How long the connection was open, in milliseconds; `undefined` if it never opened.
   * @returns The delay before the next attempt, in milliseconds; `undefined` to give up.
   */
  next(openFor: number | undefined): number | undefined {
    const { initialDelay, factor, maxDelay, maxAttempts, stableAfter } = this.#options;
    if (openFor !== undefined && openFor >= stableAfter) this.#failures = 0;
    else this.#failures++;
    if (this.#failures >= maxAttempts) return undefined;
    const bound = initialDelay * factor ** Math.max(this.#failures - 1, 0);
    return this.#random() * Math.min(bound, maxDelay);
  }
}
