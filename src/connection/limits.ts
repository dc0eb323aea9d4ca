import { checkLimit, checkNames } from "../protocol/options.ts";
import { defaultMaxFragments } from "../protocol/message_sequence.ts";

/**
 * The limits of one connection. Each default suits a small server on the open internet. `Infinity`
 * removes a limit, at your own risk.
 */
export interface Limits {
  /**
   * The largest message that is accepted, in bytes, after inflation. It is compared with the length in
   * each frame header before anything is allocated, and with the running sum of the fragments. A larger
   * message closes the connection with 1009.
   *
   * @default {1048576} 1 MiB
   */
  maxMessageSize: number;
  /**
   * The most fragments of one message. More close the connection with 1008. The default grows with
   * `maxMessageSize`.
   *
   * @default {1024} or more: one for each KiB of `maxMessageSize`
   */
  maxFragments: number;
  /**
   * The high-water mark of the send queue, in bytes. While the queue is above it, `ready` and the
   * promises of `send()` are pending.
   *
   * @default {65536} 64 KiB
   */
  outgoingHighWaterMark: number;
  /**
   * The most bytes that the send queue may hold. A `send()` that would exceed it is refused, and the
   * connection is closed with 1013, since its peer has stopped reading. With the option
   * `overflow: "reject"`, the connection stays open.
   *
   * @default {16777216} 16 MiB
   */
  maxBufferedAmount: number;
  /**
   * The high-water mark of the unread messages of a `for await` loop or of `readable`, in bytes. At the
   * mark, the connection stops reading the socket, so that TCP slows the peer down.
   *
   * If nothing has been reading the messages for 250 ms, the connection reads on, up to four times the mark
   * of memory usage, to find the peer's Close frame behind them. A Close frame behind more is found when
   * the messages are read.
   *
   * @default {65536} 64 KiB
   */
  incomingHighWaterMark: number;
  /**
   * The high-water mark of the unread messages, as a number of messages. An array of `batches()` may have
   * more: those of a chunk that has been read.
   *
   * @default {16}
   */
  incomingMaxMessages: number;
  /**
   * The most memory that one connection may use, in bytes: unfinished and unread messages, the send
   * queue, and buffers, each with its overhead per object. If it is exceeded, the connection is closed
   * with the code of the largest part: 1013 for the send queue, 1009 for an unfinished message,
   * otherwise 1008. It is checked after each received chunk, and when the send queue grows.
   *
   * If it is left out, and `maxBufferedAmount` or the limits of received messages are raised, it is
   * raised so that they fit.
   *
   * @default {33554432} 32 MiB
   */
  maxConnectionMemory: number;
  /**
   * The largest request head, in bytes, from the method to the empty line. A larger one is answered
   * with 431.
   *
   * @default {16384} 16 KiB
   */
  maxHeadSize: number;
  /**
   * The most header fields of a request head. More are answered with 431.
   *
   * @default {100}
   */
  maxHeaders: number;
  /**
   * How long the opening handshake may take, in milliseconds, from the accepted TCP connection to the
   * 101. After that, the request is answered with 408.
   *
   * @default {10000} 10 s
   */
  handshakeTimeout: number;
  /**
   * The largest body of a request that `fetch()` answers, in bytes. A larger one is answered with 413.
   *
   * @default {16777216} 16 MiB
   */
  maxBodySize: number;
  /**
   * How long `fetch()` may wait for a byte of the request's body, in milliseconds. After that, the
   * request is answered with 408. The time in which the application does not read the body is not
   * counted.
   *
   * @default {30000} 30 s
   */
  bodyTimeout: number;
  /**
   * How long a connection may be idle after a response of `fetch()`, in milliseconds, before it is
   * closed. The default is longer than the 60 s for which proxies usually keep connections, so that
   * they do not send a request to a connection that is being closed.
   *
   * @default {65000} 65 s
   */
  keepAliveTimeout: number;
  /**
   * How long each wait of the closing handshake may take, in milliseconds: the wait for the peer's Close
   * frame, and the wait for its end of the TCP connection. After that, the connection is dropped. While
   * our Close frame waits in the send queue, the time starts again whenever the peer reads a part of
   * the queue. The time in which the event loop is stalled is not counted.
   *
   * When the peer closes, a loop that processes a message may reply to it for 80 % of this time, so that
   * a peer with the same limit still receives our Close frame in time. A peer with a shorter limit may
   * report 1006 for a connection that ends cleanly here.
   *
   * @default {5000} 5 s
   */
  closeTimeout: number;
  /**
   * The time without a byte from the peer after which it is sent a Ping, in milliseconds; `Infinity` for
   * never. The time in which the event loop is stalled, or in which reading is paused for a slow
   * handler, is not counted. A peer that reads a part of a full send queue counts as heard.
   *
   * @default {30000} 30 s
   */
  pingInterval: number;
  /**
   * How long a peer may be silent after such a Ping, in milliseconds; `Infinity` for any time. Any byte
   * ends the silence. After that, the connection is dropped, with 1006 and an error of code
   * `ERR_PONG_TIMEOUT`. The time is counted as that of `pingInterval`. So a peer that disappears while
   * reading is paused for a slow handler is detected after the handler goes on, or when TCP fails to
   * send.
   *
   * @default {20000} 20 s
   */
  pongTimeout: number;
  /**
   * The most control frames a second: pings, and pongs that answer no Ping of ours. As many may come at
   * once. More close the connection with 1008. Frames that may have waited while the event loop was
   * stalled, or reading was paused for a slow handler, are allowed in addition.
   *
   * @default {1000}
   */
  maxControlFrames: number;
  /**
   * The most messages a second that are accepted from the peer, on average; a value below 1 is allowed. While
   * the peer has sent more, the connection is not read, or is closed: see the option `overRate`.
   *
   * @default {Infinity} no limit
   */
  messageRate: number;
  /**
   * The most messages that may come at once, within `messageRate`: the size of its token bucket.
   *
   * @default {messageRate} those of one second
   */
  burst: number;
  /**
   * The most bytes a second that are accepted from the peer, on average, frame headers included. Those of
   * one second may come at once, and a chunk that exceeds them is processed before the wait.
   *
   * @default {Infinity} no limit
   */
  byteRate: number;
}

