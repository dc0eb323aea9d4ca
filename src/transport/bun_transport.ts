import type {
  Addr,
  Listener,
  ListenHandler,
  ListenOptions,
  TcpAddr,
  Transport,
  TransportHandler,
} from "./transport.ts";

/** What is used of Bun's `Socket`. */
export interface BunSocket {
  /** The {@linkcode Transport} that wraps it. */
  data: unknown;
  /** The IP address of this end; nothing for a Unix socket. */
  readonly localAddress?: string;
  /** The port of this end. */
  readonly localPort: number;
  /** The IP address of the other end. */
  readonly remoteAddress?: string;
  /** The port of the other end. */
  readonly remotePort?: number;
  /** Writes what fits the kernel's buffer; -1 where the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Sends a FIN. */
  shutdown(): void;
  /** Closes the connection. */
  end(): void;
  /** Resets the connection. */
  terminate(): void;
  /** Stops reading. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Turns Nagle's algorithm off. */
  setNoDelay(noDelay?: boolean): boolean;
}

/** The callbacks of a Bun socket that become a {@linkcode Transport}: see {@linkcode bunSocketHandler}. */
export interface BunSocketHandler {
  /** Chunks come as `Uint8Array`. */
  binaryType: "uint8array";
  /** A connection has been accepted, or made; TLS is yet to come. */
  open(socket: BunSocket): void;
  /** TLS is there, or has failed. Without this, `open` would wait for it, for as long as it takes. */
  handshake(socket: BunSocket, success: boolean, error?: unknown): void;
  /** Bytes have come. */
  data(socket: BunSocket, chunk: Uint8Array): void;
  /** Bytes can be written again. */
  drain(socket: BunSocket): void;
  /** The peer's FIN. */
  end(socket: BunSocket): void;
  /** The connection is gone. */
  close(socket: BunSocket, error?: unknown): void;
  /** A callback has thrown. */
  error(socket: BunSocket, error: unknown): void;
}

interface BunListener {
  readonly hostname: string;
  readonly port: number;
  stop(closeActiveConnections?: boolean): void;
}

/** What is used of the `Bun` namespace; named here so that other runtimes' checkers know it. */
interface BunNamespace {
  listen(options: Record<string, unknown>): BunListener;
}

const { Bun } = globalThis as unknown as { Bun?: BunNamespace };

/** Whether this is Bun. */
export const isBun: boolean = Bun !== undefined;

/** The address of this end that was seen last: most connections of a server have the same. */
let lastLocal: Addr = { transport: "tcp", hostname: "", port: 0 };

function localAddr({ localAddress: hostname = "", localPort: port }: BunSocket): Addr {
  const last = lastLocal as TcpAddr;
  if (last.port === port && last.hostname === hostname) return last;
  return lastLocal = Object.freeze({ transport: "tcp", hostname, port });
}

/** A Bun socket as a {@linkcode Transport}. */
export class BunTransport implements Transport {
  /** Bun makes each chunk to measure. */
  get lendsChunks(): boolean {
    return false;
  }

  readonly localAddr: Addr;
  /** Once it's asked for; until then the IP address, which a closed socket can't tell any more. */
  #remoteAddr: Addr | string;
  readonly #remotePort: number;
  readonly #socket: BunSocket;
  #handler: TransportHandler | undefined;
  /** What the kernel did not take of the last write. */
  #rest: Uint8Array | undefined;
  #isPaused = false;
  #isShutdown = false;
  #isClosed = false;
  /** What happened before there was a handler, which is held back meanwhile. */
  #early: ((handler: TransportHandler) => void)[] | undefined;

  constructor(socket: BunSocket, path?: string) {
    this.#socket = socket;
    if (path === undefined) {
      this.localAddr = localAddr(socket);
      this.#remoteAddr = socket.remoteAddress ?? "";
      this.#remotePort = socket.remotePort ?? 0;
    } else {
      this.localAddr = { transport: "unix", path };
      this.#remoteAddr = { transport: "unix", path };
      this.#remotePort = 0;
    }
    // A frame is written whole: to wait for more, as Nagle's algorithm does, only costs time.
    if (path === undefined) socket.setNoDelay(true);
  }

