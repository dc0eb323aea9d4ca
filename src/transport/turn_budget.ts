import { afterMicrotasks, nextTurn, pollsEachTurn } from "./event_loop.ts";

/**
 * The time for received data in one event-loop turn, in milliseconds. Others wait for at most two turns. It is
 * longer if the wait for the next turn costs more: 0.2 ms on Deno.
 */
const TURN_TIME = pollsEachTurn ? 8 : 10;
/** The least time of a connection that continues in the next turn, in milliseconds, while others wait. */
const MIN_SHARE = 0.5;
/** The time without a look, in milliseconds, after which the event loop has been idle meanwhile. */
const IDLE = 8;
/** The most and the fewest units of work between two looks at the clock, and those at first. */
const MAX_SLICE = 256;
const MIN_SLICE = 1;
const FIRST_SLICE = 128;
/** The time of a slice, in milliseconds, above which it is halved, and below which it is doubled. */
const LONG = 1;
const SHORT = 0.25;

/**
 * The number of waiting connections below which others may begin to read large chunks. 50 connections that
 * flood would otherwise wait with 512 KiB each on Bun, which collects garbage at twice what is in use.
 */
const MAX_WAITING = 8;

/** The work of a {@linkcode LoopBudget} between two looks, in units of {@linkcode TurnBudget.work}. */
const LOOP_SLICE = 128;

/** The functions of the event loop that a {@linkcode TurnBudget} uses. */
export interface Loop {
  /** The clock, in milliseconds. */
  now(): number;
  /** Calls back when no microtask is left. */
  afterMicrotasks(run: () => void): void;
  /** Calls back in the next turn, when the sockets have been polled; returns what cancels it. */
  nextTurn(run: () => void): () => void;
  /** Whether the sockets are polled after each batch of microtasks, also while there is work. */
  readonly pollsEachTurn: boolean;
}

/**
 * The time that all connections together may take to process received data, and streams that they send,
 * until the other sockets and the timers have their turn. When it is spent, those that have more to process
 * go on in the next turn: so a peer that sends without end keeps no other waiting.
 *
 * Checking the clock costs as much as some messages. So it is checked after a slice of work, which is
 * shorter for slow handlers. When the time is spent, a connection that has only one more unit of work need
 * not wait: so a connection that sends a message at a time never waits, however many others flood.
 *
 * Those that wait continue in the order in which they began to wait, each for its share of the time. If
 * they are so many that the shares would be too small, the rest of them waits for another turn.
 */
