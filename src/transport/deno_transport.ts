import type { Addr, Transport, TransportHandler } from "./transport.ts";

/** What is used of `Deno.Conn`. */
export interface DenoConn {
  /** The address of this end. */
  readonly localAddr: DenoAddr;
  /** The address of the other end. */
  readonly remoteAddr: DenoAddr;
  /** Reads into the buffer; `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends a FIN. */
  closeWrite(): Promise<void>;
  /** Closes the connection. */
  close(): void;
  /** Turns Nagle's algorithm off; TCP only. */
  setNoDelay?(noDelay?: boolean): void;
}

/** What is used of `Deno.Addr`. */
export interface DenoAddr {
  /** `"tcp"`, `"unix"`, and others that are of no use here. */
  readonly transport: string;
  /** The IP address, of TCP. */
  readonly hostname?: string;
  /** The port, of TCP. */
  readonly port?: number;
  /** The path, of a Unix socket. */
  readonly path?: string;
}

/** What is used of the `Deno` namespace; named here so that other runtimes' checkers know it. */
interface DenoNamespace {
  errors: Record<"UnexpectedEof", new () => Error>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/** Whether this is Deno. */
export const isDeno: boolean = Deno !== undefined;

/** A read buffer's smallest size, in bytes: it's what an idle connection holds. */
const MIN_READ = 256;
/** Its size at first, in bytes: most heads of requests come whole. */
const HEAD_READ = 1024;
/** How many buffers of that size are kept for the heads of other connections. */
const MAX_SPARE = 64;
/** The largest size, in bytes. */
const MAX_READ = 64 * 1024;
/** After how many reads in a row that leave most of the buffer empty it's replaced by a smaller one. */
const SMALL_READS = 16;

const spare: Uint8Array<ArrayBuffer>[] = [];

/** What a connection is read into, again and again: as large as what comes at a time. */
export class ReadBuffer {
  /** The buffer, for the next read. */
  bytes: Uint8Array<ArrayBuffer> = spare.pop() ?? new Uint8Array(HEAD_READ);
  #smallReads = 0;

  /** Fits the size to the read that has just been: so many bytes came. */
  fit(count: number): void {
    const { length } = this.bytes;
    this.#smallReads = count * 8 < length ? this.#smallReads + 1 : 0;
    if (count === length && length < MAX_READ) this.#resize(length * 4);
    else if (this.#smallReads === SMALL_READS && length > MIN_READ) this.#resize(length / 4);
  }

  /** Makes it as small as it can be: what comes next may be nothing, for hours. */
  reset(): void {
    const { length } = this.bytes;
    if (length === HEAD_READ && spare.length < MAX_SPARE) spare.push(this.bytes);
    if (length > MIN_READ) this.#resize(MIN_READ);
    this.#smallReads = 0;
  }

  /** There is no next read. */
  free(): void {
    this.#resize(0);
  }

  #resize(size: number): void {
    this.bytes = new Uint8Array(size);
    this.#smallReads = 0;
  }
}

/** A `Deno.Conn` as a {@linkcode Transport}. */
export class DenoTransport implements Transport {
  /** One buffer is read into again and again: to make one costs as much as to read. */
  get lendsChunks(): boolean {
    return true;
  }

  #localAddr: Addr | undefined;
  #remoteAddr: Addr | undefined;
  readonly #conn: DenoConn;
  #handler: TransportHandler | undefined;
  #isPaused = false;
  /** Whether the next read is to begin when reading goes on. */
  #isWaiting = false;
  #isWriting = false;
  #isShutdown = false;
  #isClosed = false;
  readonly #buffer = new ReadBuffer();
  // An async function's frame would take twice the memory of these while it waits.
  readonly #onRead = (count: number | null): void => this.#take(count);
  readonly #onError = (error: unknown): void => this.#fail(error);

  constructor(conn: DenoConn) {
    this.#conn = conn;
    // A frame is written whole: to wait for more, as Nagle's algorithm does, only costs time.
    if (conn.localAddr.transport === "tcp") conn.setNoDelay?.(true);
  }

  /** The read buffer's size, in bytes. */
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
    // It would not wait for a write that is under way, and cut it short.
    if (!this.#isWriting) this.#closeWrite();
  }

  close(): void {
    this.#close();
  }

  abort(): void {
    // Deno can't ask for a reset; the kernel sends one where there is something left unread.
    this.#close();
  }

  /**
   * Gives the connection away, for TLS to be started on it: this transport is of no use any more.
   * No read may be under way, so it must have been paused from within the handler's `data()`.
   */
  release(): DenoConn {
    this.#isClosed = true;
    this.#wake();
    return this.#conn;
  }

  /** Reads what comes next, once it may. */
  #next(): void {
    if (this.#isClosed) this.#buffer.free();
    else if (this.#isPaused) this.#isWaiting = true;
    else this.#conn.read(this.#buffer.bytes).then(this.#onRead, this.#onError);
  }

  /** Not within this call: whoever resumes may pause again. */
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
        handler.data(buffer.bytes.subarray(0, count));
        // A head has been read, however long.
        if (this.#handler !== handler) buffer.reset();
        else buffer.fit(count);
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

  /** A read has failed, or whoever was given what it read. */
  #fail(error: unknown): void {
    // TLS has been ended without its own goodbye, by a FIN alone: WebSocket has its own, the Close
    // frame, to tell whether something is missing.
    if (Deno !== undefined && error instanceof Deno.errors.UnexpectedEof && !this.#isClosed) {
      return this.#end();
    }
    this.#buffer.free();
    this.#close(error);
  }

  #closeWrite(): void {
    // Rejects where the peer has reset the connection, which the read loop finds out as well.
    if (!this.#isClosed) this.#conn.closeWrite().catch(() => {});
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#isWriting = true;
    try {
      let rest = bytes;
      while (true) {
        const count = await this.#conn.write(rest);
        if (count === rest.length) break;
        rest = rest.subarray(count);
        if (!this.#isClosed) this.#handler!.progress?.();
      }
    } catch (error) {
      return this.#close(error);
    }
    this.#isWriting = false;
    if (this.#isShutdown) this.#closeWrite();
    if (!this.#isClosed) this.#handler!.drain();
  }

  /** Once only: what is pending on a closed connection rejects, with nobody left to tell. */
  #close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake();
    try {
      this.#conn.close();
    } catch {
      // A failed read may have closed it already.
    }
    this.#handler?.close(error);
  }
}

/** An address of Deno's in the shape of ours. */
export function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix"
    ? { transport: "unix", path: addr.path ?? "" }
    : { transport: "tcp", hostname: addr.hostname ?? "", port: addr.port ?? 0 };
}