  get remoteAddr(): Addr {
    if (typeof this.#remoteAddr !== "string") return this.#remoteAddr;
    const port = this.#remotePort;
    return this.#remoteAddr = { transport: "tcp", hostname: this.#remoteAddr, port };
  }

  get handler(): TransportHandler | undefined {
    return this.#handler;
  }

  set handler(handler: TransportHandler | undefined) {
    this.#handler = handler;
    // Not within this call: whoever sets the handler may not be ready before it returns.
    if (handler !== undefined && this.#early !== undefined) queueMicrotask(() => this.#catchUp());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    const written = this.#socket.write(bytes);
    if (written === bytes.length) return true;
    this.#rest = bytes.subarray(Math.max(written, 0));
    return false;
  }

  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  shutdown(): void {
    this.#isShutdown = true;
    if (this.#rest === undefined && !this.#isClosed) this.#socket.shutdown();
  }

  close(): void {
    if (!this.#isClosed) this.#socket.end();
    this.#early = undefined;
    this.gone();
  }

  abort(error?: unknown): void {
    if (!this.#isClosed) this.#socket.terminate();
    this.#early = undefined;
    this.gone(error);
  }

  /**
   * Gives the socket away, for TLS to be started on it: this transport is of no use any more. Throws
   * where the connection is gone.
   */
  release(): BunSocket {
    if (this.#isClosed) throw new Error("Cannot start TLS: the peer has left");
    this.#isClosed = true;
    this.#socket.resume();
    return this.#socket;
  }

  /** The socket's `data`. */
  data(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#handler !== undefined && this.#early === undefined) return this.#handler.data(chunk);
    if (this.#early === undefined) this.#socket.pause();
    this.#tell((handler) => handler.data(chunk));
  }

  /** The socket's `drain`. */
  drain(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#isClosed) return;
    const written = this.#socket.write(rest);
    if (written < rest.length) {
      this.#rest = rest.subarray(Math.max(written, 0));
      if (written > 0) this.#handler?.progress?.();
      return;
    }
    this.#rest = undefined;
    if (this.#isShutdown) this.#socket.shutdown();
    this.#handler?.drain();
  }

  /** The socket's `end`. */
  end(): void {
    if (this.#isClosed) return;
    this.#tell((handler) => handler.end());
  }

  /** The socket's `close`; once only. */
  gone(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rest = undefined;
    this.#tell((handler) => handler.close(error));
  }

  #tell(event: (handler: TransportHandler) => void): void {
    if (this.#handler === undefined || this.#early !== undefined) (this.#early ??= []).push(event);
    else event(this.#handler);
  }

  #catchUp(): void {
    while (this.#handler !== undefined && this.#early !== undefined) {
      const event = this.#early.shift();
      if (event !== undefined) {
        event(this.#handler);
      } else {
        this.#early = undefined;
        if (!this.#isPaused && !this.#isClosed) this.#socket.resume();
      }
    }
  }
}

/**
 * The callbacks for a `Bun.listen` of your own, whose connections become {@linkcode Transport}s.
 * Listen with `allowHalfOpen: true`, else Bun closes a connection before its Close frame is answered.
 *
 * @param connection Told of each connection.
 * @param path The path, where it's a Unix socket.
 */
export function bunSocketHandler(
  connection: (transport: Transport) => void,
  path?: string,
): BunSocketHandler {
  return {
    binaryType: "uint8array",
    open(socket) {
      const transport = new BunTransport(socket, path);
      socket.data = transport;
      connection(transport);
    },
    // Bun closes a connection whose TLS has failed.
    handshake() {},
    data: (socket, chunk) => (socket.data as BunTransport).data(chunk),
    drain: (socket) => (socket.data as BunTransport).drain(),
    end: (socket) => (socket.data as BunTransport).end(),
    close: (socket, error) => (socket.data as BunTransport).gone(error),
    error: (socket, error) => (socket.data as BunTransport).abort(error),
  };
}

/**
 * Listens by `Bun.listen`. Where file descriptors run out, Bun tries again and again until one is free,
 * and tells nobody.
 */
export function listenBun(options: ListenOptions, handler: ListenHandler): Listener {
  const { hostname = "0.0.0.0", port = 8080, path, reusePort = false, tls } = options;
  const listener = Bun!.listen({
    ...(path === undefined ? { hostname, port, reusePort } : { unix: path }),
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key } }),
    allowHalfOpen: true,
    socket: bunSocketHandler((transport) => {
      try {
        handler.connection(transport);
      } catch (error) {
        transport.abort();
        handler.error(error);
      }
    }, path),
  });
  return {
    addr: path === undefined
      ? { transport: "tcp", hostname: listener.hostname, port: listener.port }
      : { transport: "unix", path },
    close() {
      listener.stop();
      return Promise.resolve();
    },
  };
}
