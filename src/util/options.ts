import { show as showValue } from "../protocol/options.ts";

/**
 * Checks the value of an option.
 *
 * @param value The value, which is not `undefined`.
 * @param path The option's name and its owner, such as `limits of serve()`.
 * @returns What was expected, or `undefined` if the value is usable.
 */
export type OptionCheck = (value: unknown, path: string) => string | undefined;

/** A check for each option of a type: an option without one does not compile. */
export type OptionChecks<Options> = { readonly [Name in keyof Required<Options>]: OptionCheck };

/**
 * Checks the names and the values of options.
 *
 * An option that is `undefined` is not checked, since it means the default.
 *
 * @param owner The function that takes the options, such as `serve()`.
 * @param options The caller's value.
 * @param checks The options that exist.
 * @throws {TypeError} If an option is unknown, or has an unusable value; it names the option.
 */
export function checkOptions<Options>(
  owner: string,
  options: unknown,
  checks: OptionChecks<Options>,
): void {
  if (!isOptions(options, Object.keys(checks))) {
    throw new TypeError(`Cannot use ${owner}: expected an object of options, got ${show(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined) {
    throw new TypeError(
      `Cannot use option ${unknown} of ${owner}: unknown, expected one of ` +
        Object.keys(checks).join(", "),
    );
  }
  for (const [name, check] of Object.entries<OptionCheck>(checks)) {
    const value = (options as Record<string, unknown>)[name];
    const path = `${name} of ${owner}`;
    const expected = value === undefined ? undefined : check(value, path);
    if (expected === undefined) continue;
    throw new TypeError(`Cannot use option ${path}: expected ${expected}, got ${show(value)}`);
  }
}

/** An object of another class is usable if it has one of the options: a Map or a promise has none. */
function isOptions(options: unknown, names: readonly string[]): options is object {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return false;
  return isPlainObject(options) || names.some((name) => name in options);
}

/** Accepts an object of options that these checks accept. */
export function anOptionsObject<Options>(checks: OptionChecks<Options>): OptionCheck {
  return (value, path) => {
    if (typeof value !== "object" || value === null) return "an object";
    checkOptions(path, value, checks);
    return undefined;
  };
}

/** Accepts every value: the option is checked where it is used. */
export const anything: OptionCheck = () => undefined;

/** Accepts `true` and `false`. */
export const aBoolean: OptionCheck = (value) =>
  typeof value === "boolean" ? undefined : "a boolean";

/** Accepts functions. The body of a generator function would never run. */
export const aFunction: OptionCheck = (value) =>
  typeof value === "function" && !isGenerator(value) ? undefined : "a function";

/** Whether a value is a generator function, of any realm. */
export function isGenerator(value: unknown): boolean {
  return /Generator/.test(Object.prototype.toString.call(value)) && typeof value === "function";
}

/** Returns a short text for a value in an error. */
export function show(value: unknown): string {
  // A key in the place of another value must not end up in a log.
  if (typeof value === "string" && value.includes("-----BEGIN ")) return "text in PEM";
  if (Array.isArray(value)) {
    return value.length > 4 ? "an array" : `[${value.map(show).join(", ")}]`;
  }
  return isGenerator(value) ? "a generator function" : showValue(value);
}

/** Accepts strings of at least one character. */
export const aString: OptionCheck = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a string that is not empty";

/** Accepts an `AbortSignal`, of any realm. */
export const aSignal: OptionCheck = (value) => {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  const isSignal = typeof aborted === "boolean" && typeof addEventListener === "function";
  return isSignal ? undefined : "an AbortSignal";
};

/** Accepts the integers from `min` to `max`. */
export function anInteger(min: number, max: number): OptionCheck {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `an integer from ${min} to ${max}`;
}

/** Accepts one of these values. */
export function oneOf(...values: readonly unknown[]): OptionCheck {
  return (value) => values.includes(value) ? undefined : values.map(show).join(" or ");
}

/** Accepts the values that one of two checks accepts. */
export function either(first: OptionCheck, second: OptionCheck): OptionCheck {
  return (value, path) => {
    const expected = first(value, path);
    if (expected === undefined) return undefined;
    const other = second(value, path);
    return other === undefined ? undefined : `${expected} or ${other}`;
  };
}

/** Accepts an array whose items pass the test. */
export function aListOf(what: string, isUsable: (item: unknown) => boolean): OptionCheck {
  // Array.from() visits holes, too.
  return (value) =>
    Array.isArray(value) && Array.from(value).every(isUsable) ? undefined : `a list of ${what}`;
}

/**
 * Checks an object of callbacks.
 *
 * The members of a class instance that are no callbacks are its own. Those of a plain object are a
 * mistake: a misspelt callback, or options that belong into another argument.
 *
 * @param owner The function that takes the callbacks, such as `serve()`.
 * @param names The callbacks that exist.
 * @throws {TypeError} If a callback is unknown, or is no function; it names the callback.
 */
export function checkCallbacks(owner: string, callbacks: object, names: readonly string[]): void {
  const members = callbacks as Record<string, unknown>;
  if (isPlainObject(callbacks)) {
    const unknown = Object.keys(callbacks).find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw new TypeError(
        `Cannot use handler of ${owner}: unknown callback "${unknown}", expected one of ` +
          names.join(", "),
      );
    }
  } else if (names.every((name) => members[name] === undefined)) {
    throw new TypeError(
      `Cannot use handler of ${owner}: no callback, expected at least one of ${names.join(", ")}`,
    );
  }
  for (const name of names) {
    const callback = members[name];
    if (callback !== undefined && aFunction(callback, name) !== undefined) {
      throw new TypeError(
        `Cannot use handler of ${owner}: callback "${name}": expected a function, got ${
          show(callback)
        }`,
      );
    }
  }
}

/** Whether a value is a plain object, of any realm: no class instance, no array. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Object.prototype of any realm has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
