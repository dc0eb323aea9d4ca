import { checkNames } from "./options.ts";
import type { Addr, Transport, TransportHandler } from "./transport.ts";

/** The behaviour of one end of a pair in memory. */
export interface MemoryOptions {
  /**
   * The size of the buffer from this end to the other, in bytes, as of a kernel's buffers: `write()`
   * accepts as many at once, and the rest as the other end reads.
   *
   * @default {65536} 64 KiB
   */
  capacity?: number;
  /**
   * The largest chunk that the other end receives, in bytes. 1 makes each byte a chunk.
   *
   * @default {Infinity}
   */
  maxChunk?: number;
  /**
   * Whether this end lends the chunks that it receives: they are overwritten after `data()`.
   *
   * @default {false}
   */
  lendsChunks?: boolean;
  /** The `localAddr` of this end. */
  addr?: Addr;
}

const DEFAULT_CAPACITY = 64 * 1024;
const DEFAULT_ADDR: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 0 };

/** Connects two ends; assigned by the class, since only it can write its private fields. */
let join: (a: MemoryTransport, b: MemoryTransport) => void;

/**
 * One end of a connection in memory: see {@linkcode memoryPair}.
 *
 * Bytes, ends and closes reach the other end in later microtasks, in order.
 */
export class MemoryTransport implements Transport {
  /** Whether the received chunks are lent. */
  readonly lendsChunks: boolean;
  /** The address of this end. */
  readonly localAddr: Addr;
  /** The address of the other end. */
  remoteAddr: Addr = DEFAULT_ADDR;
  readonly #capacity: number;
  readonly #maxChunk: number;
  #peer: MemoryTransport | undefined;
  #handler: TransportHandler | undefined;
  #isPaused = false;
  #isStalled = false;
  #isClosed = false;
  /** The bytes that this end has sent and the other has not read. */
  #pipe: Uint8Array[] = [];
  #pipeLength = 0;
  /** The number of bytes of the first chunk in the pipe that the other end has read. */
  #readBytes = 0;
  /** The part of the last `write()` for which the pipe had no room. */
  #rest: Uint8Array | undefined;
  #isShutdown = false;
  #endDelivered = false;
  #isScheduled = false;

  static {
    join = (a, b) => {
      a.#peer = b;
      b.#peer = a;
      a.remoteAddr = b.localAddr;
      b.remoteAddr = a.localAddr;
    };
  }

  /** Creates an end without a peer. */
  constructor(options: MemoryOptions = {}) {
    checkOptions(options);
    this.#capacity = options.capacity ?? DEFAULT_CAPACITY;
    this.#maxChunk = options.maxChunk ?? Infinity;
    this.localAddr = options.addr ?? DEFAULT_ADDR;
    this.lendsChunks = options.lendsChunks ?? false;
  }

  /** The receiver of the events. */
  get handler(): TransportHandler | undefined {
    return this.#handler;
  }

  set handler(handler: TransportHandler | undefined) {
    this.#handler = handler;
    if (this.#peer !== undefined) this.#peer.#schedule();
  }

  /** Whether this end has been closed, by either side. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends bytes. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#isShutdown) return true;
    if (this.#peer!.#isClosed) {
      // As TCP, which answers with a reset.
      queueMicrotask(() => this.#onClosed(new Error("Connection reset by peer")));
      return true;
    }
    const room = Math.max(0, this.#capacity - this.#pipeLength);
    const taken = bytes.slice(0, room);
    if (taken.length > 0) {
      this.#pipe.push(taken);
      this.#pipeLength += taken.length;
      this.#schedule();
    }
    if (taken.length === bytes.length) return true;
    this.#rest = bytes.subarray(taken.length);
    return false;
  }

  /** Pauses reading. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Resumes reading. */
  resume(): void {
    this.#isPaused = false;
    if (this.#peer !== undefined) this.#peer.#schedule();
  }

  /** From now on, nothing that this end sends arrives, as on a network that drops all packets. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Reverts `stall()`: the bytes sent meanwhile arrive. */
  unstall(): void {
    this.#isStalled = false;
    this.#schedule();
  }

  /** Ends this direction, after the bytes that have been written. */
  shutdown(): void {
    if (this.#isShutdown) return;
    this.#isShutdown = true;
    this.#schedule();
  }

  /** Closes both directions. */
  close(): void {
    if (this.#isClosed) return;
    this.shutdown();
    this.#onClosed();
    // Data of the other end is not read any more. That end closes by itself, after its `end()`.
    const peer = this.#peer!;
    peer.#empty();
    peer.#rest = undefined;
  }

  /** Resets the connection. */
  abort(): void {
    this.reset();
  }

  /** Resets the connection: both ends are closed, and bytes in flight are lost. */
  reset(error: unknown = new Error("Connection reset by peer")): void {
    if (this.#isClosed) return;
    this.#empty();
    this.#onClosed();
    queueMicrotask(() => this.#peer!.#onClosed(error));
  }

  #onClosed(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rest = undefined;
    this.#handler?.close(error);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  /** Delivers the sent bytes of this end to the other: one chunk per microtask. */
  #deliver(): void {
    const peer = this.#peer!;
    const handler = peer.#handler;
    if (this.#isStalled || peer.#isClosed || peer.#isPaused || handler === undefined) return;
    const chunk = this.#read();
    if (chunk !== undefined) {
      this.#refill();
      this.#schedule();
      handler.data(chunk);
      if (peer.lendsChunks) chunk.fill(0xff);
    } else if (this.#isShutdown && this.#rest === undefined && !this.#endDelivered) {
      this.#endDelivered = true;
      handler.end();
    }
  }

  /** Takes the next chunk out of the pipe. */
  #read(): Uint8Array | undefined {
    const first = this.#pipe[0];
    if (first === undefined) return undefined;
    const start = this.#readBytes;
    const end = Math.min(first.length, start + this.#maxChunk);
    const isWhole = end === first.length;
    if (isWhole) this.#pipe.shift();
    this.#readBytes = isWhole ? 0 : end;
    this.#pipeLength -= end - start;
    return isWhole && start === 0 ? first : first.slice(start, end);
  }

  #empty(): void {
    this.#pipe = [];
    this.#pipeLength = 0;
    this.#readBytes = 0;
  }

  #refill(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    const wasShutdown = this.#isShutdown;
    this.#isShutdown = false;
    const taken = this.write(rest);
    this.#isShutdown = wasShutdown;
    queueMicrotask(() => {
      if (this.#isClosed) return;
      if (taken) this.#handler?.drain();
      else this.#handler?.progress?.();
    });
  }
}

/**
 * Creates the two ends of a connection in memory: each reads what the other writes. They are for tests of
 * code that runs over a {@linkcode Transport}, with short writes, small chunks, stalls and resets.
 *
 * @param a The behaviour of the first end.
 * @param b The behaviour of the second end; that of the first by default.
 */
export function memoryPair(
  a: MemoryOptions = {},
  b: MemoryOptions = a,
): [MemoryTransport, MemoryTransport] {
  const ends: [MemoryTransport, MemoryTransport] = [new MemoryTransport(a), new MemoryTransport(b)];
  join(...ends);
  return ends;
}

const NAMES = ["capacity", "maxChunk", "lendsChunks", "addr"];

function checkOptions(options: MemoryOptions): void {
  checkNames("memoryPair()", options, NAMES);
  for (const name of ["capacity", "maxChunk"] as const) {
    const value = options[name];
    if (value === undefined || (typeof value === "number" && value >= 1)) continue;
    throw new RangeError(
      `Cannot use option ${name} of memoryPair(): expected a number of at least 1, got ${value}`,
    );
  }
}
