import { PolicyViolationError } from "../protocol/errors.ts";
import type { Timers } from "../util/timers.ts";

const SECOND = 1000;

/**
 * Limits the control frames that a peer sends unasked: a token bucket for `max` frames, which refills at
 * `max` a second.
 *
 * Frames that wait while the event loop is stalled, or reading is paused, arrive at once afterwards. The
 * bucket refills beyond its size for such a time, so that no peer that keeps to the rate is closed for
 * a delay of ours, and none can send more than the rate on average.
 */
export class ControlFrameLimiter {
  readonly #max: number;
  readonly #timers: Timers;
  /** What is in the bucket, in the milliseconds that it takes to refill: `SECOND / max` for a frame. */
  #credit = SECOND;
  #refilledAt: number;

  /** @param max How many control frames may come a second. */
  constructor(max: number, timers: Timers) {
    this.#max = max;
    this.#timers = timers;
    this.#refilledAt = timers.now();
  }

  /**
   * Counts a control frame.
   *
   * @throws {PolicyViolationError} If the bucket is empty.
   */
  count(): void {
    this.#refill();
    const cost = SECOND / this.#max;
    // Less than a half is what rounding may leave of a whole.
    if (this.#credit < cost / 2) {
      throw new PolicyViolationError(
        `Cannot take more control frames: ${this.#max} have come within a second`,
        "ERR_TOO_MANY_CONTROL_FRAMES",
      );
    }
    this.#credit -= cost;
  }

  /** Reading is paused. */
  paused(): void {
    this.#refill();
  }

  /** Reading goes on: refills the bucket, beyond its size, for the pause. */
  resumed(): void {
    const now = this.#timers.now();
    this.#credit += now - this.#refilledAt;
    this.#refilledAt = now;
  }

  #refill(): void {
    const now = this.#timers.now();
    const size = SECOND + Math.max(this.#timers.stall(now), 0);
    if (this.#credit < size) {
      this.#credit = Math.min(size, this.#credit + now - this.#refilledAt);
    }
    this.#refilledAt = now;
  }
}
