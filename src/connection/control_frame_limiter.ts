import { PolicyViolationError } from "../protocol/errors.ts";
import type { Timers } from "../util/timers.ts";

const SECOND = 1000;

/**
 * Counts the control frames that a peer sends unasked, by the second; a second begins with a frame,
 * once the one before is over.
 *
 * What waited meanwhile comes at once when the event loop has stalled, or when reading goes on after a
 * pause of ours: then as many more are let through as could have come in that time. So on average no
 * peer gets more than its number a second, and none that keeps to it is closed for our delays.
 */
export class ControlFrameLimiter {
  readonly #max: number;
  readonly #timers: Timers;
  #count = 0;
  #since = -Infinity;
  #pausedAt = 0;
  #resumedAt = -Infinity;
  #lastPause = 0;

  /** @param max How many control frames may come a second. */
  constructor(max: number, timers: Timers) {
    this.#max = max;
    this.#timers = timers;
  }

  /**
   * A control frame has come.
   *
   * @throws {PolicyViolationError} where it's one too many.
   */
  count(): void {
    const now = this.#timers.now();
    if (now - this.#since >= SECOND) {
      this.#since = now;
      this.#count = 0;
    }
    if (++this.#count <= this.#max) return;
    const waited = Math.max(this.#pause(now), this.#timers.stall(now));
    if (this.#count <= this.#max * (1 + waited / SECOND)) return;
    throw new PolicyViolationError(
      `Cannot take more control frames: ${this.#max} have come within a second`,
      "ERR_TOO_MANY_CONTROL_FRAMES",
    );
  }

  /** The connection is not read. */
  paused(): void {
    this.#pausedAt = this.#timers.now();
  }

  /** The connection is read again. */
  resumed(): void {
    const now = this.#timers.now();
    const pause = now - this.#pausedAt;
    // Reading may go on in several steps: what the first lets in is still to be read.
    if (pause < this.#pause(now)) return;
    this.#lastPause = pause;
    this.#resumedAt = now;
  }

  /** How long the longest pause was that ended within the last second. */
  #pause(now: number): number {
    return now - this.#resumedAt < SECOND ? this.#lastPause : 0;
  }
}
