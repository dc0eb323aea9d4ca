import { checkNames, unusable } from "../protocol/options.ts";

/** The longest time between two heartbeats, in milliseconds: a day. */
const MAX_HEARTBEAT = 24 * 60 * 60 * 1000;

/** Options of the relays of this library. */
export interface RelayOptions {
  /** The prefix of the names of channels, subjects and keys: 1 to 64 letters, digits, `_` or `-`. */
  prefix: string;
  /** The time between two heartbeats through the broker, in milliseconds. @default {1000} */
  heartbeat?: number;
  /** The number of missing heartbeats after which the broker counts as unreachable. @default {2} */
  missed?: number;
}

/**
 * Checks the options of a relay.
 *
 * @param owner The function that takes the options.
 * @param others The names of its other options.
 * @throws {TypeError} If there is an unknown option, or the prefix is invalid.
 * @throws {RangeError} If a number is out of range.
 */
export function checkRelayOptions(
  owner: string,
  options: RelayOptions,
  others: readonly string[] = [],
): void {
  checkNames(owner, options, ["prefix", "heartbeat", "missed", ...others]);
  const { prefix, heartbeat = 1000, missed = 2 } = options;
  if (typeof prefix !== "string" || !/^[\w-]{1,64}$/.test(prefix)) {
    throw unusable(`option prefix of ${owner}`, prefix, "1 to 64 letters, digits, _ or -");
  }
  for (const [name, value] of Object.entries({ heartbeat, missed })) {
    // A timer of a longer time would end at once.
    if (Number.isInteger(value) && value >= 1 && value <= MAX_HEARTBEAT) continue;
    const expected = `an integer from 1 to ${MAX_HEARTBEAT}`;
    throw unusable(`option ${name} of ${owner}`, value, expected, RangeError);
  }
}

/** Creates the error for a message that the broker may or may not have received. */
export function unknownOutcome(what: string): DOMException {
  return new DOMException(
    `Cannot tell whether the broker has the message: ${what}`,
    "NetworkError",
  );
}
