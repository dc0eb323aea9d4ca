/** What is done with a send that the outgoing queue has no room for: see `maxBufferedAmount`. */
export type Overflow = "close" | "reject";

/**
 * Checks the option.
 *
 * @throws {TypeError} where it's neither.
 */
export function resolveOverflow(overflow: Overflow = "close"): Overflow {
  if (overflow === "close" || overflow === "reject") return overflow;
  throw new TypeError(`Cannot use overflow: expected "close" or "reject", got ${overflow}`);
}
