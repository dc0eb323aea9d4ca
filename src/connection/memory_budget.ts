import { show } from "../util/options.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import { Timer } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";

/** The least change of a connection's memory usage that is reported to the budget, in bytes. */
export const STEP = 8 * 1024;

/** The part of the budget below which the server is back to normal, once it has been over it. */
const LOW = 0.9;
/** The multiple of the budget at which connections are closed at once. */
const HARD = 2;
/** The part of the budget by which the usage must fall to count as progress. */
const PROGRESS = 1 / 64;
/** The number of checks in the time that the budget waits for progress. */
const CHECKS = 4;

/**
 * Limits the memory usage of all connections of a server together.
 *
 * - A connection reports its usage at the end of its turn, if it has changed by {@linkcode STEP}. So the
 *   sum is exact to one step for each connection. One that is idle, or done by the end of its turn,
 *   reports nothing.
 * - Over the budget, and until the usage is back at 90 % of it, new connections are refused. A
 *   connection whose usage grows, and is above a fair share (half of the budget divided by the number
 *   of connections), is not read any more. So the connections that are still read add at most half of
 *   the budget.
 * - Unread messages, and a send queue whose peer reads, shrink without reading. An unfinished message,
 *   and a send queue whose peer does not read, do not. So if the usage does not fall within `patience`,
 *   the connections with the highest usage are closed until it is 90 %.
 * - A send queue can grow without reading, since the server fills it. So at twice the budget, the
 *   connections with the highest usage are closed at once. The usage exceeds that only by what one turn
 *   of one connection adds.
 * - Closing must free memory. A connection that is failed drops what it has received. One whose peer
 *   does not read would not read a Close frame at the end of its queue either, and is dropped.
 */
export class MemoryBudget extends Timer {
  readonly #max: number;
  readonly #patience: number;
  readonly #timers: Timers;
  readonly #accounts = new Set<BudgetAccount>();
  #stopped: BudgetAccount[] = [];
  #connections = 0;
  #usage = 0;
  #isOver = false;
  #isEvicting = false;
  /** The lowest usage since the last progress, and the number of checks since then. */
  #lowest = 0;
  #checks = 0;

  /**
   * @param max The budget, in bytes.
   * @param patience The maximum time above the budget without progress, in milliseconds.
   * @throws {RangeError} If `max` is not a number above 0.
   */
  constructor(max: number, patience: number, timers: Timers) {
    super();
    if (typeof max !== "number" || !(max > 0)) {
      throw new RangeError(`Cannot use maxMemory: expected a number above 0, got ${show(max)}`);
    }
    this.#max = max;
    this.#patience = patience;
    this.#timers = timers;
  }

  /** The memory usage of all connections, as far as they have reported it, in bytes. */
  get memoryUsage(): number {
    return this.#usage;
  }

  /** Whether the usage has exceeded the budget, and is not back at 90 %. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Counts a connection that has opened. */
  join(): void {
    this.#connections++;
  }

  /** Counts a connection that has closed, after its account. */
  leave(): void {
    this.#connections--;
  }

  /** Adds a change of an account, and reacts to it. */
  change(account: BudgetAccount, by: number): void {
    this.#usage += by;
    if (account.memoryUsage === 0) this.#accounts.delete(account);
    else this.#accounts.add(account);
    if (this.#isOver) {
      if (this.#usage < this.#max * LOW) return this.#recover();
    } else {
      if (this.#usage <= this.#max) return;
      this.#isOver = true;
      this.#lowest = this.#usage;
      this.#checks = 0;
      this.#scheduleCheck();
    }
    if (by <= 0) return;
    if (!account.isStopped && account.memoryUsage > this.#max / (2 * this.#connections)) {
      account.isStopped = true;
      this.#stopped.push(account);
      account.onBudgetChange();
    }
    // Down to below the limit, so that not every report searches for the highest usage.
    if (this.#usage > this.#max * HARD) this.#evict(this.#max * (1 + HARD) / 2);
  }

  #scheduleCheck(): void {
    this.#timers.start(this, this.#patience / CHECKS);
  }

  #recover(): void {
    this.#isOver = false;
    this.stopTimer();
    const stopped = this.#stopped;
    this.#stopped = [];
    for (const account of stopped) account.isStopped = false;
    for (const account of stopped) account.onBudgetChange();
  }

  /** Checks for progress. */
  override timeUp(): void {
    if (this.#usage <= this.#lowest - this.#max * PROGRESS) {
      this.#lowest = this.#usage;
      this.#checks = 0;
    } else if (++this.#checks === CHECKS) {
      this.#evict(this.#max * LOW);
      if (!this.#isOver) return;
      this.#lowest = this.#usage;
      this.#checks = 0;
    }
    this.#scheduleCheck();
  }

  /** Closes the connections with the highest usage until it is at most `target`. */
  #evict(target: number): void {
    // Closing a connection changes its usage, which leads back here.
    if (this.#isEvicting) return;
    this.#isEvicting = true;
    const heaviest = [...this.#accounts].sort((a, b) => b.memoryUsage - a.memoryUsage);
    for (const account of heaviest) {
      if (this.#usage < target) break;
      account.evict(
        new WebSocketError(
          `Cannot keep connection: the server holds ${this.#usage} bytes, at most ${this.#max} are ` +
            `allowed, and this one holds ${account.memoryUsage}`,
          { code: "ERR_SERVER_MEMORY", closeCode: CloseCode.TryAgainLater },
        ),
      );
    }
    this.#isEvicting = false;
  }
}

/** An account of memory with a budget: that of a connection, or of a part of the server. */
export class BudgetAccount {
  /** The reported usage, in bytes. */
  memoryUsage = 0;
  /** Whether the budget has stopped the connection from reading; set by the budget only. */
  isStopped = false;
  readonly #budget: MemoryBudget | undefined;

  /** Makes the account of a connection that has joined the budget. */
  constructor(budget: MemoryBudget | undefined) {
    this.#budget = budget;
  }

  /** Reports the usage, in bytes. */
  report(usage: number): void {
    // Less than a step counts as 0, so that an idle connection never reports.
    const now = usage < STEP ? 0 : usage;
    const by = now - this.memoryUsage;
    if (by === 0 || (Math.abs(by) < STEP && now !== 0)) return;
    this.memoryUsage = now;
    this.#budget?.change(this, by);
  }

  /** The connection is closed. */
  close(): void {
    this.report(0);
  }

  /** MemoryBudget: pauses or resumes reading, by `isStopped`. */
  onBudgetChange(): void {}

  /** MemoryBudget: frees memory: closes the connection, or drops it if closing would free nothing. */
  evict(_error: unknown): void {}
}
