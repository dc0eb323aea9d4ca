import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";

/** By how much what a connection holds must have changed, in bytes, to be told to the budget. */
export const STEP = 8 * 1024;

/** Below which part of the budget the server is as before, once it has been over it. */
const LOW = 0.9;
/** How many times the budget may be held before connections are closed at once. */
const HARD = 2;
/** By which part of the budget less must be held for that to be progress. */
const PROGRESS = 1 / 64;
/** How many looks the patience is. One that comes late, in a loop that stalls, counts as one. */
const LOOKS = 4;

/** What a budget asks of a connection. */
export interface MemoryHolder {
  /** Reads, or doesn't, as its account has it. */
  regulate(): void;
  /** Frees what it holds, by closing, or by dropping the connection where that would not. */
  evict(error: unknown): void;
}

/**
 * What all connections of a server may hold together.
 *
 * - A connection tells what it holds at the end of its turn, when that has changed by {@linkcode STEP}:
 *   the sum is right within so much for each. One that is idle, or done by the end of its turn, is
 *   never heard of.
 * - Over the budget, and until it's back at 90 % of it, nobody new is let in, and whoever has more than
 *   a fair share, half of the budget by all connections, and grows, is not read any more. So those who
 *   are still read come to no more than half of the budget beside what there was.
 * - What has been received and not been taken, and what waits for a peer that reads, gets less without
 *   being read; that of a message that will not end, and what waits for a peer that does not read,
 *   doesn't. So if no less is held for as long as the patience is, the heaviest connections are closed
 *   until it's 90 %: nobody waits for good.
 * - What grows without being read, since the server sends it, is closed at once at twice the budget,
 *   the heaviest first: so more than that is never held, but for what one turn of one connection adds.
 * - To close must free. Of a connection that is failed, what it has received goes at once; one whose peer
 *   does not read what it's sent would not read a Close frame behind that either, and is dropped.
 */
export class MemoryBudget {
  readonly #max: number;
  readonly #patience: number;
  readonly #accounts = new Set<MemoryAccount>();
  #stopped: MemoryAccount[] = [];
  #connections = 0;
  #held = 0;
  #isOver = false;
  #isEvicting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The least that has been held since progress was made, and how many looks ago that was. */
  #least = 0;
  #looks = 0;

  /**
   * @param max How many bytes the connections may hold together.
   * @param patience For how many milliseconds they may hold more than that, with none less.
   * @throws {RangeError} where the first is not a number above 0.
   */
  constructor(max: number, patience: number) {
    if (typeof max !== "number" || !(max > 0)) {
      throw new RangeError(`Cannot use maxMemory: expected a number above 0, got ${max}`);
    }
    this.#max = max;
    this.#patience = Math.min(patience, 2 ** 31 - 1);
  }

  /** How many bytes the connections hold, as far as they have told. */
  get heldBytes(): number {
    return this.#held;
  }

  /** Whether it's over, and not yet back at 90 %. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A connection has opened. */
  join(): void {
    this.#connections++;
  }

  /** A connection is gone, and its account is closed. */
  leave(): void {
    this.#connections--;
  }

  /** An account holds so much more, or less. */
  change(account: MemoryAccount, by: number): void {
    this.#held += by;
    if (account.held === 0) this.#accounts.delete(account);
    else this.#accounts.add(account);
    if (this.#isOver) {
      if (this.#held < this.#max * LOW) return this.#recover();
    } else {
      if (this.#held <= this.#max) return;
      this.#isOver = true;
      this.#begin();
    }
    if (by <= 0) return;
    if (!account.isStopped && account.held > this.#max / (2 * this.#connections)) {
      account.isStopped = true;
      this.#stopped.push(account);
      account.holder.regulate();
    }
    // Further down, so that it's not for every report that the heaviest are looked for.
    if (this.#held > this.#max * HARD) this.#evict(this.#max * (1 + HARD) / 2);
  }

  #begin(): void {
    this.#least = this.#held;
    this.#looks = 0;
    this.#timer = setTimeout(() => this.#look(), this.#patience / LOOKS);
  }

  #recover(): void {
    this.#isOver = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const stopped = this.#stopped;
    this.#stopped = [];
    for (const account of stopped) account.isStopped = false;
    for (const account of stopped) account.holder.regulate();
  }

  #look(): void {
    if (this.#held <= this.#least - this.#max * PROGRESS) {
      this.#least = this.#held;
      this.#looks = 0;
    } else if (++this.#looks === LOOKS) {
      this.#evict(this.#max * LOW);
      if (!this.#isOver) return;
      this.#least = this.#held;
      this.#looks = 0;
    }
    clearTimeout(this.#timer); // Back below and over again meanwhile, perhaps.
    this.#timer = setTimeout(() => this.#look(), this.#patience / LOOKS);
  }

  /** Closes the heaviest until no more than that is held. */
  #evict(target: number): void {
    // To close one changes what it holds, which leads back here.
    if (this.#isEvicting) return;
    this.#isEvicting = true;
    const heaviest = [...this.#accounts].sort((a, b) => b.held - a.held);
    for (const account of heaviest) {
      if (this.#held < target) break;
      account.holder.evict(
        new WebSocketError(
          `Cannot keep connection: the server holds ${this.#held} bytes, at most ${this.#max} are ` +
            `allowed, and this one holds ${account.held}`,
          { code: "ERR_SERVER_MEMORY", closeCode: CloseCode.TryAgainLater },
        ),
      );
    }
    this.#isEvicting = false;
  }
}

/** What one connection has told its server's budget. */
export class MemoryAccount {
  /** How many bytes it holds, as far as that has been told. */
  held = 0;
  /** Whether the budget has it that the connection is not to be read. */
  isStopped = false;
  /** The connection. */
  readonly holder: MemoryHolder;
  readonly #budget: MemoryBudget;

  /** Makes one for a connection that has joined. */
  constructor(holder: MemoryHolder, budget: MemoryBudget) {
    this.holder = holder;
    this.#budget = budget;
  }

  /** The connection holds so many bytes. */
  note(held: number): void {
    // What is less than a step is nothing: so what an idle connection has, it has never had.
    const now = held < STEP ? 0 : held;
    const by = now - this.held;
    if (by === 0 || (Math.abs(by) < STEP && now !== 0)) return;
    this.held = now;
    this.#budget.change(this, by);
  }

  /** The connection is gone. */
  close(): void {
    this.note(0);
  }
}
