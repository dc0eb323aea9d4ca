/**
 * The bounds of one connection. Each has a default that suits a small server on the open internet;
 * `Infinity` takes a bound away, at your own risk.
 */
export interface Limits {
  /**
   * The largest message that is taken, in bytes, after inflation. Checked against what a frame's
   * header claims before anything is allocated, and against the running sum of the fragments.
   * Exceeding it closes with 1009.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize: number;
  /**
   * How many fragments one message may come in. Exceeding it closes with 1008.
   *
   * @default {1024}
   */
  maxFragments: number;
  /**
   * The outgoing queue's high-water mark, in bytes: above it `ready` is pending and `send()` resolves
   * only once the queue is below the mark again.
   *
   * @default {65536} 64 KiB
   */
  outgoingHighWaterMark: number;
  /**
   * The most bytes that the outgoing queue may hold: a send that would exceed it is refused, and the
   * connection is closed with 1013, since its peer has stopped reading; or the send alone is refused,
   * with the option `overflow: "reject"`.
   *
   * @default {16777216} 16 MiB
   */
  maxBufferedAmount: number;
  /**
   * The incoming queue's high-water mark, in bytes, while a `for await` loop or `readable` lags
   * behind: at the mark the socket is not read, so that TCP holds the peer back.
   *
   * @default {65536} 64 KiB
   */
  incomingHighWaterMark: number;
  /**
   * The incoming queue's high-water mark, in messages.
   *
   * @default {16}
   */
  incomingMaxMessages: number;
  /**
   * How many bytes of memory the connection may hold: of a message that has not ended, of what has come
   * and has not been taken, of what waits to be sent, and of its buffers, each with what it costs beside
   * its bytes. Exceeding it closes with what tells where most of it is: 1013 what waits to be sent, 1009
   * a message that has not ended, else 1008. It's looked at once for each chunk that has come, and
   * where the outgoing queue grows.
   *
   * Where it's left out and `maxBufferedAmount` or the limits of what comes in are raised, it's raised
   * so that they fit.
   *
   * @default {33554432} 32 MiB
   */
  maxConnectionMemory: number;
  /**
   * The largest request head, in bytes, from the method to the empty line. Exceeding it is answered
   * with 431.
   *
   * @default {16384} 16 KiB
   */
  maxHeadSize: number;
  /**
   * How many header fields a request head may have. Exceeding it is answered with 431.
   *
   * @default {100}
   */
  maxHeaders: number;
  /**
   * How long the opening handshake may take, in milliseconds, from the accepted TCP connection to
   * the 101. Exceeding it is answered with 408.
   *
   * @default {10000} 10 s
   */
  handshakeTimeout: number;
  /**
   * How long each wait of the closing handshake may take, in milliseconds: for the peer's Close, and
   * for its end of the TCP connection. Then the connection is dropped. A peer that reads what waits
   * for it has its time anew with each part; the time in which the event loop is stalled doesn't count.
   *
   * @default {5000} 5 s
   */
  closeTimeout: number;
  /**
   * After how long without a byte from the peer it's sent a Ping, in milliseconds; `Infinity` for
   * never. Not counted: the time in which the event loop is stalled, or in which reading has stopped
   * for a slow handler. What a peer reads of a full queue counts as heard of it.
   *
   * @default {30000} 30 s
   */
  pingInterval: number;
  /**
   * How long a peer may be silent after such a Ping, in milliseconds; `Infinity` for ever. Anything that
   * comes will do. Then the connection is dropped, with 1006 and an error of code `ERR_PONG_TIMEOUT`.
   * Counted as `pingInterval` is, so that a peer that is gone while reading has stopped for a slow
   * handler is found once the handler goes on, or where TCP fails to send.
   *
   * @default {20000} 20 s
   */
  pongTimeout: number;
  /**
   * How many control frames may come within a second: pings, and pongs that answer none of ours. More
   * close with 1008; as many more are taken as may have waited while the event loop was stalled, or
   * reading had stopped for a slow handler.
   *
   * @default {1000}
   */
  maxControlFrames: number;
}

/** The defaults of {@linkcode Limits}. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  maxMessageSize: 1024 * 1024,
  maxFragments: 1024,
  outgoingHighWaterMark: 64 * 1024,
  maxBufferedAmount: 16 * 1024 * 1024,
  incomingHighWaterMark: 64 * 1024,
  incomingMaxMessages: 16,
  maxConnectionMemory: 32 * 1024 * 1024,
  maxHeadSize: 16 * 1024,
  maxHeaders: 100,
  handshakeTimeout: 10_000,
  closeTimeout: 5_000,
  pingInterval: 30_000,
  pongTimeout: 20_000,
  maxControlFrames: 1_000,
});

/** What a connection may hold beside what its limits allow: the chunks at hand, and its buffers. */
const SLACK = 4 * 1024 * 1024;

/**
 * Fills the gaps of `limits` with the defaults.
 *
 * @throws {RangeError} where a limit is not a number above 0.
 */
export function resolveLimits(limits: Partial<Limits> = {}): Readonly<Limits> {
  const resolved: Limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof Limits)[]) {
    const value = limits[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value > 0)) {
      throw new RangeError(`Cannot use limit ${name}: expected a number above 0, got ${value}`);
    }
    resolved[name] = value;
  }
  if (limits.maxConnectionMemory === undefined) {
    resolved.maxConnectionMemory = Math.max(resolved.maxConnectionMemory, needed(resolved));
  }
  return resolved;
}

/**
 * What a connection may come to hold by the other limits: buffers are larger than what is in them, by a
 * third; a character may take two bytes; and a message may be under way while as large a one waits.
 */
function needed(limits: Limits): number {
  const { maxBufferedAmount, maxMessageSize, incomingHighWaterMark } = limits;
  return maxBufferedAmount * 4 / 3 + 4 * maxMessageSize + 2 * incomingHighWaterMark + SLACK;
}
