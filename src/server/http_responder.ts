import { uncounted } from "../connection/counters.ts";
import type { ConnectionCounters } from "../connection/counters.ts";
import { Timer, timers as processTimers } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/**
 * Writes HTTP responses to a connection, and closes it after the last one.
 *
 * After the last response this end of TCP is shut down, and received data is discarded until the peer
 * ends its side. Closing with unread data would reset the connection, and the reset can destroy the
 * response before the peer has read it.
 */
export class HttpResponder extends Timer implements TransportHandler {
  /** The index in the server's `DenseSet`. */
  index = -1;
  /** Called when the connection is closed while a response is being sent. */
  onceClosed: (() => void) | undefined;
  /** The connection. */
  protected readonly transport: Transport;
  /** The timers of the connection. */
  protected readonly timers: Timers;
  /** Counts the bytes. */
  protected readonly counters: ConnectionCounters;
  readonly #timeout: number;
  readonly #onClosed: (error?: unknown) => void;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #writingBytes = 0;
  #isWriting = false;
  #isFinishing = false;
  #hasPeerEnded = false;
  #isClosed = false;
  #closed: PromiseWithResolvers<void> | undefined;
  #onWritable: (() => void) | undefined;

  /**
   * Prepares to write to a transport, after `start()`.
   *
   * @param transport The transport.
   * @param timeout The time in which the peer must read written data, and then end its side, in
   * milliseconds.
   * @param onClosed Called once, when the connection is closed.
   */
  constructor(
    transport: Transport,
    timeout: number,
    onClosed: (error?: unknown) => void,
    timers: Timers = processTimers,
    counters: ConnectionCounters = uncounted,
  ) {
    super();
    this.counters = counters;
    this.timers = timers;
    this.transport = transport;
    this.#timeout = timeout;
    this.#onClosed = onClosed;
  }

  /** Takes over the transport, whose handler this object becomes. */
  start(): void {
    this.transport.handler = this;
    this.transport.resume();
  }

  /** Whether the connection is closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    if (this.#isClosed) this.#closed.resolve();
    return this.#closed.promise;
  }

  /** Whether `finish()` has been called. */
  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  /** Whether the peer has ended its side. */
  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  /** The number of bytes that have been written but not sent. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.#writingBytes;
  }

  /** Writes bytes; resolves when more can be written, or when the connection is closed. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || bytes.length === 0) return Promise.resolve();
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#flush();
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#onWritable = resolve);
  }

  /** Ends the last response: nothing is written after this. */
  finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    this.#flush();
  }

  /** Drops the connection. */
  abort(): void {
    this.transport.abort();
  }

  /** Transport: discards received data. */
  data(chunk: Uint8Array): void {
    this.counters.bytesReceived += chunk.length;
  }

  /** Transport: the last write has completed. */
  drain(): void {
    if (!this.#isWriting) return;
    this.#isWriting = false;
    this.counters.bytesSent += this.#writingBytes;
    this.#writingBytes = 0;
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
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#writingBytes = 0;
    this.stopTimer();
    this.#onWritable?.();
    this.onceClosed?.();
    this.#closed?.resolve();
    this.#onClosed(error);
  }

  /** Timer: the peer has not read, or not ended, in time. */
  timeUp(): void {
    this.transport.abort();
  }

  #flush(): void {
    while (!this.#isWriting && !this.#isClosed) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) break;
      this.#queuedBytes -= bytes.length;
      this.#isWriting = !this.transport.write(bytes) && !this.#isClosed;
      if (!this.#isWriting) {
        this.counters.bytesSent += bytes.length;
        continue;
      }
      this.#writingBytes = bytes.length;
      this.#startTimer();
    }
    if (this.#isWriting || this.#isClosed) return;
    const onWritable = this.#onWritable;
    this.#onWritable = undefined;
    onWritable?.();
    if (!this.#isFinishing) return;
    if (this.#hasPeerEnded) return this.transport.close();
    this.transport.shutdown();
    this.#startTimer();
  }

  #startTimer(): void {
    this.timers.start(this, this.#timeout);
  }
}
