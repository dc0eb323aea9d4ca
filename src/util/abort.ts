import { checkNumber } from "../protocol/options.ts";
import { MAX_DELAY } from "./max_delay.ts";

/** Options of {@linkcode withTimeout}: the reasons to end an attempt early. */
export interface AttemptLimits {
  /** Ends the attempt when it aborts. */
  signal?: AbortSignal;
  /**
   * The longest duration of the attempt, in milliseconds, or `Infinity`.
   *
   * @default {30000} 30 s
   */
  timeout?: number;
}

/**
 * Runs an attempt to open a WebSocket with one signal for everything that ends it early.
 *
 * @returns The result of the attempt.
 * @throws {unknown} The error of the attempt, which is expected to be the signal's reason.
 * @throws {RangeError} If the timeout is not a number above 0.
 */
export async function withTimeout<Result>(
  { signal, timeout = 30_000 }: AttemptLimits,
  attempt: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  checkTimeout(timeout);
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

/**
 * Checks a timeout.
 *
 * @throws {RangeError} If it is not a number above 0.
 */
export function checkTimeout(timeout = 30_000): void {
  checkNumber("timeout", timeout, timeout > 0);
}

/**
 * Settles as the promise does, or rejects with the signal's reason if the signal aborts first. The
 * signal must not have aborted yet.
 */
export async function abortable<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Resolves after a delay in milliseconds, or as soon as the signal aborts.
 *
 * @param onTimer Called with the timer.
 */
export async function sleep(
  ms: number,
  signal: AbortSignal,
  onTimer?: (id: ReturnType<typeof setTimeout>) => void,
): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const timer = setTimeout(resolve, ms);
  onTimer?.(timer);
  signal.addEventListener("abort", resolve);
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", resolve);
}
