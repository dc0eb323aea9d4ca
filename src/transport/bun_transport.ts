import type { Addr, TcpAddr, Transport, TransportHandler } from "./transport.ts";
import { turnBudget } from "./turn_budget.ts";

/** The members of Bun's `Socket` that are used here. */
export interface BunSocket {
  /** The {@linkcode Transport} that wraps it. */
  data: unknown;
  /** The IP address of this end; `undefined` for a Unix socket. */
  readonly localAddress?: string;
  /** The port of this end. */
  readonly localPort: number;
  /** The IP address of the other end. */
  readonly remoteAddress?: string | undefined;
  /** The port of the other end. */
  readonly remotePort?: number;
  /** Writes the bytes that fit the kernel's buffer; returns their number, or -1 if the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Sends a FIN. */
  shutdown(): void;
  /** Closes the connection. */
  end(): void;
  /** Resets the connection. */
  terminate(): void;
  /** Pauses reading. */
  pause(): void;
  /** Resumes reading. */
  resume(): void;
  /** Turns Nagle's algorithm off. */
  setNoDelay(noDelay?: boolean): boolean;
  /** Has the socket keep the process alive. */
  ref?(): void;
  /** Lets the process end while the socket is open. */
  unref?(): void;
}

/** The callbacks of the Bun sockets that {@linkcode BunTransport} wraps. */
export interface BunSocketHandler {
  /** The type of the chunks: `Uint8Array`. */
  binaryType: "uint8array";
  /** A connection has been accepted, or established; TLS has not started yet. */
  open(socket: BunSocket): void;
  /** The TLS handshake has ended. Without this callback, `open` would be called only after it. */
  handshake(socket: BunSocket, success: boolean, error?: unknown): void;
  /** Bytes have been received. */
  data(socket: BunSocket, chunk: Uint8Array): void;
  /** Bytes can be written again. */
  drain(socket: BunSocket): void;
  /** The peer has sent a FIN. */
  end(socket: BunSocket): void;
  /** The connection is closed. */
  close(socket: BunSocket, error?: unknown): void;
  /** A callback has thrown. */
  error(socket: BunSocket, error: unknown): void;
}

/**
 * The size of a chunk after which reading pauses until the next event-loop turn, in bytes, or longer while
 * many connections wait with the rest of theirs. Otherwise Bun reads one socket again and again in a turn, as
 * long as its peer fills the 512 KiB of each read.
 */
const LARGE_READ = 256 * 1024;

/** Whether the runtime is Bun. */
export const isBun: boolean = (globalThis as { Bun?: unknown }).Bun !== undefined;

/** The last address of this end: most connections of a server share it. */
let lastLocal: Addr = { transport: "tcp", hostname: "", port: 0 };

function localAddr({ localAddress: hostname = "", localPort: port }: BunSocket): Addr {
  const last = lastLocal as TcpAddr;
  if (last.port === port && last.hostname === hostname) return last;
  return lastLocal = Object.freeze({ transport: "tcp", hostname, port });
}

/** A {@linkcode Transport} over a Bun socket. */
export class BunTransport implements Transport {
  /** Bun allocates each chunk. */
  get lendsChunks(): boolean {
    return false;
  }

  readonly localAddr: Addr;
  /** The address once it has been read; before that the IP address, which a closed socket does not have. */
  #remoteAddr: Addr | string;
  readonly #remotePort: number;
  readonly #socket: BunSocket;
  #handler: TransportHandler | undefined;
  /** The bytes of the last write that the kernel has not accepted. */
  #rest: Uint8Array | undefined;
  #isPaused = false;
  /** Whether reading is paused until a later event-loop turn. */
  #isYielding = false;
  #isShutdown = false;
  #isClosed = false;
  /** The events that await a handler. */
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
    // Frames are written whole, so Nagle's algorithm would only add delay.
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
    // After this call, since the caller may not be ready for events before it returns.
    if (handler !== undefined && this.#early !== undefined) queueMicrotask(() => this.#emitEarly());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return true;
    const written = this.#socket.write(bytes);
    if (written === bytes.length) return true;
    this.#rest = bytes.subarray(Math.max(written, 0));
    return false;
  }

  writeSome(bytes: Uint8Array): number {
    return this.#isClosed ? 0 : Math.max(this.#socket.write(bytes), 0);
  }

  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    if (!this.#isYielding) this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    if (!this.#isYielding) this.#socket.resume();
  }

  shutdown(): void {
    this.#isShutdown = true;
    if (this.#rest === undefined && !this.#isClosed) this.#socket.shutdown();
  }

  close(): void {
    if (!this.#isClosed) this.#socket.end();
    this.#early = undefined;
    this.closed();
  }

  setRef(isRef: boolean): void {
    if (isRef) this.#socket.ref?.();
    else this.#socket.unref?.();
  }

  abort(error?: unknown): void {
    if (!this.#isClosed) this.#socket.terminate();
    this.#early = undefined;
    this.closed(error);
  }

  /**
   * Returns the socket, so that TLS can be started on it, and closes this transport.
   *
   * @throws {Error} If the connection is closed.
   */
  release(): BunSocket {
    if (this.#isClosed) throw new Error("Cannot start TLS: the peer has closed the connection");
    this.#isClosed = true;
    this.#socket.resume();
    return this.#socket;
  }

  /** Handles the socket's `data`. */
  data(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    if (chunk.length >= LARGE_READ) this.#yield();
    if (this.#handler !== undefined && this.#early === undefined) return this.#handler.data(chunk);
    if (this.#early === undefined) this.#socket.pause();
    this.#emit((handler) => handler.data(chunk));
  }

  /** Handles the socket's `drain`. */
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

  /** Handles the socket's `end`. */
  end(): void {
    if (this.#isClosed) return;
    this.#emit((handler) => handler.end());
  }

  /** Handles the socket's `close`. */
  closed(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rest = undefined;
    this.#emit((handler) => handler.close(error));
  }

  #yield(): void {
    if (this.#isYielding || this.#isPaused) return;
    this.#isYielding = true;
    this.#socket.pause();
    turnBudget.waitToRead(() => {
      this.#isYielding = false;
      if (!this.#isPaused && !this.#isClosed && this.#early === undefined) this.#socket.resume();
    });
  }

  #emit(event: (handler: TransportHandler) => void): void {
    if (this.#handler === undefined || this.#early !== undefined) (this.#early ??= []).push(event);
    else event(this.#handler);
  }

  #emitEarly(): void {
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
