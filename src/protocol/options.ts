/**
 * Checks the names of options: an unknown one is a mistake, which must not be ignored.
 *
 * @param owner The function or the class that takes the options.
 * @param options The caller's value.
 * @param names The names of the options that exist.
 * @throws {TypeError} If it is no object, or has another name.
 */
export function checkNames(owner: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw unusable(owner, options, "an object of options");
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new TypeError(
      `Cannot use option ${name} of ${owner}: unknown, expected one of ${names.join(", ")}`,
    );
  }
}

/** Returns a short text for a value in an error. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "an array" : "an object";
}

/** Makes the error of a value that can't be used. */
export function unusable(
  what: string,
  value: unknown,
  expected: string,
  ErrorType: new (message: string) => Error = TypeError,
): Error {
  return new ErrorType(`Cannot use ${what}: expected ${expected}, got ${show(value)}`);
}

/** @throws {TypeError} If an option is none of these values. */
export function checkOneOf(
  owner: string,
  name: string,
  value: unknown,
  values: readonly string[],
): void {
  if (values.includes(value as string)) return;
  throw unusable(`option ${name} of ${owner}`, value, `one of ${values.join(", ")}`);
}

/** Whether a value is a count: an integer above 0, or `Infinity` for no limit. */
export function isCount(value: unknown): value is number {
  return value === Infinity || (Number.isInteger(value) && (value as number) > 0);
}

/** @throws {RangeError} If a limit is not a number above 0, or one that counts is not an integer. */
export function checkLimit(name: string, value: unknown, counts = false): void {
  if (counts ? isCount(value) : typeof value === "number" && value > 0) return;
  throw unusable(name, value, `${counts ? "an integer" : "a number"} above 0`, RangeError);
}

/** @throws {RangeError} If a value is not a number, or not valid. */
export function checkNumber(
  name: string,
  value: unknown,
  isValid: boolean,
  expected = "above 0",
): void {
  if (typeof value === "number" && isValid) return;
  throw unusable(name, value, `a number ${expected}`, RangeError);
}
