import type { WebSocketConnection } from "../connection/connection.ts";

/** The maximum number of bytes in flight to the peer. */
const WINDOW = 64 * 1024;

/** The number of bytes in flight after which a Ping is sent. */
const PING_AT = 16 * 1024;

/**
 * Limits the bytes in flight to a peer. `bufferedAmount` does not count bytes in the kernels' buffers, which
 * can hold megabytes. A Ping is sent after the messages; its Pong shows that the peer has read them.
 */
export class PingWindow {
  readonly #connection: WebSocketConnection;
  #sent = 0;
  #read = 0;
  #pong: Promise<void> | undefined;

  constructor(connection: WebSocketConnection) {
    this.#connection = connection;
  }

  /** Whether the bytes in flight exceed the window. */
  get isFull(): boolean {
    return this.#sent - this.#read > WINDOW;
  }

  /** Resolves with the next Pong; `undefined` if no Ping is pending. */
  get pong(): Promise<void> | undefined {
    return this.#pong;
  }

  /** Counts a message that was sent. */
  add(length: number): void {
    this.#sent += length;
    if (this.#pong !== undefined || this.#sent - this.#read < PING_AT) return;
    const sent = this.#sent;
    const onPong = () => {
      this.#pong = undefined;
      this.#read = sent;
      this.add(0);
    };
    this.#pong = this.#connection.ping().then(onPong, () => {});
  }
}