export class TurnBudget {
  /**
   * The work until the time is next looked at, in units of about one short message or 4 KiB. Each
   * connection subtracts what it does, and calls {@linkcode isSpent} when this is negative.
   */
  work: number = FIRST_SLICE;
  /** The time, in milliseconds. Tests whose results must not depend on the clock set `Infinity`. */
  budget: number;
  readonly #loop: Loop;
  #slice = FIRST_SLICE;
  #waiting: (() => void)[] = [];
  #readers: (() => void)[] = [];
  #cancelTurn: (() => void) | undefined;
  #isSpent = false;
  /** Whether the clock has been checked since the microtask queue was last known to be empty. */
  #isRunning = false;
  /** Whether `afterMicrotasks()` has been called, and has not called back. */
  #isAsking = false;
  /** Whether those that waited have been called since the last turn. */
  #isContinuing = false;
  #startedAt = -Infinity;
  #lookedAt = -Infinity;
  /** The end of the share of the connection that continues. */
  #shareEnd = Infinity;
  readonly #onMicrotasksDone = (): void => {
    this.#isRunning = this.#isAsking = false;
  };

  /** @param budget The time, in milliseconds. */
  constructor(loop: Loop, budget: number) {
    this.#loop = loop;
    this.budget = budget;
  }

  /** Looks whether the time is spent. If it is, the caller waits for the next turn by `wait()`. */
  isSpent(): boolean {
    this.work = 0;
    if (this.#isSpent && this.#cancelTurn !== undefined) return true;
    const now = this.#loop.now();
    const time = now - this.#lookedAt;
    this.#lookedAt = now;
    if (this.#isRunning) {
      if (time > LONG) this.#slice = Math.max(MIN_SLICE, this.#slice >> 1);
      else if (time < SHORT) this.#slice = Math.min(MAX_SLICE, this.#slice << 1);
    } else {
      // Others have had their turn, unless those that have waited take theirs.
      if (time > IDLE || (this.#loop.pollsEachTurn && !this.#isContinuing)) this.#startedAt = now;
      this.#isContinuing = false;
      this.#isRunning = true;
    }
    // A callback costs Deno a turn, so only after a time in which the loop may have been idle.
    if (!this.#isAsking && (this.#loop.pollsEachTurn || time > LONG)) {
      this.#isAsking = true;
      this.#loop.afterMicrotasks(this.#onMicrotasksDone);
    }
    if (this.#cancelTurn === undefined) {
      this.#startedAt = Math.max(this.#startedAt, now - this.budget);
    }
    this.#isSpent = now - this.#startedAt >= this.budget;
    if (this.#isSpent || now >= this.#shareEnd) return true;
    this.work = this.#slice;
    return false;
  }

  /** Calls back in the next turn, in which the time starts anew. Returns what cancels it. */
  wait(run: () => void): () => void {
    this.#waiting.push(run);
    this.#awaitTurn();
    return () => {
      const index = this.#waiting.indexOf(run);
      if (index === -1) return;
      this.#waiting.splice(index, 1);
      this.release();
    };
  }

  /**
   * Whether a caller that has nothing left to do may continue without waiting although the time is spent:
   * until the same time has passed again, which only happens if the next turn is late.
   */
  skipWait(): boolean {
    this.#awaitTurn();
    return this.#loop.now() - this.#startedAt < 2 * this.budget;
  }

  /**
   * Calls back in a later turn, in which the caller may read on: for a connection that has received a large
   * chunk. A chunk that waits for its turn takes memory, so while others wait, few begin to read in a turn.
   */
  waitToRead(run: () => void): void {
    this.#readers.push(run);
    this.#awaitTurn();
  }

  /** Does not wait for the next turn if no caller does: for a caller that has ended. */
  release(): void {
    if (this.#waiting.length > 0 || this.#readers.length > 0) return;
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
  }

  #awaitTurn(): void {
    this.#cancelTurn ??= this.#loop.nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#cancelTurn = undefined;
    this.#isSpent = false;
    const runs = this.#waiting;
    this.#waiting = [];
    this.#isContinuing = runs.length > 0;
    let now = this.#startedAt = this.#lookedAt = this.#loop.now();
    const end = now + this.budget;
    let count = 0;
    while (count < runs.length && now < end) {
      this.work = this.#slice;
      this.#shareEnd = now + Math.max(MIN_SHARE, (end - now) / (runs.length - count));
      runs[count++]!();
      now = this.#loop.now();
    }
    this.#shareEnd = Infinity;
    this.work = 0;
    if (count < runs.length) this.#waiting = [...runs.slice(count), ...this.#waiting];
    this.#read();
    if (this.#waiting.length > 0 || this.#readers.length > 0) this.#awaitTurn();
  }

  /** Lets some connections read on: at least one, since others may wait in each turn. */
  #read(): void {
    const count = Math.max(1, MAX_WAITING - this.#waiting.length);
    for (const run of this.#readers.splice(0, count)) run();
  }
}

/**
 * The part of a {@linkcode TurnBudget} for a loop that awaits each step, such as one that sends a stream. It
 * looks at the time after a slice of its own work. So it does as much in each turn, however many others flood.
 */
export class LoopBudget {
  readonly #turn: Pick<TurnBudget, "work" | "isSpent" | "wait">;
  #work = 0;
  #endWait: (() => void) | undefined;

  constructor(turn: Pick<TurnBudget, "work" | "isSpent" | "wait">) {
    this.#turn = turn;
  }

  /**
   * Counts the work of a step, in units of {@linkcode TurnBudget.work}. Returns a promise for the next turn
   * if the time is spent.
   */
  spend(work: number): Promise<void> | undefined {
    this.#work += work;
    if (this.#work < LOOP_SLICE) return undefined;
    const turn = this.#turn;
    turn.work -= this.#work;
    this.#work = 0;
    if (turn.work >= 0 || !turn.isSpent()) return undefined;
    return new Promise((resolve) => {
      const cancel = turn.wait(resolve);
      this.#endWait = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Does not wait any longer: the connection is closed. */
  end(): void {
    this.#endWait?.();
  }
}

/** The budget of the process. */
export const turnBudget: TurnBudget = /* @__PURE__ */ new TurnBudget({
  now: () => performance.now(),
  afterMicrotasks,
  nextTurn,
  pollsEachTurn,
}, TURN_TIME);
