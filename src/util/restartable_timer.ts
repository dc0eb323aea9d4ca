import { Timer, timers as processTimers } from "./timers.ts";
import type { Timers } from "./timers.ts";

/** The most ticks that a wheel counts at once: it may count them right after a start. */
const UNCOUNTED = 3;

/**
 * A timer that starts and stops often, such as once per request, and rarely ends. To start it again with
 * the same time, or to stop it, only sets a field: it stays in its wheel, and when that time is up, it
 * waits for the rest. It is never early.
 */
export class RestartableTimer extends Timer {
  readonly #timers: Timers;
  readonly #onTimeUp: () => void;
  /** The time of the last start, in milliseconds. */
  #ms = 0;
  /** The wheel's time of the last start, in ticks. */
  #since = 0;
  #isActive = false;

  /** Creates a timer that is not started. */
  constructor(onTimeUp: () => void, timers: Timers = processTimers) {
    super();
    this.#onTimeUp = onTimeUp;
    this.#timers = timers;
  }

  /** Starts the timer, or starts it again. */
  start(ms: number): void {
    if (this.wheel === undefined || ms !== this.#ms) this.#wait(ms);
    else this.#since = this.wheel.now + UNCOUNTED;
    this.#isActive = ms !== Infinity;
  }

  /** Stops the timer, which may be started again. */
  stop(): void {
    this.#isActive = false;
  }

  /** Stops the timer for good, and takes it out of its wheel. */
  override stopTimer(): void {
    super.stopTimer();
    this.#isActive = false;
  }

  /** Timer: the time of a start is up. */
  timeUp(): void {
    if (!this.#isActive) return;
    const wheel = this.#timers.wheelFor(this.#ms);
    const ticks = this.#since + Math.ceil(this.#ms / wheel.tick) - wheel.now;
    if (ticks > 0) wheel.start(this, ticks * wheel.tick);
    this.#isActive = ticks > 0; // After the start, which takes the timer out of other wheels.
    if (ticks <= 0) this.#onTimeUp();
  }

  #wait(ms: number): void {
    this.#ms = ms;
    this.#timers.start(this, ms);
    // The time was up when the timer was first started.
    this.#since = -Infinity;
  }
}
