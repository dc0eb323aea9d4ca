/** A set of timeouts that can be cleared together. */
export class Timeouts {
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

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

  /** Waits for a promise, at most for a time in milliseconds. @returns Its value, or `undefined` after that time. */
  withTimeout<T>(time: number, promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const stop = this.after(time, () => resolve(undefined));
      promise.then((value) => (stop(), resolve(value)), (error) => (stop(), reject(error)));
    });
  }

  /** Cancels all timeouts. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
