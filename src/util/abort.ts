/** The longest delay that a timer can have, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/** What may end an attempt early. */
export interface Patience {
  signal?: AbortSignal;
  /** In milliseconds, or `Infinity`. */
  timeout?: number;
}

/**
 * Runs an attempt to open a WebSocket with one signal for everything that ends it early.
 *
 * @throws {unknown} what the attempt does; the signal's reason is for the attempt to throw.
 * @throws {RangeError} where the timeout is not a number above 0.
 */
export async function within<Result>(
  { signal, timeout = 30_000 }: Patience,
  attempt: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (typeof timeout !== "number" || !(timeout > 0)) {
    throw new RangeError(`Cannot use timeout: expected a number above 0, got ${timeout}`);
  }
  signal?.throwIfAborted();
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal!.reason);
  const onTimeout = () => {
    stop.abort(new DOMException(`Cannot open WebSocket within ${timeout} ms`, "TimeoutError"));
  };
  signal?.addEventListener("abort", onAbort);
  const timer = timeout > MAX_DELAY ? undefined : setTimeout(onTimeout, timeout);
  try {
    return await attempt(stop.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
