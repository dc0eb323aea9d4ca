/** Whether a value that another node has sent as JSON has a type. */
export type Check = (value: unknown) => boolean;

/** Whether a value is a string. */
export const isString: Check = (value) => typeof value === "string";

/** Whether a value is a count, a version or a time: a number from 0 to the largest safe integer. */
export const isAmount: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** Whether a value is missing, or passes a check. */
export function isOptional(value: unknown, is: Check): boolean {
  return value === undefined || is(value);
}

/** Whether a value is a list whose items pass a check. */
export function isList(value: unknown, is: Check): boolean {
  return Array.isArray(value) && value.every(is);
}
