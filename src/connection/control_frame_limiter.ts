import { PolicyViolationError } from "../protocol/errors.ts";
import type { Timers } from "../util/timers.ts";

const SECOND = 1000;

/**
 * Limits the unsolicited control frames of a peer: a token bucket for `max` frames, which refills at
 * `max` a second.
 *
 * Frames that wait while the event loop is stalled, or reading is paused, arrive at once afterwards. The
 * bucket refills beyond its size for such a time, so that no peer that keeps to the rate is closed for
 * a delay of ours, and none can send more than the rate on average.
 */
export class ControlFrameLimiter {
  readonly #max: number;
  readonly #timers: Timers;
  /** The content of the bucket, in milliseconds of refill time: `SECOND / max` per frame. */
  #credit = SECOND;
  #refilledAt: number;

  /** @param max The maximum number of control frames per second. */
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
    // Rounding may leave slightly less than the cost of one frame.
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

  /** Reading is resumed: refills the bucket, beyond its size, for the pause. */
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
