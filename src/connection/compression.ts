import type { PerMessageDeflateOptions } from "../extensions/deflate_options.ts";
import type { Extension } from "../extensions/extension.ts";
import { PerMessageDeflate } from "../extensions/permessage_deflate.ts";

/**
 * The extensions that the option `compression` of either role asks for.
 *
 * @throws {RangeError} where an option of permessage-deflate is out of its range.
 */
export function resolveCompression(
  compression: boolean | PerMessageDeflateOptions = false,
): readonly Extension[] {
  if (compression === false) return [];
  return [new PerMessageDeflate(compression === true ? {} : compression)];
}
