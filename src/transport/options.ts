/**
 * Checks the names of options: an unknown one is a mistake, which must not be ignored.
 *
 * @throws {TypeError} If it is no object, or has another name.
 */
export function checkNames(owner: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use ${owner}: expected an object of options`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(
    `Cannot use option ${unknown} of ${owner}: unknown, expected one of ${names.join(", ")}`,
  );
}

/** @throws {TypeError} If a port that is set is no integer from 0 to 65535. */
export function checkPort(owner: string, port: unknown): void {
  const isPort = Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65535;
  if (port === undefined || isPort) return;
  throw new TypeError(
    `Cannot use option port of ${owner}: expected an integer from 0 to 65535, got ${String(port)}`,
  );
}
