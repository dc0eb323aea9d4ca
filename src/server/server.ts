import type { Addr, Listener, Transport } from "../transport/transport.ts";
import { resolveAcceptOptions } from "./accept_options.ts";
import type { AcceptConfig, UpgradeData, UpgradeHandler, UpgradeResult } from "./accept_options.ts";
import { HttpConnection } from "./http_connection.ts";
import { connectionSettings } from "./http_connection_handler.ts";
import type { HttpConnectionHandler } from "./http_connection_handler.ts";
import { ReadyState } from "../connection/ready_state.ts";
import { BudgetAccount, MemoryBudget } from "../connection/memory_budget.ts";
import { timers } from "../util/timers.ts";
import { coreOf } from "../connection/connection.ts";
import { ConnectionSet } from "../connection/connection_set.ts";
import { ConnectionCounters } from "../connection/counters.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { resolveHandler, startWithHandler } from "../connection/handler.ts";
import type { Handler, ResolvedHandler } from "../connection/handler.ts";
import { ConnectionLimits, draining, outOfMemory } from "./connection_limits.ts";
import type { HttpResponder } from "./http_responder.ts";
import { reportError } from "../connection/report_error.ts";
import type { RunningServer } from "./running_server.ts";
import { checkCombinations, serveOptionChecks } from "./serve_options.ts";
import type { ServeOptions } from "./serve_options.ts";
import { DenseSet, indexAccess } from "../util/dense_set.ts";
import { checkOptions } from "../util/options.ts";
import { onRejected } from "../util/promises.ts";
import { resolveShutdownOptions, Shutdown } from "./shutdown.ts";
import type { ShutdownOptions } from "./shutdown.ts";
import { RefusalResponder } from "./refusal_responder.ts";
import { listenAt, urlOf } from "./server_address.ts";
import { ServerCounters, takeStats } from "./server_stats.ts";
import type { ServerStats } from "./server_stats.ts";

/** The largest head of a request, in bytes, that counts as a part of the connection's object. */
const UNCOUNTED_HEAD = 1024;
/** The default of `maxMemory`, in bytes. */
const MAX_MEMORY = 512 * 1024 * 1024;

/** Assigned by the class: only it can read its private field. */

/** Returns the counters of a server's WebSockets; `undefined` for any other object. */
export function countersOf(server: object): ConnectionCounters | undefined {
  return WebSocketServer.countersOf(server);
}

