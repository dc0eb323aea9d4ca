/** A set of timeouts that can be cleared together. */
export class Timeouts {
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Ends each wait of `withTimeout()`. */
  readonly #waits = new Set<() => void>();

  /** Calls back after a time in milliseconds. @returns A function that cancels the call. */
  after(time: number, callback: () => void): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, time);
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  /**
   * Waits for a promise, at most for a time in milliseconds.
   *
   * @returns Its value; `undefined` after that time, or when the timeouts are cleared.
   */
  withTimeout<T>(time: number, promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const end = () => {
        stop();
        this.#waits.delete(end);
        resolve(undefined);
      };
      const stop = this.after(time, end);
      this.#waits.add(end);
      promise.then(resolve, reject).then(end);
    });
  }

  /** Cancels all timeouts, and ends all waits. */
  clear(): void {
    for (const end of this.#waits) end();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
