import { acquireLargeBuffer, releaseLargeBuffer } from "./large_buffers.ts";
import type { Addr, Transport, TransportHandler } from "./transport.ts";
import { turnBudget } from "./turn_budget.ts";

/** The members of `Deno.Conn` that are used here. */
export interface DenoConn {
  /** The address of this end. */
  readonly localAddr: DenoAddr;
  /** The address of the other end. */
  readonly remoteAddr: DenoAddr;
  /** Reads into the buffer; resolves to the number of bytes, or `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; resolves to their number. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends a FIN. */
  closeWrite(): Promise<void>;
  /** Closes the connection. */
  close(): void;
  /** Turns Nagle's algorithm off; TCP only. */
  setNoDelay?(noDelay?: boolean): void;
  /** Has the connection keep the process alive. */
  ref?(): void;
  /** Lets the process end while the connection is open. */
  unref?(): void;
}

/** The members of `Deno.Addr` that are used here. */
export interface DenoAddr {
  /** `"tcp"`, `"unix"`, or another type. */
  readonly transport: string;
  /** The IP address, of TCP. */
  readonly hostname?: string;
  /** The port, of TCP. */
  readonly port?: number;
  /** The path, of a Unix socket. */
  readonly path?: string;
}

/** The members of the `Deno` namespace that are used here, declared for the checkers of other runtimes. */
interface DenoNamespace {
  errors: Record<"UnexpectedEof", new () => Error>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/** Whether the runtime is Deno. */
export const isDeno: boolean = Deno !== undefined;

/** The smallest size of a read buffer, in bytes: that of an idle connection. */
const MIN_READ = 256;
/** Its first size, in bytes: most request heads fit. */
const HEAD_READ = 1024;
/** The most buffers of the first size that are kept for other connections. */
const MAX_SPARE = 64;
/** The largest size of a read buffer of its own, in bytes. */
const MAX_READ = 64 * 1024;
/**
 * The size of a read, in bytes, after which the next one may have to wait for the next event-loop turn.
 * Deno itself would read one socket up to 128 times in a turn, if its peer sends fast enough.
 */
const LARGE_READ = MAX_READ / 2;
/** The number of small reads in a row after which the buffer is replaced by a smaller one. */
const SMALL_READS = 16;

const spare: Uint8Array<ArrayBuffer>[] = [];

/** The read buffer of one connection; its size follows the size of the reads. */
export class ReadBuffer {
  /** The buffer, for the next read. */
  bytes: Uint8Array<ArrayBuffer> = spare.pop() ?? new Uint8Array(HEAD_READ);
  #smallReads = 0;

  /** Adapts the size to a read of `count` bytes. */
  fit(count: number): void {
    const { length } = this.bytes;
    this.#smallReads = count * 8 < length ? this.#smallReads + 1 : 0;
    if (count === length && length < MAX_READ) this.#resize(length * 4);
    else if (count === MAX_READ && length === MAX_READ) this.#enlarge();
    else if (this.#smallReads === SMALL_READS && length > MIN_READ) {
      this.#resize(Math.min(MAX_READ, length / 4));
    }
  }

  /** Reduces the buffer to its minimum size, since the connection may now be idle for hours. */
  reset(): void {
    const { length } = this.bytes;
    if (length === HEAD_READ && spare.length < MAX_SPARE) spare.push(this.bytes);
    if (length > MIN_READ) this.#resize(MIN_READ);
    this.#smallReads = 0;
  }

  /** Frees the buffer: there is no further read. */
  free(): void {
    this.#resize(0);
  }

  /** Replaces a buffer that is always filled by one of a limited number of larger ones. */
  #enlarge(): void {
    this.bytes = acquireLargeBuffer() ?? this.bytes;
    this.#smallReads = 0;
  }

  #resize(size: number): void {
    if (this.bytes.length > MAX_READ) releaseLargeBuffer(this.bytes);
    this.bytes = new Uint8Array(size);
    this.#smallReads = 0;
  }
}

/** The most objects that are kept for later writes. */
const MAX_IDLE_WRITES = 1024;

const idleWrites: PendingWrite[] = [];

/**
 * A write of one transport until all bytes are written. An async function would create a frame, a promise
 * and two closures for each; this object is used again, and an idle connection has none.
 */
class PendingWrite {
  #transport: DenoTransport | undefined;
  #conn: DenoConn | undefined;
  #rest: Uint8Array | undefined;
  readonly #onWritten = (count: number): void => this.#continue(count);
  readonly #onError = (error: unknown): void => this.#end().writeFailed(error);

  /** Writes the bytes, then calls `written()` or `writeFailed()` of the transport. */
  start(transport: DenoTransport, conn: DenoConn, bytes: Uint8Array): void {
    this.#transport = transport;
    this.#conn = conn;
    this.#rest = bytes;
    this.#write(conn, bytes);
  }

  #write(conn: DenoConn, bytes: Uint8Array): void {
    try {
      conn.write(bytes).then(this.#onWritten, this.#onError);
    } catch (error) {
      Promise.reject(error).catch(this.#onError);
    }
  }

  #continue(count: number): void {
    const rest = this.#rest!;
    if (count === rest.length) return this.#end().written();
    this.#rest = rest.subarray(count);
    this.#transport!.progressed();
    this.#write(this.#conn!, this.#rest);
  }

  /** Makes itself available for another write. Returns the transport. */
  #end(): DenoTransport {
    const transport = this.#transport!;
    this.#transport = this.#conn = this.#rest = undefined;
    if (idleWrites.length < MAX_IDLE_WRITES) idleWrites.push(this);
    return transport;
  }
}

