import { anything, checkOptions, show } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import type { UpgradeOptions } from "./accept_options.ts";

const upgradeOptionChecks: OptionChecks<UpgradeOptions> = {
  protocol: (value) => typeof value === "string" ? undefined : "a string",
  headers: anything,
  data: anything,
};

/** Whether a value is a promise, of any class and realm. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/**
 * Checks the result of `upgrade()` that is not a response. Only `undefined` and a plain object of known
 * options accept the request. Any other result, such as a misspelt option, refuses the client.
 *
 * @throws {TypeError} If it is anything else.
 */
export function checkUpgradeResult<Data>(result: unknown): UpgradeOptions<Data> {
  if (result === undefined) return {};
  const prototype = typeof result === "object" && result !== null
    ? Object.getPrototypeOf(result) as unknown
    : undefined;
  // Object.prototype of any realm has no prototype itself.
  const isPlain = prototype === null ||
    (prototype !== undefined && Object.getPrototypeOf(prototype) === null);
  if (!isPlain) {
    throw new TypeError(
      `Cannot use the result of upgrade(): expected undefined, a plain object of options, or a ` +
        `Response, got ${show(result)}`,
    );
  }
  checkOptions("the result of upgrade()", result, upgradeOptionChecks);
  return result as UpgradeOptions<Data>;
}
