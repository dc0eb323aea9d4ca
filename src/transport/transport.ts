/** The address of one end of a TCP connection. */
export interface TcpAddr {
  /** Tells it from a {@linkcode UnixAddr}. */
  readonly transport: "tcp";
  /** The IP address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** The address of a Unix domain socket. */
export interface UnixAddr {
  /** Tells it from a {@linkcode TcpAddr}. */
  readonly transport: "unix";
  /** The path of the socket file. */
  readonly path: string;
}

/** The address of one end of a connection, in the shape of `Deno.Addr`. */
export type Addr = TcpAddr | UnixAddr;

/** What a {@linkcode Transport} tells of. None of its methods may throw. */
export interface TransportHandler {
  /**
   * Bytes have come. They are the handler's, to write to as well: until this returns where the
   * transport lends its chunks, else for good.
   */
  data(chunk: Uint8Array): void;
  /** What `write()` kept has gone out: it takes bytes again. May be called without need. */
  drain(): void;
  /**
   * A part of what `write()` kept has gone out: the peer reads. Only for transports that see it, and
   * handlers that care.
   */
  progress?(): void;
  /** The peer has ended its direction of the connection (its FIN). Writing still works. */
  end(): void;
  /**
   * The connection is gone, both ways, whoever ended it: nothing comes after this.
   *
   * @param error Why, where it was not by `close()` or the ends of both sides.
   */
  close(error?: unknown): void;
}

/**
 * A reliable, ordered stream of bytes both ways: a TCP connection, a Unix socket, or memory.
 *
 * Made of calls, not of streams: a message should cost no promise.
 */
export interface Transport {
  /** The address of this end. */
  readonly localAddr: Addr;
  /** The address of the other end. */
  readonly remoteAddr: Addr;
  /**
   * How many bytes of memory it holds for itself, such as a buffer to read into; counted as 0 where it
   * doesn't say.
   *
   * @default {undefined}
   */
  readonly heldBytes?: number;
  /** Whether a chunk is the handler's only until `data()` returns: the transport reads into it again. */
  readonly lendsChunks: boolean;
  /**
   * Who is told what happens. Reading starts when it's first set; what has happened before then is
   * not lost. It may be replaced at any time.
   */
  handler: TransportHandler | undefined;
  /**
   * Sends bytes.
   *
   * @returns `true` where they have gone out, and the buffer is the caller's again; `false` where the
   * transport keeps the buffer until it calls `drain()`: it takes no other until then.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops reading, so that the peer is held back by TCP. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Ends this direction of the connection (sends a FIN), after what has been written. */
  shutdown(): void;
  /** Closes the connection in both directions. What the transport keeps of a `write()` is dropped. */
  close(): void;
  /** Closes the connection in a way that tells the peer that something was wrong, a reset where possible. */
  abort(): void;
}

/** What a server shows of itself over TLS. */
export interface ServerTls {
  /** The certificate, with those of the authorities between it and a root, in PEM. */
  cert: string;
  /** The private key of the certificate, in PEM. */
  key: string;
}

/** Whom a client trusts over TLS. A certificate's chain, dates and name are always checked. */
export interface ClientTls {
  /**
   * Certificates of authorities to trust beside those that the runtime trusts, in PEM.
   *
   * @default {[]} none
   */
  caCerts?: readonly string[] | undefined;
  /**
   * The name that the server's certificate must be for, which the server is also told (SNI).
   *
   * @default {undefined} the host to connect to
   */
  serverName?: string | undefined;
}

/** TLS could not be established: the certificate is not to be trusted, or the peer speaks no TLS. */
export class TlsError extends Error {
  /** The name of the class. */
  override readonly name = "TlsError";
}

/** Where to connect to. */
export interface ConnectTarget {
  /** The host: a name, or an IP address without brackets. */
  hostname: string;
  /** The port. */
  port: number;
  /** The path of a Unix domain socket, in place of `hostname` and `port`. */
  path?: string | undefined;
  /** Encrypts the connection, where it's there. */
  tls?: ClientTls | undefined;
}

/** Where and how to listen. */
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
  /** The path of a Unix domain socket to listen at, in place of `hostname` and `port`. */
  path?: string;
  /**
   * Whether several processes may listen at the same port, each getting a share of the connections.
   * On Deno this takes `--unstable-net`: without that flag, Deno ends the process.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * Encrypts all connections: `wss:` in place of `ws:`. Not for a Unix domain socket.
   *
   * On Deno, two things are the runtime's and can't be changed: a TLS handshake that has stalled keeps
   * its socket until the peer leaves, though not the connection made of it; and Nagle's algorithm is
   * on. Where strangers connect, let a proxy end TLS, or use Bun.
   *
   * @default {undefined} no TLS
   */
  tls?: ServerTls;
}

/** Who is told of connections. */
export interface ListenHandler {
  /** A connection has been accepted. */
  connection(transport: Transport): void;
  /** Accepting has failed, for one connection or for now. The listener goes on. */
  error(error: unknown): void;
}

/** A listening socket. */
export interface Listener {
  /** Where it listens. */
  readonly addr: Addr;
  /** Stops listening. Accepted connections live on. Resolves once nothing is left of it. */
  close(): Promise<void>;
}
