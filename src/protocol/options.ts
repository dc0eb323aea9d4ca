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
    throw new TypeError(
      `Cannot use ${owner}: expected an object of options, got ${
        options === null ? "null" : Array.isArray(options) ? "an array" : typeof options
      }`,
    );
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new TypeError(
      `Cannot use option ${name} of ${owner}: unknown, expected one of ${names.join(", ")}`,
    );
  }
}

/** Returns a short text for a value in an error. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  const isObject = typeof value === "object" && value !== null;
  return isObject || typeof value === "function"
    ? `a value of type ${typeof value}`
    : String(value);
}

/** @throws {TypeError} If an option that is set is none of these values. */
export function checkOneOf(
  owner: string,
  name: string,
  value: unknown,
  values: readonly string[],
): void {
  if (value === undefined || values.includes(value as string)) return;
  throw new TypeError(
    `Cannot use option ${name} of ${owner}: expected one of ${values.join(", ")}, got ${
      shown(value)
    }`,
  );
}

/** @throws {RangeError} If a limit that is set is not a number above 0. */
export function checkLimit(owner: string, name: string, value: unknown): void {
  if (value === undefined || (typeof value === "number" && value > 0)) return;
  throw new RangeError(
    `Cannot use option ${name} of ${owner}: expected a number above 0, got ${shown(value)}`,
  );
}
