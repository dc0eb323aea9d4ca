import { WebSocketError } from "../protocol/errors.ts";

/** A value, or a function that returns it and is called for each attempt. */
export type PerAttempt<Value> = Value | (() => Value | Promise<Value>);

/**
 * Returns the value for one attempt.
 *
 * @param option The option of the caller.
 * @param name The name of the option, for the error message.
 * @throws {WebSocketError} If the caller's function throws: its `cause` is what the function threw.
 */
export async function resolvePerAttempt<Value>(
  option: PerAttempt<Value>,
  name: string,
): Promise<Value> {
  if (typeof option !== "function") return option;
  try {
    return await (option as () => Value | Promise<Value>)();
  } catch (cause) {
    // Not rethrown as it is: a TypeError of the function, such as a failed fetch(), would count as a
    // malformed option, which is final.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WebSocketError(`Cannot get the ${name}: ${reason}`, {
      code: "ERR_PER_ATTEMPT",
      closeCode: 1006,
      cause,
    });
  }
}