/** A {@linkcode Transport} over a `Deno.Conn`. */
export class DenoTransport implements Transport {
  /** All reads use one buffer, since allocating one costs as much as a read. */
  get lendsChunks(): boolean {
    return true;
  }

  #localAddr: Addr | undefined;
  #remoteAddr: Addr | undefined;
  readonly #conn: DenoConn;
  #handler: TransportHandler | undefined;
  #isPaused = false;
  /** Whether the next read starts on `resume()`. */
  #isWaiting = false;
  #isWriting = false;
  #isShutdown = false;
  /** Cancels the wait for the next turn before the next read. */
  #cancelWait: (() => void) | undefined;
  #isClosed = false;
  readonly #buffer = new ReadBuffer();
  // The frame of a waiting async function would take twice the memory of these two.
  readonly #onRead = (count: number | null): void => this.#take(count);
  readonly #onError = (error: unknown): void => this.#fail(error);

  constructor(conn: DenoConn) {
    this.#conn = conn;
    // Frames are written whole, so Nagle's algorithm would only add delay.
    if (conn.localAddr.transport === "tcp") conn.setNoDelay?.(true);
  }

  /** The size of the read buffer, in bytes. */
  get heldBytes(): number {
    return this.#buffer.bytes.length;
  }

  get localAddr(): Addr {
    return this.#localAddr ??= toAddr(this.#conn.localAddr);
  }

  get remoteAddr(): Addr {
    return this.#remoteAddr ??= toAddr(this.#conn.remoteAddr);
  }

  get handler(): TransportHandler | undefined {
    return this.#handler;
  }

  set handler(handler: TransportHandler | undefined) {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (isFirst && handler !== undefined) this.#next();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#write(bytes);
    return false;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  shutdown(): void {
    this.#isShutdown = true;
    // closeWrite() would cut short a write that is under way.
    if (!this.#isWriting) this.#closeWrite();
  }

  close(): void {
    this.#close();
  }

  setRef(isRef: boolean): void {
    if (isRef) this.#conn.ref?.();
    else this.#conn.unref?.();
  }

  abort(): void {
    // Deno has no reset; the kernel sends one if received data is unread.
    this.#close();
  }

  /**
   * Returns the connection, so that TLS can be started on it, and closes this transport. No read may be
   * under way, so the handler must have paused the transport within `data()`.
   */
  release(): DenoConn {
    this.#isClosed = true;
    this.#stopWaiting();
    return this.#conn;
  }

  /** Starts the next read, unless reading is paused. */
  #next(): void {
    if (this.#isClosed) this.#buffer.free();
    else if (this.#isPaused) this.#isWaiting = true;
    else this.#conn.read(this.#buffer.bytes).then(this.#onRead, this.#onError);
  }

  /** The transport is closed: a read that waits does not start, and the buffer is freed. */
  #stopWaiting(): void {
    this.#wake();
    if (this.#cancelWait === undefined) return;
    this.#cancelWait();
    this.#cancelWait = undefined;
    this.#buffer.free();
  }

  /** Continues in a microtask, since the caller of `resume()` may pause again. */
  #wake(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    queueMicrotask(() => this.#next());
  }

  #take(count: number | null): void {
    try {
      if (count === null && !this.#isClosed) return this.#end();
      if (count !== null && !this.#isClosed) {
        const buffer = this.#buffer;
        const handler = this.#handler!;
        // Looks before, too: a handler may take long for a chunk without a look.
        if (count >= LARGE_READ) turnBudget.isSpent();
        handler.data(buffer.bytes.subarray(0, count));
        // The next handler comes after the request head, which may have been long.
        if (this.#handler !== handler) buffer.reset();
        else buffer.fit(count);
        if (count >= LARGE_READ && turnBudget.isSpent()) {
          this.#cancelWait = turnBudget.wait(() => {
            this.#cancelWait = undefined;
            this.#next();
          });
          return;
        }
      }
      this.#next();
    } catch (error) {
      this.#fail(error);
    }
  }

  #end(): void {
    this.#buffer.free();
    this.#handler!.end();
  }

  /** A read, or the handler, has failed. */
  #fail(error: unknown): void {
    // The peer has ended TLS by a FIN alone, without a close_notify. That is an ordinary end here: the
    // Close frame shows whether data is missing.
    if (Deno !== undefined && error instanceof Deno.errors.UnexpectedEof && !this.#isClosed) {
      return this.#end();
    }
    this.#buffer.free();
    this.#close(error);
  }

  #closeWrite(): void {
    // Rejects if the peer has reset the connection, which the next read reports as well.
    if (!this.#isClosed) this.#conn.closeWrite().catch(() => {});
  }

  #write(bytes: Uint8Array): void {
    this.#isWriting = true;
    (idleWrites.pop() ?? new PendingWrite()).start(this, this.#conn, bytes);
  }

  /** PendingWrite: a part of the bytes has been written. */
  progressed(): void {
    if (!this.#isClosed) this.#handler!.progress?.();
  }

  /** PendingWrite: all bytes have been written. */
  written(): void {
    this.#isWriting = false;
    if (this.#isShutdown) this.#closeWrite();
    if (!this.#isClosed) this.#handler!.drain();
  }

  /** PendingWrite: the write has failed. */
  writeFailed(error: unknown): void {
    this.#close(error);
  }

  /** Closes once; later errors come from operations that the close itself has ended. */
  #close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWaiting();
    turnBudget.release();
    try {
      this.#conn.close();
    } catch {
      // A failed read may have closed it already.
    }
    this.#handler?.close(error);
  }
}

/** Converts an address of Deno. */
export function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix"
    ? { transport: "unix", path: addr.path ?? "" }
    : { transport: "tcp", hostname: addr.hostname ?? "", port: addr.port ?? 0 };
}
