import { BudgetAccount, STEP } from "../connection/memory_budget.ts";
import type { MemoryBudget } from "../connection/memory_budget.ts";

/** The members of an HTTP connection that {@linkcode HttpMemory} uses. */
export interface MemoryHolder {
  /** Pauses or resumes reading, by `isStopped`. */
  regulate(): void;
  /** Frees memory: closes the connection, or drops it if closing would not free anything. */
  evict(error: unknown): void;
}

/** Reports the memory usage of an HTTP connection to the server's budget, if it is large enough. */
export class HttpMemory extends BudgetAccount {
  readonly #holder: MemoryHolder;
  readonly #budget: MemoryBudget | undefined;
  #hasJoined = false;

  /** Prepares to report; a connection joins the budget with its first report. */
  constructor(holder: MemoryHolder, budget: MemoryBudget | undefined) {
    super(budget);
    this.#holder = holder;
    this.#budget = budget;
  }

  /** Reports the usage, in bytes. */
  override report(usage: number): void {
    if (!this.#hasJoined) {
      if (usage < STEP || this.#budget === undefined) return;
      this.#budget.join();
      this.#hasJoined = true;
    }
    super.report(usage);
  }

  /** Ends the reports: the connection is closed, or a WebSocket. */
  override close(): void {
    if (!this.#hasJoined) return;
    super.close();
    this.isStopped = false;
    this.#hasJoined = false;
    this.#budget!.leave();
  }

  override onBudgetChange(): void {
    this.#holder.regulate();
  }

  override evict(error: unknown): void {
    this.#holder.evict(error);
  }
}
