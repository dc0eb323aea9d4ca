import type { HeaderFields } from "../http/header_writer.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { PerAttempt } from "./per_attempt.ts";
import type { BackoffOptions } from "./reconnect_backoff.ts";

/** Options of {@linkcode ReconnectingWebSocket}, in addition to those of each attempt. */
export interface ReconnectOptions extends Omit<ConnectOptions, "headers">, BackoffOptions {
  /**
   * Header fields to add to the request. A function is called for each attempt, so that it can refresh
   * a token.
   *
   * @default {[]} none
   */
  headers?: PerAttempt<HeaderFields>;
  /**
   * Returns whether a close, or a failed attempt (1006, with its `error`), ends the reconnections.
   *
   * @default {isFinalClose}
   */
  isFinal?: (info: CloseInfo) => boolean;
  /**
   * The capacity of the queue for messages that are sent while there is no connection, in bytes, frame
   * headers included; at most `limits.maxBufferedAmount`. A message for which there is no room is
   * rejected.
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
