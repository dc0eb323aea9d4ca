import { Timer, timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/**
 * The last bytes of a connection that will not become, or is not, a WebSocket: an HTTP answer. It is
 * written, TCP is half-closed, and what the peer still sends is read and dropped until its end: to
 * close at once with something unread would reset the connection, and could destroy the answer on
 * its way.
 */
export class HttpResponder extends Timer implements TransportHandler {
  /** For its server's `DenseSet`. */
  place = -1;
  readonly #transport: Transport;
  readonly #timeout: number;
  readonly #onGone: () => void;
  #queue: Uint8Array[] = [];
  #isWriting = false;
  #isLast = false;
  #hasEnded = false;
  #isGone = false;
  readonly #gone = Promise.withResolvers<void>();
  #room: (() => void) | undefined;

  /**
   * @param timeout How long the peer may take to read what is written, and then to end, in
   * milliseconds.
   * @param onGone Told when the connection is gone.
   */
  constructor(transport: Transport, timeout: number, onGone: () => void) {
    super();
    this.#transport = transport;
    this.#timeout = timeout;
    this.#onGone = onGone;
    transport.handler = this;
    transport.resume();
  }

  /** Whether the connection is gone. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Resolves when the connection is gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Writes the next bytes; resolves when there is room for more, or nobody there any more. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#isGone) return Promise.resolve();
    this.#queue.push(bytes);
    this.#flush();
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#room = resolve);
  }

  /** No more bytes will be written. */
  finish(): void {
    this.#isLast = true;
    this.#flush();
  }

  /** Drops the connection. */
  abort(): void {
    this.#transport.abort();
  }

  /** Transport: what the peer still says does not matter. */
  data(): void {}

  /** Transport: the last write is done. */
  drain(): void {
    this.#isWriting = false;
    this.stopTimer();
    this.#flush();
  }

  /** Transport: a part of it is. */
  progress(): void {
    if (this.#isWriting) this.#wait();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.#hasEnded = true;
    if (this.#isLast) this.#flush();
  }

  /** Transport: gone. */
  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.stopTimer();
    this.#room?.();
    this.#gone.resolve();
    this.#onGone();
  }

  #flush(): void {
    while (!this.#isWriting && !this.#isGone) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) break;
      this.#isWriting = !this.#transport.write(bytes) && !this.#isGone;
      if (this.#isWriting) this.#wait();
    }
    if (this.#isWriting || this.#isGone) return;
    this.#room?.();
    this.#room = undefined;
    if (!this.#isLast) return;
    if (this.#hasEnded) return this.#transport.close();
    this.#transport.shutdown();
    this.#wait();
  }

  /** Timers: the peer has taken too long. */
  timeUp(): void {
    this.#transport.abort();
  }

  #wait(): void {
    timers.start(this, this.#timeout);
  }
}
