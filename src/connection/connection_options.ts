import type { PerMessageDeflateOptions } from "../extensions/deflate_options.ts";
import type { Extension } from "../extensions/extension.ts";
import { PerMessageDeflate } from "../extensions/permessage_deflate.ts";
import { aBoolean, anOptionsObject, anything, either, oneOf, show } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import type { PayloadMode } from "../protocol/message.ts";
import type { ConnectionCounters } from "./counters.ts";
import { DEFAULT_LIMITS, resolveLimits } from "./limits.ts";
import type { Timers } from "../util/timers.ts";
import type { Limits } from "./limits.ts";

/** The treatment of a `send()` for which the send queue has no room: see {@linkcode ConnectionOptions}. */
export type Overflow = "close" | "reject";

/** The treatment of a peer that exceeds `messageRate` or `byteRate`: see {@linkcode ConnectionOptions}. */
export type OverRate = "pause" | "close";

/** Options of a connection, of either role. */
export interface ConnectionOptions {
  /**
   * Whether to compress messages with permessage-deflate (RFC 7692) if the peer supports it, and its
   * options. `true` means the default options: windows of 12 bits (4 KiB), `memLevel` 5, level 1,
   * messages of 1 KiB and more. Compression costs CPU time. Its memory usage is below 1 KiB a connection
   * until the first compressed message, then about 10 KiB for receiving (33 KiB if the peer keeps its
   * window of 15 bits) and 3 KiB for sending.
   *
   * A runtime whose `node:zlib` cannot keep a window between messages does not use the extension, and
   * `serve()` reports that to `onError`.
   *
   * Send a message with `compress: false` if it has a secret next to text that an attacker can choose:
   * its length on the wire would reveal the secret (CRIME, BREACH).
   *
   * @default {false}
   */
  compression?: boolean | PerMessageDeflateOptions;
  /**
   * The treatment of a `send()` that would exceed `maxBufferedAmount`. `"close"` refuses it and closes the
   * connection with 1013. `"reject"` rejects it with a `QuotaExceededError`
   * and leaves the connection open.
   *
   * @default {"close"}
   */
  overflow?: Overflow;
  /**
   * The treatment of a peer that exceeds `messageRate` or `byteRate` of `limits`. `"pause"` does not read
   * the connection until the peer may send more, so that TCP slows the peer down. `"close"` closes it with
   * 1008. What a peer has sent while the event loop was stalled, or while reading was paused for a slow
   * handler, is allowed in addition.
   *
   * @default {"pause"}
   */
  overRate?: OverRate;
  /**
   * The ownership of the bytes of a received binary message:
   *
   * - `"shared"`: the application may keep them. Their `ArrayBuffer` may hold other messages of the
   *   connection, too, so `byteOffset` counts. A message that is kept keeps all of it in memory, up to
   *   512 KiB: use `"owned"` to keep small messages.
   * - `"owned"`: each message has an `ArrayBuffer` of its own, with `byteOffset` 0, to wrap or to transfer.
   *   It costs a copy, and short messages some 0.3 µs.
   * - `"borrowed"`: with callbacks, the bytes are valid until the callback returns; a promise that it
   *   returns is not awaited. Nothing is copied, and buffers are used again. In any other way to receive
   *   messages, this is the same as `"shared"`.
   *
   * @default {"shared"}
   */
  payload?: PayloadMode;
  /**
   * Whether to overwrite a borrowed message as soon as its callback has returned, so that code which uses
   * it later fails at once. For development: it costs time. It needs `payload: "borrowed"`.
   *
   * @default {false}
   */
  overwriteBorrowed?: boolean;
  /**
   * Whether to drop all received messages, for an application that only sends. Control frames are still
   * handled. A handler then has no callback for messages, and a loop over the messages gets none: it ends
   * with the connection.
   *
   * Without it, a connection whose messages are not read stops reading: see `incomingHighWaterMark` of
   * {@linkcode Limits}. It does not learn of the peer's Close behind messages that it has not read.
   *
   * @default {false}
   */
  discardMessages?: boolean;
  /** The limits of a connection; each has a default. */
  limits?: Partial<Limits>;
}

const deflateOptionChecks: OptionChecks<PerMessageDeflateOptions> = {
  serverNoContextTakeover: aBoolean,
  clientNoContextTakeover: aBoolean,
  serverMaxWindowBits: anything,
  clientMaxWindowBits: anything,
  level: anything,
  memLevel: anything,
  threshold: anything,
  offers: anything,
  announceServerMaxWindowBits: aBoolean,
};

/**
 * The checks of these options, for functions with more options. Numbers are not checked here:
 * {@linkcode resolveConnectionOptions} throws a `RangeError` for them.
 */
export const connectionOptionChecks: OptionChecks<ConnectionOptions> = {
  compression: either(aBoolean, anOptionsObject(deflateOptionChecks)),
  overflow: oneOf("close", "reject"),
  overRate: oneOf("pause", "close"),
  payload: oneOf("shared", "owned", "borrowed"),
  overwriteBorrowed: aBoolean,
  discardMessages: aBoolean,
  limits: anOptionsObject(
    Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, anything])) as OptionChecks<
      Limits
    >,
  ),
};

/** The options, checked. */
export interface ConnectionConfig {
  /** The extensions to offer or to accept. */
  readonly extensions: readonly Extension[];
  readonly overflow: Overflow;
  readonly overRate: OverRate;
  readonly payload: PayloadMode;
  readonly overwriteBorrowed: boolean;
  readonly discardMessages: boolean;
  readonly limits: Readonly<Limits>;
  /** The timers of the connection; those of the process unless a test sets them. */
  readonly timers?: Timers;
  /** Counts the events of the connection, for its server. */
  readonly counters?: ConnectionCounters;
}

/**
 * Checks the options.
 *
 * @throws {TypeError} If `overflow` is neither `"close"` nor `"reject"`, or options exclude each other.
 * @throws {RangeError} If a limit, or an option of permessage-deflate, is out of its range.
 */
export function resolveConnectionOptions(options: ConnectionOptions): ConnectionConfig {
  const { compression = false, overflow = "close", overRate = "pause", limits } = options;
  const { payload = "shared", overwriteBorrowed = false, discardMessages = false } = options;
  if (overwriteBorrowed && payload !== "borrowed") {
    throw new TypeError('Cannot use overwriteBorrowed: expected payload "borrowed" with it');
  }
  const extensions = compression === false
    ? []
    : [new PerMessageDeflate(compression === true ? {} : compression)];
  if (overflow !== "close" && overflow !== "reject") {
    throw new TypeError(`Cannot use overflow: expected "close" or "reject", got ${show(overflow)}`);
  }
  return {
    extensions,
    overflow,
    overRate,
    payload,
    overwriteBorrowed,
    discardMessages,
    limits: resolveLimits(limits),
  };
}