/** The defaults of {@linkcode Limits}. */
export const DEFAULT_LIMITS: Readonly<Limits> = /* @__PURE__ */ Object.freeze({
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
  maxBodySize: 16 * 1024 * 1024,
  bodyTimeout: 30_000,
  keepAliveTimeout: 65_000,
  closeTimeout: 5_000,
  pingInterval: 30_000,
  pongTimeout: 20_000,
  maxControlFrames: 1_000,
  messageRate: Infinity,
  burst: Infinity,
  byteRate: Infinity,
});

/** The limits that count something. The others are sizes, times and rates. */
const COUNTS: readonly (keyof Limits)[] = [
  "maxFragments",
  "incomingMaxMessages",
  "maxHeaders",
  "maxControlFrames",
];

/** The memory that a connection may use in addition to what its limits allow: one chunk, and buffers. */
const SLACK = 4 * 1024 * 1024;

/**
 * Returns the limits with the defaults for those that are left out.
 *
 * @throws {TypeError} If there is a limit of an unknown name.
 * @throws {RangeError} If a limit is not a number above 0, or one that counts is not an integer.
 */
export function resolveLimits(limits: Partial<Limits> = {}): Readonly<Limits> {
  const names = Object.keys(DEFAULT_LIMITS);
  checkNames("limits", limits, names);
  const resolved: Limits = { ...DEFAULT_LIMITS };
  for (const name of names as (keyof Limits)[]) {
    const value = limits[name];
    if (value === undefined) continue;
    checkLimit(`limit ${name}`, value, COUNTS.includes(name));
    resolved[name] = value;
  }
  if (limits.maxFragments === undefined) {
    resolved.maxFragments = defaultMaxFragments(resolved.maxMessageSize);
  }
  if (limits.burst === undefined) resolved.burst = resolved.messageRate;
  if (limits.maxConnectionMemory === undefined) {
    resolved.maxConnectionMemory = Math.max(resolved.maxConnectionMemory, memoryFor(resolved));
  }
  return resolved;
}

/**
 * Returns the memory that a connection may use by its other limits: a buffer is up to a third larger
 * than its content, a character may take two bytes, and one message of the largest size may be unread
 * while another is unfinished.
 */
function memoryFor(limits: Limits): number {
  const { maxBufferedAmount, maxMessageSize, incomingHighWaterMark } = limits;
  return maxBufferedAmount * 4 / 3 + 4 * maxMessageSize + 2 * incomingHighWaterMark + SLACK;
}
