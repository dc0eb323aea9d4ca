import { uncounted } from "../connection/counters.ts";
import type { ConnectionCounters } from "../connection/counters.ts";
import { uncorkAfterTurn } from "../connection/write_scheduler.ts";
import { acquireBuffer, releaseBuffer } from "../protocol/fast_paths.ts";
import { RestartableTimer } from "../util/restartable_timer.ts";
import { timers as processTimers } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** The number of bytes that wait to be written, from which on no further response is begun. */
const MAX_SHORT = 65_536;

/**
 * Writes HTTP responses to a connection, and closes it after the last one.
 *
 * After the last response this end of TCP is shut down, and received data is discarded until the peer
 * ends its side. Closing with unread data would reset the connection, and the reset can destroy the
 * response before the peer has read it.
 */
export class HttpResponder implements TransportHandler {
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
  /** Ends when the peer has not read, or not ended its side, in time. */
  readonly #timer: RestartableTimer;
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
  /** Short responses that wait for the end of the turn: a buffer of the pool, and their size. */
  #short: Uint8Array<ArrayBuffer> | undefined;
  #shortBytes = 0;
  #isScheduled = false;
  /** The buffer that is being written, if it belongs to the pool. */
  #pooled: Uint8Array<ArrayBuffer> | undefined;

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
    this.counters = counters;
    this.timers = timers;
    this.transport = transport;
    this.#timeout = timeout;
    this.#timer = new RestartableTimer(() => transport.abort(), timers);
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
    return this.#queuedBytes + this.#writingBytes + this.#shortBytes;
  }

  /** Writes bytes; resolves when more can be written, or when the connection is closed. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || bytes.length === 0) return Promise.resolve();
    if (this.#short !== undefined) this.#enqueueShort();
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#flush();
    this.queued();
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#onWritable = resolve);
  }

  /**
   * Writes the first bytes of a buffer of the pool, and returns the buffer to it. They share a write with
   * others of this turn of the event loop, which follows those of other connections: a kernel that wakes
   * their clients one right after the other takes less time for it.
   *
   * @param size The number of bytes.
   * @returns Whether more can be written at once. If not, `whenWritable()` tells when.
   */
  writeShort(buffer: Uint8Array<ArrayBuffer>, size: number): boolean {
    if (this.#isClosed) return true;
    const short = this.#short;
    if (short === undefined) {
      this.#short = buffer;
    } else {
      const end = this.#shortBytes + size;
      if (end > short.length) {
        this.#short = acquireBuffer(end);
        this.#short.set(short.subarray(0, this.#shortBytes));
        releaseBuffer(short);
      }
      this.#short!.set(buffer.subarray(0, size), this.#shortBytes);
      releaseBuffer(buffer);
    }
    this.#shortBytes += size;
    if (!this.#isWriting && !this.#isScheduled) {
      this.#isScheduled = true;
      uncorkAfterTurn(this);
    }
    this.queued();
    return this.queuedBytes < MAX_SHORT;
  }

  /** Calls back when everything has been written, or when the connection is closed. */
  whenWritable(callback: () => void): void {
    this.#onWritable = callback;
  }

  /** Writes what `writeShort()` has gathered. Returns whether everything has been written. */
  protected flush(): boolean {
    this.#flush();
    return this.queuedBytes === 0;
  }

  /** Writes what `writeShort()` has gathered. Called by `uncorkAfterTurn()`. */
  uncorkScheduled(): void {
    this.#isScheduled = false;
    this.#flush();
  }

  /** Bytes have been written, or are queued. */
  protected queued(): void {}

  /** Stops the timer, and takes it out of its wheel. */
  protected stopTimer(): void {
    this.#timer.stopTimer();
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
    if (this.#pooled !== undefined) releaseBuffer(this.#pooled);
    this.#pooled = undefined;
    this.#timer.stop();
    this.#flush();
  }

  /** Transport: the last write has partly completed. */
  progress(): void {
    if (this.#isWriting) this.#timer.start(this.#timeout);
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
    this.#short = undefined;
    this.#shortBytes = 0;
    this.stopTimer();
    this.#onWritable?.();
    this.onceClosed?.();
    this.#closed?.resolve();
    this.#onClosed(error);
  }

  /** Short responses precede what is written now. */
  #enqueueShort(): void {
    this.#queue.push(this.#short!.subarray(0, this.#shortBytes));
    this.#queuedBytes += this.#shortBytes;
    this.#short = undefined;
    this.#shortBytes = 0;
  }

  #flush(): void {
    while (!this.#isWriting && !this.#isClosed) {
      const bytes = this.#queue.length === 0 ? undefined : this.#queue.shift();
      if (bytes === undefined) {
        if (this.#short === undefined) break;
        this.#writeShort(this.#short, this.#shortBytes);
        continue;
      }
      this.#queuedBytes -= bytes.length;
      this.#isWriting = !this.transport.write(bytes) && !this.#isClosed;
      if (!this.#isWriting) {
        this.counters.bytesSent += bytes.length;
        continue;
      }
      this.#writingBytes = bytes.length;
      this.#timer.start(this.#timeout);
    }
    if (this.#isWriting || this.#isClosed) return;
    const onWritable = this.#onWritable;
    this.#onWritable = undefined;
    onWritable?.();
    if (!this.#isFinishing) return;
    if (this.#hasPeerEnded) return this.transport.close();
    this.transport.shutdown();
    this.#timer.start(this.#timeout);
  }

  #writeShort(buffer: Uint8Array<ArrayBuffer>, size: number): void {
    this.#short = undefined;
    this.#shortBytes = 0;
    this.#isWriting = !this.transport.write(buffer.subarray(0, size)) && !this.#isClosed;
    if (!this.#isWriting) {
      this.counters.bytesSent += size;
      return void releaseBuffer(buffer);
    }
    this.#pooled = buffer;
    this.#writingBytes = size;
    this.#timer.start(this.#timeout);
  }
}
