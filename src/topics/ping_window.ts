import type { WebSocketConnection } from "../connection/connection.ts";

/** The fewest and the most bytes in flight to the peer. */
const MIN_WINDOW = 16 * 1024;
const MAX_WINDOW = 256 * 1024;

/** The part of the window in flight after which a Ping is sent. */
const PING_AT = 1 / 4;

/** The bytes in queues on the path below which the window grows, and above which it shrinks. */
const SHORT_QUEUE = MIN_WINDOW / 8;
const LONG_QUEUE = MIN_WINDOW / 2;

/**
 * Limits the bytes in flight to a peer. `bufferedAmount` does not count bytes in the kernels' buffers, which
 * can hold megabytes. A Ping is sent after the messages; its Pong shows that the peer has read them.
 *
 * A message is recent when it arrives only if little is queued on the path. The longer a round trip takes than
 * the shortest one, the more of the bytes in flight are in queues. So the window grows on a fast path with a
 * long round trip, and shrinks if the peer reads slowly.
 */
export class PingWindow {
  readonly #connection: WebSocketConnection;
  #window = MIN_WINDOW;
  /** The shortest round trip, in milliseconds. */
  #shortest = Infinity;
  #sent = 0;
  #read = 0;
  #pong: Promise<void> | undefined;

  constructor(connection: WebSocketConnection) {
    this.#connection = connection;
  }

  /** Whether the bytes in flight exceed the window. */
  get isFull(): boolean {
    return this.#sent - this.#read > this.#window;
  }

  /** Resolves with the next Pong; `undefined` if no Ping is pending. */
  get pong(): Promise<void> | undefined {
    return this.#pong;
  }

  /** Counts a message that was sent. */
  add(length: number): void {
    this.#sent += length;
    if (this.#pong !== undefined || this.#sent - this.#read < this.#window * PING_AT) return;
    const sent = this.#sent;
    const inFlight = sent - this.#read;
    const onPong = (roundTrip: number) => {
      this.#pong = undefined;
      this.#fit(roundTrip, inFlight);
      this.#read = sent;
      this.add(0);
    };
    this.#pong = this.#connection.ping().then(onPong, () => {});
  }

  #fit(roundTrip: number, inFlight: number): void {
    this.#shortest = Math.min(this.#shortest, roundTrip);
    const queued = inFlight * (roundTrip - this.#shortest) / (roundTrip || 1);
    if (queued < SHORT_QUEUE) this.#window = Math.min(MAX_WINDOW, this.#window * 2);
    else if (queued > LONG_QUEUE) this.#window = Math.max(MIN_WINDOW, this.#window / 2);
  }
}
