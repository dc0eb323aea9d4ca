/** The address of one end of a TCP connection. */
export interface TcpAddr {
  /** The discriminant. */
  readonly transport: "tcp";
  /** The IP address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** The address of a Unix domain socket. */
export interface UnixAddr {
  /** The discriminant. */
  readonly transport: "unix";
  /** The path of the socket file. */
  readonly path: string;
}

/** The address of one end of a connection, in the shape of `Deno.Addr`. */
export type Addr = TcpAddr | UnixAddr;

/** Receives the events of a {@linkcode Transport}. None of its methods may throw. */
export interface TransportHandler {
  /**
   * Bytes have been received. The handler may keep and change the chunk; if the transport lends its
   * chunks, only until this returns.
   */
  data(chunk: Uint8Array): void;
  /** The bytes that `write()` kept are written: it accepts bytes again. It may be called without need. */
  drain(): void;
  /**
   * A part of the bytes that `write()` kept is written: the peer reads. Not every transport reports
   * this.
   */
  progress?(): void;
  /** The peer has ended its direction of the connection (a FIN). Writing still works. */
  end(): void;
  /**
   * The connection is closed in both directions. This is the last event.
   *
   * @param error The cause, unless it was `close()`, or the end of both directions.
   */
  close(error?: unknown): void;
}

/**
 * A reliable, ordered stream of bytes both ways: a TCP connection, a Unix socket, or memory.
 *
 * It consists of calls, not of streams, so that a message costs no promise.
 */
export interface Transport {
  /** The address of this end. */
  readonly localAddr: Addr;
  /** The address of the other end. */
  readonly remoteAddr: Addr;
  /**
   * The memory usage of the transport, such as a read buffer, in bytes.
   *
   * @default {undefined} counted as 0
   */
  readonly heldBytes?: number;
  /** Whether a chunk is valid only until `data()` returns, because the transport reuses its buffer. */
  readonly lendsChunks: boolean;
  /**
   * The receiver of the events. Reading starts when it is first set; earlier events are kept for it. It
   * may be replaced at any time.
   */
  handler: TransportHandler | undefined;
  /**
   * Sends bytes.
   *
   * @returns `true` if they are written, so that the caller may reuse the buffer; `false` if the
   * transport keeps the buffer until it calls `drain()`. It accepts no other bytes until then.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Sends as many of the bytes as can be written at once, without keeping the others. Only after a
   * `write()` that returned `true`. Optional.
   *
   * @returns The number of bytes that are written.
   */
  writeSome?(bytes: Uint8Array): number;
  /** Pauses reading, so that TCP slows the peer down. */
  pause(): void;
  /** Resumes reading. */
  resume(): void;
  /** Ends this direction of the connection (sends a FIN), after the bytes that are being written. */
  shutdown(): void;
  /** Closes the connection in both directions, and drops the bytes that are being written. */
  close(): void;
  /** Closes the connection with a reset, if the runtime can send one. */
  abort(): void;
  /**
   * Sets whether the connection keeps the process alive, as it does at first. Optional.
   *
   * @default {undefined} it can't be changed
   */
  setRef?(isRef: boolean): void;
}

/** TLS options of a server. */
export interface ServerTls {
  /** The certificate, followed by those of the intermediate authorities, in PEM. */
  cert: string;
  /** The private key of the certificate, in PEM. */
  key: string;
}

/** TLS options of a client. The certificate's chain, dates and name are always verified. */
export interface ClientTls {
  /**
   * Certificates of authorities to trust in addition to those that the runtime trusts, in PEM; a string may
   * have several. If one is malformed, or has no end, all are refused, and the error names it: otherwise, its
   * authority would not be trusted, and connections would fail later.
   *
   * @default {[]} none
   */
  caCerts?: readonly string[] | undefined;
  /**
   * The name that the server's certificate must be for, which is also sent to the server (SNI).
   *
   * @default {undefined} the host to connect to
   */
  serverName?: string | undefined;
  /**
   * The certificate of the client, followed by those of the intermediate authorities, in PEM; for a
   * server that asks for one. It needs `key`. On Deno, it can't be used together with a proxy or with
   * `serverName`.
   *
   * @default {undefined} none
   */
  cert?: string | undefined;
  /**
   * The private key of the client's certificate, in PEM. It needs `cert`.
   *
   * @default {undefined} none
   */
  key?: string | undefined;
}

/** TLS can't be established: the certificate is not trusted, or the peer does not use TLS. */
export class TlsError extends Error {
  /** The name of the class. */
  override readonly name = "TlsError";
}

/** The address to connect to. */
export interface ConnectTarget {
  /** The host: a name, or an IP address without brackets. */
  hostname: string;
  /** The port. */
  port: number;
  /** The path of a Unix domain socket, in place of `hostname` and `port`. */
  path?: string | undefined;
  /** TLS options; without them, the connection is not encrypted. */
  tls?: ClientTls | undefined;
}

/** Options of `listen()`. */
export interface ListenOptions {
  /**
   * The IP address to listen at.
   *
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /**
   * The port to listen at; 0 for any that is free.
   *
   * @default {8080}
   */
  port?: number;
  /** The path of a Unix domain socket to listen at, in place of `hostname`, `port` and `reusePort`. */
  path?: string;
  /**
   * Whether several processes may listen at the same port; each accepts a share of the connections. On
   * Deno, it needs the flag `--unstable-net`.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * Encrypts all connections: `wss:` in place of `ws:`. Not for a Unix domain socket.
   *
   * Deno has two limitations: a stalled TLS handshake keeps its socket, though not the connection over
   * it, until the peer closes it; and Nagle's algorithm can't be turned off. For untrusted clients, end
   * TLS at a proxy, or use Bun.
   *
   * @default {undefined} no TLS
   */
  tls?: ServerTls;
}

/** Receives the events of a {@linkcode Listener}. */
export interface ListenHandler {
  /** A connection has been accepted. */
  connection(transport: Transport): void;
  /** Accepting has failed, for one connection or for some time. The listener continues. */
  error(error: unknown): void;
}

/** A listening socket. */
export interface Listener {
  /** The address that it listens at. */
  readonly addr: Addr;
  /** Stops listening. Accepted connections stay open. Resolves when its resources are freed. */
  close(): Promise<void>;
}
