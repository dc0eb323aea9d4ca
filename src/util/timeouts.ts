/** Timeouts that end together. */
export class Timeouts {
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** Calls back after a time in milliseconds. @returns A function that takes it back. */
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

  /** Waits for a promise, but no longer than a time. @returns Its value, or `undefined` if it took longer. */
  within<T>(time: number, promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const stop = this.after(time, () => resolve(undefined));
      promise.then((value) => (stop(), resolve(value)), (error) => (stop(), reject(error)));
    });
  }

  /** Takes back all. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
