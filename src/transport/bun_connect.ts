import { BunTransport } from "./bun_transport.ts";
import type { BunSocket, BunSocketHandler } from "./bun_transport.ts";
import { sniOf, withoutDot } from "./tls_options.ts";
import { TlsError } from "./transport.ts";
import type { ClientTls, ConnectTarget, Transport } from "./transport.ts";

/** The members of the `Bun` namespace that are used here, declared for the checkers of other runtimes. */
interface BunNamespace {
  connect(options: Record<string, unknown>): Promise<BunSocket>;
}

const { Bun } = globalThis as unknown as { Bun?: BunNamespace };

/** The members of a socket of `Bun.connect` that are used here in addition. */
interface BunClientSocket extends BunSocket {
  /** Starts TLS; this socket can't be used any more. */
  upgradeTLS(options: Record<string, unknown>): unknown;
  /** Returns the server's certificate. */
  getPeerCertificate(): unknown;
}

interface NodeHandle extends BunClientSocket {
  /** Replaces the callbacks. */
  reload?(options: { socket: BunSocketHandler }): void;
}

/** The members of a socket of `node:net` that are used here. */
interface NodeSocket {
  /** The Bun socket below it; not documented. */
  readonly _handle?: NodeHandle;
  on(event: "error" | "connect", listener: (error: Error) => void): void;
  destroy(): void;
}

/** The callbacks of a socket that connects. */
interface ConnectHandler extends BunSocketHandler {
  connectError(socket: BunSocket, error: unknown): void;
}

/** The TLS options for Bun, and the check of the certificate's name. */
interface Trust {
  readonly options: Record<string, unknown>;
  /** Returns an error if the certificate is not for the server's name. */
  check(socket: BunSocket): Error | undefined;
}

/** Connects with `Bun.connect`. */
export async function connectBun(target: ConnectTarget, signal: AbortSignal): Promise<Transport> {
  const { hostname, port, path, tls } = target;
  const trust = tls === undefined ? undefined : await trustOf(tls, hostname);
  signal.throwIfAborted();
  if (path === undefined) {
    const { connect } = await import("node:net");
    signal.throwIfAborted();
    const socket = connect({ host: hostname, port, allowHalfOpen: true }) as unknown as NodeSocket;
    if (typeof socket._handle?.reload === "function") return await adopt(socket, trust, signal);
    socket.destroy();
  }
  const attempt = new Attempt(trust, signal, path);
  const options = {
    ...(path === undefined ? { hostname, port } : { unix: path }),
    ...(trust === undefined ? {} : { tls: trust.options }),
    allowHalfOpen: true,
    socket: attempt.handler,
  };
  // It may also throw at once, for an invalid option.
  Promise.try(() => Bun!.connect(options)).catch((error) => attempt.fail(error));
  return await attempt.done;
}

/**
 * Takes the Bun socket of a socket of `node:net` when that has connected. `Bun.connect` itself can't be
 * cancelled: an attempt that the network does not answer keeps the process alive until the kernel gives
 * up, after minutes. `node:net` can cancel it.
 */
async function adopt(
  socket: NodeSocket,
  trust: Trust | undefined,
  signal: AbortSignal,
): Promise<Transport> {
  const attempt = new Attempt(trust, signal);
  attempt.done.catch(() => socket.destroy());
  socket.on("error", (error) => attempt.fail(error));
  // The event comes in the middle of the socket's own callback, which has to end first.
  socket.on("connect", () => queueMicrotask(() => attempt.adopt(socket._handle!)));
  return await attempt.done;
}

/** Starts TLS with `socket.upgradeTLS`. */
export async function startTlsBun(
  transport: BunTransport,
  tls: ClientTls,
  hostname: string,
  signal: AbortSignal,
): Promise<Transport> {
  const trust = await trustOf(tls, hostname);
  signal.throwIfAborted();
  const socket = transport.release() as BunClientSocket;
  const attempt = new Attempt(trust, signal);
  try {
    socket.upgradeTLS({ tls: trust.options, socket: attempt.handler });
  } catch (error) {
    socket.terminate();
    attempt.handler.error(socket, error);
  }
  return await attempt.done;
}

