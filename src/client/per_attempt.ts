import { WebSocketError } from "../protocol/errors.ts";

/** A value, or a function that gives it anew for each attempt. */
export type PerAttempt<Value> = Value | (() => Value | Promise<Value>);

/** What this attempt uses. */
export async function ask<Value>(value: PerAttempt<Value>, what: string): Promise<Value> {
  if (typeof value !== "function") return value;
  try {
    return await (value as () => Value | Promise<Value>)();
  } catch (cause) {
    // Whatever it throws, such as the TypeError of a fetch(): it's no misuse of ours.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WebSocketError(`Cannot get the ${what}: ${reason}`, {
      code: "ERR_PER_ATTEMPT",
      closeCode: 1006,
      cause,
    });
  }
}

/** The promise's outcome, unless the signal aborts before. */
export async function unlessAborted<Value>(
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
