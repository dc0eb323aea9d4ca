import { MemoryAccount, STEP } from "../connection/memory_budget.ts";
import type { MemoryBudget, MemoryHolder } from "../connection/memory_budget.ts";

/** Reports the memory usage of an HTTP connection to the server's budget, if it is large enough. */
export class HttpMemory {
  readonly #holder: MemoryHolder;
  readonly #budget: MemoryBudget | undefined;
  #account: MemoryAccount | undefined;

  /** Prepares to report, without an account: most connections need none. */
  constructor(holder: MemoryHolder, budget: MemoryBudget | undefined) {
    this.#holder = holder;
    this.#budget = budget;
  }

  /** Whether the budget has stopped the connection from reading. */
  get isStopped(): boolean {
    return this.#account?.isStopped === true;
  }

  /** Reports the usage, in bytes. */
  report(usage: number): void {
    if (this.#account === undefined) {
      if (usage < STEP || this.#budget === undefined) return;
      this.#budget.join();
      this.#account = new MemoryAccount(this.#holder, this.#budget);
    }
    this.#account.report(usage);
  }

  /** Ends the reports: the connection is closed, or a WebSocket. */
  close(): void {
    if (this.#account === undefined) return;
    this.#account.close();
    this.#account = undefined;
    this.#budget!.leave();
  }
}
