import {
  AssertionError,
  deepStrictEqual,
  match,
  notDeepStrictEqual,
  ok,
  strictEqual,
} from "node:assert";

export { AssertionError };

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error = Error> = abstract new (...args: any[]) => E;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  ok(expr, msg);
}

/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg = "Expected a falsy value"): asserts expr is false {
  ok(!expr, msg);
}

/** Fails unless the two are deeply equal, their types included. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  deepStrictEqual(actual, expected, msg!);
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  notDeepStrictEqual(actual, expected, msg!);
}

/** Fails unless the two are the same value, as `Object.is` has it. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  strictEqual(actual, expected, msg!);
}

/** Fails on `null` and `undefined`. */
export function assertExists<T>(
  actual: T,
  msg = `Expected a value, got ${actual}`,
): asserts actual is NonNullable<T> {
  ok(actual !== null && actual !== undefined, msg);
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} > ${expected}`,
): void {
  ok(actual > expected, msg);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} >= ${expected}`,
): void {
  ok(actual >= expected, msg);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} < ${expected}`,
): void {
  ok(actual < expected, msg);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg = `Expected ${actual} <= ${expected}`,
): void {
  ok(actual <= expected, msg);
}

/** Fails unless `actual` is an instance of `expectedType`. */
// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expectedType: T,
  msg = `Expected an instance of ${expectedType.name}, got ${actual}`,
): asserts actual is InstanceType<T> {
  ok(actual instanceof expectedType, msg);
}

/** Fails unless `actual` matches the expression. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  match(actual, expected, msg!);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg = `Expected "${actual}" to contain "${expected}"`,
): void {
  ok(actual.includes(expected), msg);
}

/** Fails, always. */
export function fail(msg = ""): never {
  throw new AssertionError({ message: `Failed assertion${msg === "" ? "." : `: ${msg}`}` });
}

/** Fails unless `fn` throws; gives back what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `errorClass` whose message contains `msgIncludes`; gives it back. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClass | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, errorClassOrMsg, msgIncludes, msg);
  }
  fail(suffixed("expected function to throw", errorClassOrMsg, msg));
}

/** Fails unless the promise of `fn` rejects; gives back what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless `fn` rejects with an `errorClass` whose message contains `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClass | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    fail(suffixed("function throws when expected to reject", errorClassOrMsg, msg));
  }
  try {
    await promise;
  } catch (error) {
    return checkError(error, errorClassOrMsg, msgIncludes, msg);
  }
  fail(suffixed("expected function to reject", errorClassOrMsg, msg));
}

function checkError(
  error: unknown,
  errorClass: ErrorClass | string | undefined,
  msgIncludes = "",
  msg?: string,
): unknown {
  if (typeof errorClass !== "function") return error;
  assertInstanceOf(error, Error, suffixed("a value that is no Error was thrown", msg));
  const text = `expected ${errorClass.name} "${msgIncludes}", got ${error.name} "${error.message}"`;
  if (!(error instanceof errorClass) || !error.message.includes(msgIncludes)) {
    // The stack of the error in hand tells where it came from.
    throw new AssertionError({ message: suffixed(`${text}\n${error.stack}`, msg) });
  }
  return error;
}

function suffixed(text: string, ...msgs: unknown[]): string {
  const msg = msgs.find((each) => typeof each === "string");
  return msg === undefined ? text : `${text}: ${msg}`;
}