async function trustOf(tls: ClientTls, hostname: string): Promise<Trust> {
  // Imported here, since loading it costs time and memory on Deno, where this is never called.
  const { checkServerIdentity, rootCertificates } = await import("node:tls");
  const { caCerts = [], serverName = hostname, cert, key } = tls;
  return {
    options: {
      // An empty name keeps Bun from sending the host, which may be an IP address.
      serverName: sniOf(serverName) ?? "",
      // Bun's default, which an environment variable can change.
      rejectUnauthorized: true,
      // Bun replaces its own certificates by these.
      ...(caCerts.length === 0 ? {} : { ca: [...rootCertificates, ...caCerts] }),
      ...(cert === undefined ? {} : { cert, key }),
    },
    check(socket) {
      type Peer = Parameters<typeof checkServerIdentity>[1];
      const certificate = (socket as BunClientSocket).getPeerCertificate();
      return commonNameOnly(certificate as Peer) ??
        checkServerIdentity(withoutDot(serverName), certificate as Peer);
    },
  };
}

/**
 * Returns an error if a certificate has no subject alternative name: `checkServerIdentity` would compare
 * its common name. RFC 9525 §6.3: a client "MUST NOT" do so; on Deno, it does not.
 */
function commonNameOnly({ subjectaltname }: { subjectaltname?: string }): Error | undefined {
  if (subjectaltname) return undefined;
  return new Error("The certificate has no subject alternative name");
}

/** The callbacks of the encrypted side of a TLS socket. */
const ignoring: BunSocketHandler = {
  binaryType: "uint8array",
  open() {},
  handshake() {},
  data() {},
  drain() {},
  end() {},
  close() {},
  error() {},
};

/** One attempt to connect, to start TLS, or both. */
class Attempt {
  readonly done: Promise<Transport>;
  readonly #resolve: (transport: Transport) => void;
  readonly #reject: (error: unknown) => void;
  readonly #trust: Trust | undefined;
  readonly #signal: AbortSignal;
  readonly #path: string | undefined;
  #socket: BunSocket | undefined;
  #transport: BunTransport | undefined;
  #isDone = false;

  constructor(trust: Trust | undefined, signal: AbortSignal, path?: string) {
    this.#trust = trust;
    this.#signal = signal;
    this.#path = path;
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener("abort", this.#onAbort);
  }

  readonly handler: ConnectHandler = {
    binaryType: "uint8array",
    open: (socket) => {
      this.#socket = socket;
      // Bun can't end an attempt to connect: this one was ended by its signal before.
      if (this.#isDone) socket.terminate();
      else if (this.#trust === undefined) this.#succeed(socket);
    },
    handshake: (socket, success, error) => {
      if (this.#isDone) return;
      const cause = success ? error ?? this.#trust!.check(socket) : error;
      if (success && !cause) return this.#succeed(socket);
      this.fail(new TlsError(`Cannot start TLS: ${text(cause)}`, { cause }));
    },
    data: (_, chunk) => this.#transport?.data(chunk),
    drain: () => this.#transport?.drain(),
    end: () => this.#transport?.end(),
    close: (_, error) => {
      this.#transport?.closed(error);
      this.fail(this.#lost(error));
    },
    error: (_, error) => {
      this.#transport?.abort(error);
      this.fail(this.#lost(error));
    },
    connectError: (_, error) => this.fail(error),
  };

  /** Takes a socket that has connected over from `node:net`. */
  adopt(handle: NodeHandle): void {
    if (this.#isDone) return handle.terminate();
    const trust = this.#trust;
    handle.reload!({ socket: trust === undefined ? this.handler : ignoring });
    handle.data = undefined;
    if (trust === undefined) return this.handler.open(handle);
    try {
      handle.upgradeTLS({ tls: trust.options, socket: this.handler });
    } catch (error) {
      handle.terminate();
      this.handler.error(handle, error);
    }
  }

  /** Rejects, and closes the socket. */
  fail(error: unknown): void {
    if (this.#isDone) return;
    this.#finish();
    this.#reject(error);
    this.#socket?.terminate();
  }

  readonly #onAbort = (): void => this.fail(this.#signal.reason);

  #succeed(socket: BunSocket): void {
    this.#finish();
    this.#transport = new BunTransport(socket, this.#path);
    socket.data = this.#transport;
    this.#resolve(this.#transport);
  }

  #finish(): void {
    this.#isDone = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  #lost(cause: unknown): Error {
    const message = `Cannot start TLS: ${
      cause === undefined ? "the peer has closed the connection" : text(cause)
    }`;
    return new TlsError(message, cause === undefined ? undefined : { cause });
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : "the certificate is not trusted";
}
