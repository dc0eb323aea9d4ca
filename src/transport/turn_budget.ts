import { afterMicrotasks, nextTurn, TURN_TIME } from "./event_loop.ts";

/** The time without a look, in milliseconds, after which the event loop has been idle meanwhile. */
const IDLE = 8;
/** The most and the fewest units of work between two looks at the clock, and those at first. */
const MAX_SLICE = 256;
const MIN_SLICE = 1;
const FIRST_SLICE = 128;
/** The time of a slice, in milliseconds, above which it is halved, and below which it is doubled. */
const LONG = 4;
const SHORT = 1;

/** The functions of the event loop that a {@linkcode TurnBudget} uses. */
export interface Loop {
  /** The clock, in milliseconds. */
  now(): number;
  /** Calls back when no microtask is left. */
  afterMicrotasks(run: () => void): void;
  /** Calls back in the next turn, when the sockets have been polled; returns what cancels it. */
  nextTurn(run: () => void): () => void;
}

/**
 * The time that all connections together may take to process received data until the other sockets and
 * the timers have their turn. When it is spent, those that have more to process go on in the next turn:
 * so a peer that sends without end keeps no other waiting.
 *
 * Checking the clock costs as much as some messages. So a connection checks it after a slice of work, and
 * one that has less to do costs nothing and never waits. A slice is shorter for slow handlers.
 */
export class TurnBudget {
  readonly #loop: Loop;
  readonly #budget: number;
  #slice = FIRST_SLICE;
  #waiting: (() => void)[] = [];
  #cancelTurn: (() => void) | undefined;
  /** Whether the clock has been checked since the microtask queue was last empty. */
  #isRunning = false;
  #startedAt = -Infinity;
  #lookedAt = -Infinity;
  readonly #onMicrotasksDone = (): void => {
    this.#isRunning = false;
  };

  /** @param budget The time, in milliseconds. */
  constructor(loop: Loop, budget: number) {
    this.#loop = loop;
    this.#budget = budget;
  }

  /**
   * The work on received data that a connection may do before it looks whether the time is spent, in
   * units of about one short message or 4 KiB.
   */
  get slice(): number {
    return this.#slice;
  }

  /** Looks whether the time is spent. */
  isSpent(): boolean {
    const now = this.#loop.now();
    const time = now - this.#lookedAt;
    this.#lookedAt = now;
    if (this.#isRunning) {
      if (time > LONG) this.#slice = Math.max(MIN_SLICE, this.#slice >> 1);
      else if (time < SHORT) this.#slice = Math.min(MAX_SLICE, this.#slice << 1);
    } else {
      if (time > IDLE) this.#startedAt = now;
      this.#isRunning = true;
      this.#loop.afterMicrotasks(this.#onMicrotasksDone);
    }
    return now - this.#startedAt >= this.#budget;
  }

  /** Calls back in the next turn, in which the time starts anew. Returns what cancels it. */
  wait(run: () => void): () => void {
    if (this.#waiting.push(run) === 1) {
      this.#cancelTurn = this.#loop.nextTurn(() => {
        this.#startedAt = this.#lookedAt = this.#loop.now();
        for (const run of this.#waiting.splice(0)) run();
      });
    }
    return () => {
      const index = this.#waiting.indexOf(run);
      if (index === -1) return;
      this.#waiting.splice(index, 1);
      if (this.#waiting.length === 0) this.#cancelTurn?.();
    };
  }
}

/** The budget of the process. */
export const turnBudget: TurnBudget = /* @__PURE__ */ new TurnBudget({
  now: () => performance.now(),
  afterMicrotasks,
  nextTurn,
}, TURN_TIME);
