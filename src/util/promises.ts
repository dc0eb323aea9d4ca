/** Marks a promise's rejection as handled, for a promise that a caller may ignore; returns the promise. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Returns a promise that is rejected, and that a caller may ignore. */
export function rejected(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}

/** Whether a value is a promise, of any class and realm. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Calls `failed` if a value is a promise, of any class and realm, and rejects. */
export function onRejected(value: unknown, failed: (error: unknown) => void): void {
  if (isThenable(value)) Promise.resolve(value).catch(failed);
}

/**
 * Calls a function of the application's, whose result is not used.
 *
 * @param failed Gets what the function throws, or what its promise rejects with. It must not throw.
 */
export function callGuarded(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    onRejected(call(), failed);
  } catch (error) {
    failed(error);
  }
}

/**
 * Calls a function of the application's that receives errors. What it throws, or what its promise
 * rejects with, is printed, since there is no other place for it.
 *
 * @param name The name of the function, for the text.
 */
export function callReporter(call: () => unknown, name = "onError()"): void {
  callGuarded(call, (thrown) => console.error(`${name} has thrown`, thrown));
}
