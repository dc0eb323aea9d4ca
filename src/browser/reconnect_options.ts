import type { PerAttempt } from "../client/per_attempt.ts";
import type { BackoffOptions } from "../client/reconnect_backoff.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { Sendable } from "../connection/sendable.ts";
import { checkNames, unusable } from "../protocol/options.ts";

/** Options of a browser's {@linkcode ReconnectingWebSocket}. */
export interface ReconnectOptions extends BackoffOptions {
  /**
   * The subprotocols to offer, in order of preference. A function is called for each attempt, so that it
   * can put a fresh token among them.
   *
   * @default {[]} none
   */
  protocols?: PerAttempt<string | readonly string[]>;
  /**
   * A message that each connection sends before all others, such as one that authenticates the client.
   * A function is called for each attempt, before it connects; `undefined` means no message.
   *
   * @default {undefined} none
   */
  firstMessage?: PerAttempt<Sendable | undefined>;
  /**
   * Returns whether a close, or a failed attempt (1006, with its `error`), ends the reconnections. Any other
   * result than a boolean is an error that ends them.
   *
   * @default {isFinalClose}
   */
  isFinal?: (info: CloseInfo) => boolean;
  /**
   * The capacity of the queue for the next connection, in bytes; at most `maxBufferedAmount`. It keeps the
   * messages that are sent while there is no connection. A message for which there is no room is rejected.
   *
   * @default {0} all such messages are rejected
   */
  maxQueueSize?: number;
  /**
   * The capacity of the queue of messages that are sent, but not written, in bytes. A message without room
   * is rejected with a `QuotaExceededError`.
   *
   * @default {16777216} 16 MiB
   */
  maxBufferedAmount?: number;
  /**
   * The size of the browser's own send queue, in bytes, from which on further messages wait. They are sent on
   * the next connection if this one closes.
   *
   * @default {65536} 64 KiB
   */
  highWaterMark?: number;
  /**
   * The capacity of the queue of messages that are received, but not read, in bytes; text counts two bytes a
   * character. A browser can't stop receiving: a connection that exceeds it is closed.
   *
   * @default {16777216} 16 MiB
   */
  maxUnread?: number;
  /**
   * The longest time until a connection is open, in milliseconds; `Infinity` for no timeout. It includes the
   * functions of the attempt, such as `protocols`.
   *
   * @default {30000} 30 s
   */
  timeout?: number;
  /**
   * Ends it, as `close()` does.
   *
   * @default {undefined} none
   */
  signal?: AbortSignal;
}

/** The types of the options, as of `typeof`. Numbers are checked where they are used. */
const types: { readonly [Name in keyof Required<ReconnectOptions>]: string } = {
  protocols: "string or object or function",
  firstMessage: "string or object or function",
  isFinal: "function",
  maxQueueSize: "number",
  maxBufferedAmount: "number",
  highWaterMark: "number",
  maxUnread: "number",
  timeout: "number",
  signal: "object",
  initialDelay: "number",
  factor: "number",
  maxDelay: "number",
  maxAttempts: "number",
  stableAfter: "number",
};

/**
 * Checks the names and the types of options, in less code than `checkOptions()`.
 *
 * @throws {TypeError} If an option is unknown, or has another type.
 */
export function checkReconnectOptions(options: ReconnectOptions): void {
  const owner = "ReconnectingWebSocket";
  checkNames(owner, options, Object.keys(types));
  for (const [name, value] of Object.entries(options)) {
    const expected = types[name as keyof ReconnectOptions];
    if (value === undefined || expected.split(" or ").includes(typeof value)) continue;
    throw unusable(`option ${name} of ${owner}`, value, expected);
  }
}
