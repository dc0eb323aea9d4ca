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
  errors: Record<"BadResource" | "Interrupted", new () => Error>;
}

const { Deno } = globalThis as { Deno?: DenoNamespace };

/** Whether this is Deno. */
export const isDeno: boolean = Deno !== undefined;

/** A read buffer's smallest size, in bytes: it's what an idle connection holds. */
const MIN_READ = 1024;
/** A read buffer's largest size, in bytes. */
const MAX_READ = 64 * 1024;
/** How long to wait, in milliseconds, before accepting again after a failure, such as EMFILE. */
const ACCEPT_PAUSE = 50;

/** A `Deno.Conn` as a {@linkcode Transport}. */
export class DenoTransport implements Transport {
  readonly localAddr: Addr;
  readonly remoteAddr: Addr;
  readonly #conn: DenoConn;
  #handler: TransportHandler | undefined;
  #isPaused = false;
  /** Ends the wait of a paused read loop. */
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(conn: DenoConn) {
    this.#conn = conn;
    this.localAddr = toAddr(conn.localAddr);
    this.remoteAddr = toAddr(conn.remoteAddr);
    // A frame is written whole: to wait for more, as Nagle's algorithm does, only costs time.
    if (this.localAddr.transport === "tcp") conn.setNoDelay?.(true);
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
    // Rejects where the peer has reset the connection, which the read loop finds out as well.
    if (!this.#isClosed) this.#conn.closeWrite().catch(() => {});
  }

  close(): void {
    this.#close();
  }

  abort(): void {
    // Deno can't ask for a reset; the kernel sends one where there is something left unread.
    this.#close();
  }

  async #read(): Promise<void> {
    let buffer = new Uint8Array(MIN_READ);
    try {
      while (true) {
        if (this.#isPaused) await new Promise<void>((resolve) => this.#wake = resolve);
        if (this.#isClosed) return;
        const count = await this.#conn.read(buffer);
        if (this.#isClosed) return;
        if (count === null) return this.#handler!.end();
        this.#handler!.data(buffer.slice(0, count));
        buffer = fit(buffer, count);
      }
    } catch (error) {
      this.#close(error);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      let rest = bytes;
      while (true) {
        const count = await this.#conn.write(rest);
        if (count === rest.length) break;
        rest = rest.subarray(count);
      }
    } catch (error) {
      return this.#close(error);
    }
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

/** A read that filled the buffer asks for a larger one, one that left most of it empty for a smaller. */
function fit(buffer: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer> {
  if (count === buffer.length && count < MAX_READ) return new Uint8Array(count * 4);
  if (count * 8 < buffer.length && buffer.length > MIN_READ) {
    return new Uint8Array(buffer.length / 4);
  }
  return buffer;
}

function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix"
    ? { transport: "unix", path: addr.path ?? "" }
    : { transport: "tcp", hostname: addr.hostname ?? "", port: addr.port ?? 0 };
}

/** Listens by `Deno.listen`. */
export function listenDeno(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false } = options;
  const listener = Deno!.listen(
    path === undefined ? { hostname, port, reusePort } : { transport: "unix", path },
  );
  const stop = new AbortController();

  async function acceptAll(): Promise<void> {
    while (!stop.signal.aborted) {
      let conn: DenoConn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (stop.signal.aborted) return;
        handler.error(error);
        await pause(ACCEPT_PAUSE, stop.signal);
        continue;
      }
      try {
        handler.connection(new DenoTransport(conn));
      } catch (error) {
        // The peer may be gone already: setting an option of its socket throws.
        conn.close();
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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
