import { Timer, timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/**
 * Writes an HTTP response as the last data of a connection, then closes it.
 *
 * After the response this end of TCP is shut down, and received data is discarded until the peer ends
 * its side. To close with unread data would reset the connection, and the reset can destroy the
 * response before the peer has read it.
 */
export class HttpResponder extends Timer implements TransportHandler {
  /** The index in the server's `DenseSet`. */
  index = -1;
  readonly #transport: Transport;
  readonly #timeout: number;
  readonly #onClosed: () => void;
  #queue: Uint8Array[] = [];
  #isWriting = false;
  #isFinishing = false;
  #hasPeerEnded = false;
  #isClosed = false;
  readonly #closed = Promise.withResolvers<void>();
  #onWritable: (() => void) | undefined;

  /**
   * Takes over a transport.
   *
   * @param transport The transport, whose handler this object becomes.
   * @param timeout How long the peer may take to read what is written, and then to end its side, in
   * milliseconds.
   * @param onClosed Called once, when the connection is closed.
   */
  constructor(transport: Transport, timeout: number, onClosed: () => void) {
    super();
    this.#transport = transport;
    this.#timeout = timeout;
    this.#onClosed = onClosed;
    transport.handler = this;
    transport.resume();
  }

  /** Whether the connection is closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Writes bytes; resolves when more can be written, or when the connection is closed. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#queue.push(bytes);
    this.#flush();
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#onWritable = resolve);
  }

  /** Ends the response: nothing is written after this. */
  finish(): void {
    this.#isFinishing = true;
    this.#flush();
  }

  /** Drops the connection. */
  abort(): void {
    this.#transport.abort();
  }

  /** Transport: discards received data. */
  data(): void {}

  /** Transport: the last write has completed. */
  drain(): void {
    this.#isWriting = false;
    this.stopTimer();
    this.#flush();
  }

  /** Transport: the last write has partly completed. */
  progress(): void {
    if (this.#isWriting) this.#startTimer();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.#hasPeerEnded = true;
    if (this.#isFinishing) this.#flush();
  }

  /** Transport: the connection is closed. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.stopTimer();
    this.#onWritable?.();
    this.#closed.resolve();
    this.#onClosed();
  }

  /** Timer: the peer has not read, or not ended, in time. */
  timeUp(): void {
    this.#transport.abort();
  }

  #flush(): void {
    while (!this.#isWriting && !this.#isClosed) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) break;
      this.#isWriting = !this.#transport.write(bytes) && !this.#isClosed;
      if (this.#isWriting) this.#startTimer();
    }
    if (this.#isWriting || this.#isClosed) return;
    this.#onWritable?.();
    this.#onWritable = undefined;
    if (!this.#isFinishing) return;
    if (this.#hasPeerEnded) return this.#transport.close();
    this.#transport.shutdown();
    this.#startTimer();
  }

  #startTimer(): void {
    timers.start(this, this.#timeout);
  }
}
