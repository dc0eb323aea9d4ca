import type { HeaderFields } from "../http/header_writer.ts";
import type { Sendable } from "../connection/sendable.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import { aFunction, anything, either } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import { areHeaders, areProtocols, connectOptionChecks } from "./connect_options.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { PerAttempt } from "./per_attempt.ts";
import type { BackoffOptions } from "./reconnect_backoff.ts";

/** Options of {@linkcode ReconnectingWebSocket}, in addition to those of each attempt. */
export interface ReconnectOptions
  extends Omit<ConnectOptions, "headers" | "protocols">, BackoffOptions {
  /**
   * Header fields to add to the request. A function is called for each attempt, so that it can refresh
   * a token.
   *
   * @default {[]} none
   */
  headers?: PerAttempt<HeaderFields>;
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
   * Returns whether a close, or a failed attempt (1006, with its `error`), ends the reconnections. It
   * replaces {@linkcode isFinalClose}, whose documentation has the closes and statuses that are final by
   * default. Any other result than a boolean is an error that ends them.
   *
   * @default {isFinalClose}
   */
  isFinal?: (info: CloseInfo) => boolean;
  /**
   * The capacity of the queue for the next connection, in bytes, frame headers included; at most
   * `limits.maxBufferedAmount`. It keeps the messages that are sent while there is no connection, or
   * after the server's Close has been received, and those that were not written when the connection
   * closed. A message for which there is no room is rejected.
   *
   * @default {0} all such messages are rejected
   */
  maxQueueSize?: number;
  /**
   * Ends it, as `close(1001)` does.
   *
   * @default {undefined} none
   */
  signal?: AbortSignal;
}

/** The checks of these options; numbers that are out of range are a `RangeError` elsewhere. */
export const reconnectOptionChecks: OptionChecks<ReconnectOptions> = {
  ...connectOptionChecks,
  headers: either(aFunction, areHeaders),
  protocols: either(aFunction, areProtocols),
  firstMessage: anything,
  isFinal: aFunction,
  maxQueueSize: anything,
  initialDelay: anything,
  factor: anything,
  maxDelay: anything,
  maxAttempts: anything,
  stableAfter: anything,
};