/** A running server, as returned by {@linkcode serve}. */
export class WebSocketServer<Data = unknown> implements RunningServer {
  /** The address that the server listens at. */
  readonly addr: Addr;
  /** The port that the server listens at; 0 for a Unix domain socket. */
  readonly port: number;
  /**
   * The URL of the server, to connect to from the same machine: `ws://127.0.0.1:8080/`, with the host
   * `localhost` if the server listens at all addresses, and the scheme `wss` with `tls`. For a Unix
   * domain socket it is `ws+unix:` and the path.
   */
  readonly url: string;
  /** Resolves when the server has shut down: it does not listen, and every connection is closed. */
  readonly finished: Promise<void>;
  readonly #config: AcceptConfig<Data>;
  readonly #options: ServeOptions<Data>;
  readonly #handler: ResolvedHandler<Data>;
  readonly #listener: Listener;
  readonly #budget: MemoryBudget;
  readonly #connectionHandler: HttpConnectionHandler<Data>;
  readonly #connections = new DenseSet<WebSocketConnection<Data>>({
    get: (socket) => coreOf(socket).index,
    set: (socket, index) => {
      coreOf(socket).index = index;
    },
  });
  /** A copy of `#connections`, made when `connections` is first read. */
  #connectionSet: ConnectionSet<Data> | undefined;
  /** The TCP connections that are not, or not yet, WebSockets. */
  readonly #others = new DenseSet<HttpResponder>(indexAccess);
  /** The WebSockets that are open, though their handler functions have returned. */
  readonly #returned = new WeakSet<WebSocketConnection<Data>>();
  /** The sizes of the large heads that sockets keep, and their sum, in bytes. */
  readonly #headSizes = new Map<WebSocketConnection<Data>, number>();
  readonly #headAccount: BudgetAccount;
  #headBytes = 0;
  readonly #counters = new ServerCounters();
  readonly #socketCounters = new ConnectionCounters();
  readonly #limits: ConnectionLimits;
  readonly #refusals: RefusalResponder;
  readonly #onFinished: () => void;
  /** Set by `shutdown()`. */
  #shutdown: Shutdown | undefined;
  #isStopping = false;
  #isListening = true;

  // A static block would keep the server in the bundle of a client.
  /** @internal */
  static countersOf(server: object): ConnectionCounters | undefined {
    return #socketCounters in server ? server.#socketCounters : undefined;
  }

  /** @internal Use {@linkcode serve}. */
  constructor(options: ServeOptions<Data>, handler: Handler<Data>) {
    checkOptions<ServeOptions>("serve()", options, serveOptionChecks);
    checkCombinations(options as ServeOptions);
    this.#options = options;
    this.#handler = resolveHandler("serve()", handler, options.discardMessages);
    const { scheme = options.tls === undefined ? "http" : "https" } = options;
    const counters = this.#socketCounters;
    this.#config = { ...resolveAcceptOptions({ ...options, scheme }), counters };
    const { maxMemory = MAX_MEMORY } = options;
    this.#budget = new MemoryBudget(maxMemory, this.#config.limits.closeTimeout, timers);
    // Pausing a connection does not free its head, and one head can't be freed alone.
    this.#headAccount = new BudgetAccount(this.#budget);
    this.#limits = new ConnectionLimits(options, this.#config.proxies);
    this.#limits.addUpgradeCheck(() => this.isDraining ? draining() : undefined);
    this.#limits.addUpgradeCheck(() =>
      this.#budget.isOver ? outOfMemory(this.#config.limits.closeTimeout) : undefined
    );
    this.#refusals = new RefusalResponder(this.#config.limits.closeTimeout, {
      responding: (responder) => this.#others.add(responder),
      closed: (responder) => {
        this.#others.delete(responder);
        this.#checkFinished();
      },
      refused: (error) => this.#report(error),
    }, counters);
    this.#connectionHandler = this.#makeConnectionHandler();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#onFinished = resolve;
    const { signal, onListen } = options;
    this.#listener = listenAt(options, {
      connection: (transport) => this.#accept(transport),
      error: (error) => this.#report(error),
    });
    this.addr = this.#listener.addr;
    for (const { name, isSupported } of this.#config.extensions) {
      if (isSupported === false) {
        this.#report(new Error(`Cannot use ${name}: this runtime's node:zlib keeps no context`));
      }
    }
    this.port = this.addr.transport === "tcp" ? this.addr.port : 0;
    this.url = urlOf(this.addr, options.tls !== undefined);
    if (signal?.aborted) this.shutdown();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
    try {
      onRejected(onListen?.(this.addr), (error) => this.#report(error));
    } catch (error) {
      this.shutdown();
      throw error;
    }
  }

  /** The WebSockets that are open or closing. */
  get connections(): ReadonlySet<WebSocketConnection<Data>> {
    return this.#connectionSet ??= new ConnectionSet(this.#connections);
  }

  /** Whether `shutdown()` has been called. A health check in `fetch()` can report it. */
  get isDraining(): boolean {
    return this.#shutdown !== undefined;
  }

  /**
   * The memory of all connections together, in bytes: the sum of their `heldBytes`, accurate to 8 KiB for
   * each connection. `maxMemory` limits it.
   */
  get heldBytes(): number {
    return this.#budget.memoryUsage;
  }

  /**
   * What the server has done so far, and what it does now: a new object each time. `prometheus()` and
   * `instrument()` pass the numbers on.
   */
  get stats(): ServerStats {
    const open = this.#connections.size;
    const connections = open + this.#others.size;
    const gauges = { open, connections, heldBytes: this.heldBytes };
    return takeStats(this.#counters, this.#socketCounters, gauges);
  }

  /**
   * Stops listening, drops connections that are not WebSockets yet, and closes all WebSockets after
   * sending what is queued on them. HTTP connections are closed after the response that is being sent.
   * It does not wait for the handlers of WebSockets.
   *
   * A second call can only speed it up: connections that are still open are closed with the new
   * options, the earlier deadline holds, and without `drain` the server stops listening.
   *
   * @returns `finished`.
   * @throws {TypeError} If an option is unknown.
   * @throws {RangeError} If the code may not be sent, or a time is not a number of at least 0.
   * @throws {DOMException} A `SyntaxError` if the reason is too long.
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const config = resolveShutdownOptions(options); // Throws before anything is closed.
    if (this.#shutdown === undefined) {
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      this.#shutdown = new Shutdown(
        this.#connections as Iterable<WebSocketConnection>,
        this.#dropAll,
      );
    }
    if (!config.drain) this.#stopListening();
    this.#shutdown.begin(config);
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
    for (const other of this.#others) {
      if (other instanceof HttpConnection) other.shutDown();
      else other.abort();
    }
  }

  #accept(transport: Transport): void {
    if (this.#isStopping) return transport.abort();
    this.#counters.accepted++;
    // Reading the address creates an object, which is needed only if addresses are limited.
    const addr = this.#limits.limitsAddresses ? transport.remoteAddr : undefined;
    const refusal = this.#limits.acquire(addr);
    if (refusal !== undefined) {
      this.#counters.refused(refusal);
      const isSilent = this.#config.proxies?.expectsHeader(transport.remoteAddr);
      return this.#refusals.refuse(transport, refusal, isSilent);
    }
    const connection = new HttpConnection<Data>(transport, this.#config, this.#connectionHandler);
    this.#others.add(connection);
    connection.start();
  }

  /** Creates one object for all connections. Closures per connection would live as long as it does. */
  #makeConnectionHandler(): HttpConnectionHandler<Data> {
    const { fetch } = this.#options;
    return {
      fetch: fetch && ((request, info) => {
        this.#counters.requests++;
        return fetch(request, { ...info, server: this });
      }),
      connectionSettings: connectionSettings(this.#config, {
        budget: this.#budget,
        onError: (error, socket) => this.#report(error, socket),
        onClosed: (socket) => {
          this.#socketCounters.closed(coreOf(socket).closeInfo!);
          this.#connections.delete(socket);
          this.#connectionSet?.delete(socket);
          this.#uncountHead(socket);
          // A handler function that still runs holds the place of its connection.
          if (typeof this.#handler !== "function" || this.#returned.has(socket)) {
            this.#release(socket);
          }
          this.#checkFinished();
        },
      }),
      open: (socket, response, early, connection) => {
        this.#others.delete(connection);
        this.#countHead(socket, connection.headSize);
        this.#open(socket, response, early);
      },
      refused: (error) => {
        this.#counters.refused(error);
        if (error.code === "ERR_HANDSHAKE_REFUSED") return; // The application's decision.
        this.#report(error.code === "ERR_HANDSHAKE_INTERNAL" ? error.cause : error);
      },
      failed: (error) => this.#report(error),
      mayPersist: () => !this.isDraining,
      closed: (_error, connection) => {
        this.#others.delete(connection);
        this.#checkFinished();
      },
      released: (connection) => this.#release(connection),
      identified: (clientAddr, previous) => this.#limits.acquireAddress(clientAddr, previous),
      checkUpgrade: () => this.#limits.checkUpgrade(),
    };
  }

  #release(client: { readonly clientAddr: Addr | undefined }): void {
    this.#limits.release(this.#limits.limitsAddresses ? client.clientAddr : undefined);
  }

  #open(
    socket: WebSocketConnection<Data>,
    response: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
  ): void {
    this.#socketCounters.opened++;
    this.#socketCounters.bytesReceived -= early.length; // The WebSocket counts them again.
    this.#connections.add(socket);
    this.#connectionSet?.add(socket);
    startWithHandler(socket, { answer: response, early }, this.#handler, this.#onReturned);
  }

  /** Counts the memory of large heads, which sockets keep for their `request`. */
  #countHead(socket: WebSocketConnection<Data>, size: number): void {
    if (size > UNCOUNTED_HEAD) this.#headSizes.set(socket, size);
    this.#headBytes += size > UNCOUNTED_HEAD ? size : 0;
    this.#headAccount.report(this.#headBytes);
  }

  #uncountHead(socket: WebSocketConnection<Data>): void {
    const size = this.#headSizes.get(socket);
    if (size === undefined) return;
    this.#headSizes.delete(socket);
    this.#headBytes -= size;
    this.#headAccount.report(this.#headBytes);
  }

  readonly #onReturned = (socket: WebSocketConnection<Data>): void => {
    if (socket.readyState === ReadyState.Closed) this.#release(socket);
    else this.#returned.add(socket);
  };

  #report(error: unknown, socket?: WebSocketConnection<Data>): void {
    this.#counters.errors++;
    reportError(this.#options.onError, error, socket);
  }

  #checkFinished(): void {
    if (this.#shutdown === undefined || this.#connections.size > 0) return;
    // The last WebSocket is closed, which is what `drain` waits for.
    if (!this.#isStopping) return this.#stopListening();
    if (this.#isListening || this.#others.size > 0) return;
    this.#shutdown.end();
    this.#onFinished();
  }
}

/**
 * Serves WebSockets.
 *
 * @param handler A function that serves one connection, or an object of callbacks, which is faster.
 * @returns The server, which is listening.
 * @throws {Error} The runtime's own, if the address cannot be used.
 * @throws {TypeError} If an option is malformed.
 * @throws {RangeError} If a limit is not a number above 0.
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
export function serve(handler: Handler): WebSocketServer;
/**
 * Serves WebSockets.
 *
 * @param options The address, admission, proxies, protocol and limits. See {@linkcode ServeOptions}.
 * @param handler A function that serves one connection, or an object of callbacks.
 * @returns The server, which is listening.
 */
export function serve<
  Data = unknown,
  Result extends UpgradeResult<Data> = UpgradeResult<Data>,
>(
  options:
    & Omit<ServeOptions<UpgradeData<Result, Data>>, "upgrade">
    & UpgradeHandler<Result>,
  handler: Handler<UpgradeData<Result, Data>>,
): WebSocketServer<UpgradeData<Result, Data>>;
export function serve<Data>(
  options: ServeOptions<Data> | Handler<Data>,
  handler?: Handler<Data>,
): WebSocketServer<Data> {
  return handler === undefined
    ? new WebSocketServer({}, options as Handler<Data>)
    : new WebSocketServer(options as ServeOptions<Data>, handler);
}
