import { turnBudget } from "../transport/turn_budget.ts";

/** The work of a step, in units of {@linkcode TurnBudget.work}. */
const STEP = 32;

/**
 * Repeats a step of one connection, such as a request that is answered at once, until there is nothing
 * to do. If the time for all connections is spent, it goes on in the next turn of the event loop.
 */
export class TurnLoop {
  readonly #step: () => boolean;
  readonly #onEnd: () => void;
  #isRunning = false;
  #cancelWait: (() => void) | undefined;

  /**
   * Prepares the loop.
   *
   * @param step Returns whether there is another step to do.
   * @param onEnd Called when there is none.
   */
  constructor(step: () => boolean, onEnd: () => void) {
    this.#step = step;
    this.#onEnd = onEnd;
  }

  /** Whether steps are being done, or wait for the next turn. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Runs the loop, unless it is running. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    do {
      turnBudget.work -= STEP;
      if (turnBudget.work < 0 && turnBudget.isSpent()) {
        this.#cancelWait = turnBudget.wait(() => this.#continue());
        return;
      }
    } while (this.#step());
    this.#isRunning = false;
    this.#onEnd();
  }

  /** Ends the loop. */
  cancel(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  #continue(): void {
    this.#cancelWait = undefined;
    this.#isRunning = false;
    this.run();
  }
}
