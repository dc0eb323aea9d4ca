import { BudgetAccount, STEP } from "../connection/memory_budget.ts";
import type { Transport } from "../transport/transport.ts";
import type { MemoryBudget } from "../connection/memory_budget.ts";

/** The number of received bytes that wait for an earlier response, above which reading pauses. */
const MAX_INPUT = 65_536;

/** The members of an HTTP connection that {@linkcode HttpMemory} uses. */
export interface MemoryHolder {
  /** Frees memory: closes the connection, or drops it if closing would not free anything. */
  evict(error: unknown): void;
}

/**
 * Reports the memory usage of an HTTP connection to the server's budget, if it is large enough, and pauses
 * reading while the connection has too much received data.
 */
export class HttpMemory extends BudgetAccount {
  readonly #holder: MemoryHolder;
  readonly #budget: MemoryBudget | undefined;
  readonly #transport: Transport;
  #hasJoined = false;
  #inputSize = 0;
  #isFinishing = false;
  #isPaused = false;

  /** Prepares to report; a connection joins the budget with its first report. */
  constructor(holder: MemoryHolder, transport: Transport, budget: MemoryBudget | undefined) {
    super(budget);
    this.#holder = holder;
    this.#transport = transport;
    this.#budget = budget;
  }

  /** Whether reading is paused. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Reports the usage, and reads or pauses reading.
   *
   * @param usage The usage in bytes.
   * @param inputSize The number of received bytes that wait, which are a part of it.
   * @param isFinishing Whether received data is discarded, so that reading never pauses.
   */
  update(usage: number, inputSize: number, isFinishing: boolean): void {
    this.#inputSize = inputSize;
    this.#isFinishing = isFinishing;
    this.report(usage);
    this.onBudgetChange();
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
    const isFull = this.#inputSize >= MAX_INPUT || this.isStopped;
    const isPaused = isFull && !this.#isFinishing;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#transport.pause();
    else this.#transport.resume();
  }

  override evict(error: unknown): void {
    this.#holder.evict(error);
  }
}
