import type { RequestHead } from "../http/request_head_parser.ts";
import { listen } from "../transport/runtime.ts";
import type { Addr, Listener, Transport } from "../transport/transport.ts";
import { connectionSettings, resolveAcceptOptions, ServerHandshake } from "./accept.ts";
import type { AcceptSettings, HandshakeOutcome, RequestInfo } from "./accept.ts";
import { MemoryBudget } from "../connection/memory_budget.ts";
import {
  connectionPlaces,
  failConnection,
  finishConnection,
  startConnection,
} from "../connection/connection.ts";
import type { SocketHandler, WebSocketConnection } from "../connection/connection.ts";
import { ConnectionLimits, draining, outOfMemory } from "./connection_limits.ts";
import { answerPlain } from "./answer_plain.ts";
import type { HttpResponder } from "./http_responder.ts";
import { callOnError } from "./report_error.ts";
import type { ServeOptions, SocketFunction } from "./serve_options.ts";
import { DenseSet, ownPlaces } from "../util/dense_set.ts";
import type { IndexAccess, Placed } from "../util/dense_set.ts";
import { planShutdown, Shutdown } from "./shutdown.ts";
import type { ShutdownOptions } from "./shutdown.ts";
import { RefusalResponder } from "./refusal_responder.ts";

export type { AdmissionOptions } from "./connection_limits.ts";
export type { ServeOptions, SocketFunction } from "./serve_options.ts";
export type { ShutdownOptions } from "./shutdown.ts";

/** The default of `maxMemory`, in bytes. */
const MAX_MEMORY = 512 * 1024 * 1024;

/** A running server: {@linkcode serve}. */
export class WebSocketServer<Data = unknown> {
  /** Where it listens. */
  readonly addr: Addr;
  /** Resolves when it has shut down: no longer listens, and every connection has ended. */
  readonly finished: Promise<void>;
  readonly #settings: AcceptSettings<Data>;
  readonly #options: ServeOptions<Data>;
  readonly #handler: SocketFunction<Data> | SocketHandler<Data>;
  readonly #listener: Listener;
  readonly #budget: MemoryBudget;
  readonly #outcome: HandshakeOutcome<Data>;
  readonly #connections = new DenseSet(connectionPlaces as IndexAccess<WebSocketConnection<Data>>);
  /** The same, for whoever asks for `connections`: made for the first time that somebody does. */
  #shown: Set<WebSocketConnection<Data>> | undefined;
  /** The TCP connections that are no WebSockets, or not yet. */
  readonly #others = new DenseSet<Placed & { abort(): void }>(ownPlaces);
  readonly #admission: ConnectionLimits;
  readonly #turnstile: RefusalResponder;
  readonly #onFinished: () => void;
  /** Since `shutdown()`. */
  #shutdown: Shutdown | undefined;
  #isStopping = false;
  #isListening = true;

