/** Marks a promise's rejection as handled, for a promise that a caller may ignore; returns the promise. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Returns a promise that is rejected, and that a caller may ignore. */
export function rejected(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}
