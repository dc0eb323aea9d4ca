import { ReadBuffer } from "./read_buffer.ts";
import type {
  Addr,
  Listener,
  ListenHandler,
  ListenOptions,
  Transport,
  TransportHandler,
} from "./transport.ts";

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

/** What is used of `Deno.Listener`. */
interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** What is used of the `Deno` namespace; named here so that other runtimes' checkers know it. */
interface DenoNamespace {
  listen(options: Record<string, unknown>): DenoListener;
  listenTls(options: Record<string, unknown>): DenoListener;
  errors: Record<"UnexpectedEof", new () => Error>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };

/** Whether this is Deno. */
export const isDeno: boolean = Deno !== undefined;

/**
 * How long to wait, in milliseconds, before accepting again after a failure, such as EMFILE: twice as
 * long after each that follows, so that there is one report a second at most, half as long after each
 * success.
 */
const MIN_PAUSE = 50;
const MAX_PAUSE = 1000;
/**
 * Failures of the one connection that was to be accepted, whose peer has reset it: there is nothing to
 * wait for, and whoever does it again and again must not make others wait.
 */
const GONE = /* @__PURE__ */ new Set(["ConnectionAborted", "ConnectionReset", "NotConnected"]);

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
  /** Ends the wait of a paused read loop. */
  #wake: (() => void) | undefined;
  #isWriting = false;
  #isShutdown = false;
  #isClosed = false;
  readonly #buffer = new ReadBuffer();

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
    if (isFirst && handler !== undefined) this.#read();
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
    this.#wake?.();
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
    this.#wake?.();
    return this.#conn;
  }

  async #read(): Promise<void> {
    const buffer = this.#buffer;
    try {
      while (true) {
        while (this.#isPaused && !this.#isClosed) {
          await new Promise<void>((resolve) => this.#wake = resolve);
        }
        if (this.#isClosed) return;
        const count = await this.#conn.read(buffer.bytes);
        if (this.#isClosed) return;
        if (count === null) return this.#handler!.end();
        const handler = this.#handler!;
        handler.data(buffer.bytes.subarray(0, count));
        // A head has been read, however long.
        if (this.#handler !== handler) buffer.reset();
        else buffer.fit(count);
      }
    } catch (error) {
      // TLS has been ended without its own goodbye, by a FIN alone: WebSocket has its own, the Close
      // frame, to tell whether something is missing.
      if (Deno !== undefined && error instanceof Deno.errors.UnexpectedEof && !this.#isClosed) {
        return this.#handler!.end();
      }
      this.#close(error);
    } finally {
      buffer.free();
    }
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
    this.#wake?.();
    try {
      this.#conn.close();
    } catch {
      // A failed read may have closed it already.
    }
    this.#handler?.close(error);
  }
}

function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix"
    ? { transport: "unix", path: addr.path ?? "" }
    : { transport: "tcp", hostname: addr.hostname ?? "", port: addr.port ?? 0 };
}

/** Listens by `Deno.listen`. */
export function listenDeno(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false, tls } = options;
  const listener = path !== undefined
    ? Deno!.listen({ transport: "unix", path })
    : tls === undefined
    ? Deno!.listen({ hostname, port, reusePort })
    : Deno!.listenTls({ hostname, port, reusePort, cert: tls.cert, key: tls.key });
  const stop = new AbortController();

  async function acceptAll(): Promise<void> {
    let wait = MIN_PAUSE;
    while (!stop.signal.aborted) {
      let conn: DenoConn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (GONE.has((error as Error).name)) continue;
        handler.error(error);
        if (stop.signal.aborted) return; // By whoever was told.
        await pause(wait, stop.signal);
        wait = Math.min(wait * 2, MAX_PAUSE);
        continue;
      }
      wait = Math.max(wait / 2, MIN_PAUSE);
      const transport = transportOf(conn);
      if (transport === undefined) continue;
      try {
        handler.connection(transport);
      } catch (error) {
        transport.abort();
        handler.error(error);
      }
    }
  }

  const finished = acceptAll();
  return {
    addr: toAddr(listener.addr),
    close() {
      if (!stop.signal.aborted) {
        stop.abort();
        listener.close();
      }
      return finished;
    },
  };
}

/** The peer may be gone already, which is nobody's fault: setting an option of its socket throws. */
function transportOf(conn: DenoConn): DenoTransport | undefined {
  try {
    return new DenoTransport(conn);
  } catch {
    conn.close();
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