  /** @ignore */
  constructor(options: ServeOptions<Data>, handler: SocketFunction<Data> | SocketHandler<Data>) {
    if (typeof handler !== "function" && (typeof handler !== "object" || handler === null)) {
      throw new TypeError("Cannot serve: expected a handler, a function or an object of callbacks");
    }
    this.#options = options;
    this.#handler = handler;
    this.#settings = resolveAcceptOptions({
      ...options,
      scheme: options.scheme ?? (options.tls === undefined ? "http" : "https"),
    });
    const { maxMemory = MAX_MEMORY } = options;
    this.#budget = new MemoryBudget(maxMemory, this.#settings.limits.closeTimeout);
    if (options.proxyProtocol && options.tls !== undefined) {
      throw new TypeError(
        "Cannot use the PROXY protocol: TLS would have to begin after its header",
      );
    }
    this.#admission = new ConnectionLimits(options, this.#settings.proxies);
    this.#admission.add(() => this.isDraining ? draining() : undefined);
    this.#admission.add(() =>
      this.#budget.isOver ? outOfMemory(this.#settings.limits.closeTimeout) : undefined
    );
    this.#turnstile = new RefusalResponder(this.#settings.limits.closeTimeout, {
      answering: (farewell) => this.#others.add(farewell),
      gone: (farewell) => {
        this.#others.delete(farewell);
        this.#checkFinished();
      },
      refused: (error) => this.#report(error),
    });
    this.#outcome = this.#makeOutcome();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#onFinished = resolve;
    const { signal, onListen } = options;
    this.#listener = listen(options, {
      connection: (transport) => this.#accept(transport),
      error: (error) => this.#report(error),
    });
    this.addr = this.#listener.addr;
    if (signal?.aborted) this.shutdown();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
    try {
      onListen?.(this.addr);
    } catch (error) {
      this.shutdown();
      throw error;
    }
  }

  /** The open connections, and those that are closing. */
  get connections(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#shown ??= new Set(this.#connections);
  }

  /** Whether `shutdown()` has been called, for `fetch()` to tell a load balancer. */
  get isDraining(): boolean {
    return this.#shutdown !== undefined;
  }

  /**
   * How many bytes of memory all connections hold together: the sum of their `heldBytes`, within 8 KiB
   * for each. `maxMemory` bounds it.
   */
  get heldBytes(): number {
    return this.#budget.heldBytes;
  }

  /**
   * Stops listening, drops what is not a WebSocket yet, and closes all connections, after what has
   * been sent on them. Handlers are not waited for.
   *
   * To call it again hurries it: those that are open still are closed by the new options, the nearer
   * deadline holds, and without `drain` there is no more listening.
   *
   * @returns `finished`.
   * @throws {RangeError} where the code may not be sent, or a time is not a number of at least 0.
   * @throws {DOMException} a `SyntaxError` where the reason is too long.
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const plan = planShutdown(options); // Throws before anything is closed.
    if (this.#shutdown === undefined) {
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      this.#shutdown = new Shutdown(
        this.#connections as Iterable<WebSocketConnection>,
        this.#dropAll,
      );
    }
    if (!plan.drain) this.#stopListening();
    this.#shutdown.begin(plan);
    this.#checkFinished();
    return this.finished;
  }

  /** Shuts the server down. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  readonly #onAbort = (): void => void this.shutdown();

  readonly #dropAll = (): void => {
    for (const other of this.#others) other.abort();
    for (const socket of this.#connections) socket.abort();
  };

  #stopListening(): void {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#listener.close().then(() => {
        this.#isListening = false;
        this.#checkFinished();
      });
    }
    for (const other of this.#others) other.abort();
  }

  #accept(transport: Transport): void {
    if (this.#isStopping) return transport.abort();
    const { countsClients } = this.#admission; // Else no address is made that nobody asks for.
    const refusal = this.#admission.arrive(countsClients ? transport.remoteAddr : undefined);
    if (refusal !== undefined) return this.#turnstile.refuse(transport, refusal);
    this.#others.add(new ServerHandshake<Data>(transport, this.#settings, this.#outcome));
  }

  /** One for all connections: a closure for each would be with it for as long as it lives. */
  #makeOutcome(): HandshakeOutcome<Data> {
    const { fetch } = this.#options;
    const report = (error: unknown) => this.#report(error);
    return {
      connections: connectionSettings(this.#settings, {
        budget: this.#budget,
        onError: (error, socket) => this.#report(error, socket),
        onClosed: (socket) => {
          this.#connections.delete(socket);
          this.#shown?.delete(socket);
          this.#leave(socket);
          this.#checkFinished();
        },
      }),
      open: (socket, answer, early, handshake) => {
        this.#others.delete(handshake);
        this.#open(socket, answer, early);
      },
      refused: (error) => {
        if (error.code !== "ERR_HANDSHAKE_REFUSED") this.#report(error);
      },
      gone: (_error, handshake) => {
        this.#others.delete(handshake);
        this.#leave(handshake);
        this.#checkFinished();
      },
      identified: (clientAddr) => this.#admission.identify(clientAddr),
      check: () => this.#admission.check(),
      ...(fetch === undefined ? {} : {
        plain: (head: RequestHead, farewell: HttpResponder, info: RequestInfo) => {
          const { scheme } = this.#settings;
          answerPlain({ fetch, head, farewell, info, scheme, report });
        },
      }),
    };
  }

  #leave(client: { readonly clientAddr: Addr | undefined }): void {
    this.#admission.leave(this.#admission.countsClients ? client.clientAddr : undefined);
  }

  #open(
    socket: WebSocketConnection<Data>,
    answer: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
  ): void {
    const handler = this.#handler;
    this.#connections.add(socket);
    this.#shown?.add(socket);
    if (typeof handler !== "function") return startConnection(socket, { answer, early, handler });
    startConnection(socket, { answer, early, opened: () => void this.#run(handler, socket) });
  }

  async #run(handler: SocketFunction<Data>, socket: WebSocketConnection<Data>): Promise<void> {
    try {
      await handler(socket);
      finishConnection(socket);
    } catch (error) {
      failConnection(socket, error);
    }
  }

  #report(error: unknown, socket?: WebSocketConnection<Data>): void {
    callOnError(this.#options.onError, error, socket);
  }

  #checkFinished(): void {
    if (this.#shutdown === undefined || this.#connections.size > 0) return;
    // The last WebSocket is gone: there is nothing more to drain.
    if (!this.#isStopping) return this.#stopListening();
    if (this.#isListening || this.#others.size > 0) return;
    this.#shutdown.end();
    this.#onFinished();
  }
}

/**
 * Serves WebSockets.
 *
 * @param handler A function that is the life of a connection, or an object of callbacks, which is the
 * faster way.
 * @returns the server, which listens already.
 * @throws {Error} the runtime's own where the address can't be had.
 * @throws {TypeError} where an option is malformed.
 * @throws {RangeError} where a limit is.
 *
 * @example An echo
 * ```ts
 * import { serve } from "@sluice/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
 *   for await (const message of socket) await socket.send(message);
 * });
 *
 * const { port } = server.addr as { port: number };
 * const client = new WebSocket(`ws://127.0.0.1:${port}`);
 * client.onopen = () => client.send("Hello");
 * const echo = await new Promise((resolve) => client.onmessage = (event) => resolve(event.data));
 * assertEquals(echo, "Hello");
 * const closed = new Promise((resolve) => client.onclose = resolve);
 * client.close();
 * await closed;
 * ```
 */
export function serve(handler: SocketFunction | SocketHandler): WebSocketServer;
/**
 * Serves WebSockets.
 *
 * @param options Where to listen, whom to let in, and the limits.
 * @param handler A function that is the life of a connection, or an object of callbacks.
 * @returns the server, which listens already.
 */
export function serve<Data = unknown>(
  options: ServeOptions<Data>,
  handler: SocketFunction<Data> | SocketHandler<Data>,
): WebSocketServer<Data>;
export function serve<Data>(
  options: ServeOptions<Data> | SocketFunction<Data> | SocketHandler<Data>,
  handler?: SocketFunction<Data> | SocketHandler<Data>,
): WebSocketServer<Data> {
  return handler === undefined
    ? new WebSocketServer({}, options as SocketFunction<Data> | SocketHandler<Data>)
    : new WebSocketServer(options as ServeOptions<Data>, handler);
}
