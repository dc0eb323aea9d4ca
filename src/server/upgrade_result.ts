import { anything, checkOptions, isPlainObject, show } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import type { UpgradeOptions } from "./accept_options.ts";

const upgradeOptionChecks: OptionChecks<UpgradeOptions> = {
  protocol: (value) => typeof value === "string" ? undefined : "a string",
  headers: anything,
  data: anything,
};

/**
 * Checks the result of `upgrade()` that is not a response. Only `undefined` and a plain object of known
 * options accept the request. Any other result, such as a misspelt option, refuses the client.
 *
 * @throws {TypeError} If it is anything else.
 */
export function checkUpgradeResult<Data>(result: unknown): UpgradeOptions<Data> {
  if (result === undefined) return {};
  if (!isPlainObject(result)) {
    throw new TypeError(
      `Cannot use the result of upgrade(): expected undefined, a plain object of options, or a ` +
        `Response, got ${show(result)}`,
    );
  }
  checkOptions("the result of upgrade()", result, upgradeOptionChecks);
  return result as UpgradeOptions<Data>;
}
