import type { WebSocketConnection } from "../connection/connection.ts";

/** How many bytes may be on their way to the peer, in bytes. */
const WINDOW = 64 * 1024;

/** From how many bytes on their way a Ping is sent behind them, in bytes. */
const PING_AT = 16 * 1024;

/**
 * Limits what is on its way to a peer, where `bufferedAmount` does not see it: the buffers of the kernels
 * take megabytes. A Ping is sent behind the messages; its Pong says that they have been read.
 */
export class PingWindow {
  readonly #connection: WebSocketConnection;
  #sent = 0;
  #read = 0;
  #pong: Promise<void> | undefined;

  constructor(connection: WebSocketConnection) {
    this.#connection = connection;
  }

  /** Whether more is on its way than the window. */
  get isFull(): boolean {
    return this.#sent - this.#read > WINDOW;
  }

  /** Resolves with the next Pong; undefined if none is due. */
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
