import type { Position } from "./types.ts";

/**
 * Whether a position is one of a history.
 *
 * @param from The offset of the earliest position.
 * @param last The position of the last message.
 */
export function isWithin({ epoch, offset }: Position, from: number, last: Position): boolean {
  return epoch === last.epoch && Number.isSafeInteger(offset) && offset >= from &&
    offset <= last.offset;
}
