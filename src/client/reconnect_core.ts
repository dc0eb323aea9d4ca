import { ReadyState } from "../connection/ready_state.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Sendable } from "../connection/sendable.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { toBytes } from "../connection/sendable.ts";
import { unrefTimer } from "../transport/event_loop.ts";
import { abortable, checkTimeout, sleep, withTimeout } from "../util/abort.ts";
import { checkOptions, show } from "../util/options.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { makeConnectPlan } from "./connect_plan.ts";
import { dial } from "./dial.ts";
import { resolvePerAttempt } from "./per_attempt.ts";
import type { PerAttempt } from "./per_attempt.ts";
import { Backoff, isFinalClose } from "./reconnect_backoff.ts";
import { ReconnectEvents } from "./reconnect_events.ts";
import { reconnectOptionChecks } from "./reconnect_options.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";
import { ReconnectQueue } from "./reconnect_queue.ts";
import { retryAfterOf } from "./retry_after.ts";

/** Time and chance; tests replace them. */
export interface ReconnectClock {
  /** The time in milliseconds, from an arbitrary origin. */
  now(): number;
  /** Resolves after a delay in milliseconds, or as soon as the signal aborts. */
  sleep(ms: number, signal: AbortSignal, onTimer?: (id: unknown) => void): Promise<void>;
  /** A random number from 0 up to 1. */
  random(): number;
}

const systemClock: ReconnectClock = {
  now: () => performance.now(),
  sleep,
  random: Math.random,
};

/**
 * Implementation of {@linkcode ReconnectingWebSocket}: makes one attempt after the other, with the
 * delays of {@linkcode Backoff}, and turns what happens into {@linkcode ReconnectEvents}.
 */
export class ReconnectCore {
  readonly events = new ReconnectEvents();
  readonly #url: PerAttempt<string | URL>;
  readonly #options: ReconnectOptions;
  readonly #clock: ReconnectClock;
  readonly #backoff: Backoff;
  readonly #queue: ReconnectQueue;
  /** Aborts when there will be no further attempt. */
  readonly #stop = new AbortController();
  readonly #closed = Promise.withResolvers<CloseInfo>();
  readonly #onAbort = (): void => this.close(1001, undefined);
  #connection: WebSocketConnection | undefined;
  /** Ends the delay before the next attempt. */
  #wake: AbortController | undefined;
  /** Whether the open connection, and a delay, keep the process alive. */
  #isRef = true;
  /** Whether `reconnect()` has closed the connection. */
  #isReconnecting = false;
  #lastInfo: CloseInfo = { closeCode: 1006, reason: "", wasClean: false };

  /** Starts the first attempt. */
  constructor(
    url: PerAttempt<string | URL>,
    options: ReconnectOptions,
    clock: ReconnectClock = systemClock,
  ) {
    checkOptions<ReconnectOptions>("ReconnectingWebSocket", options, reconnectOptionChecks);
    this.#url = url;
    this.#options = options;
    this.#clock = clock;
    this.#backoff = new Backoff(options, clock.random);
    checkTimeout(options.timeout);
    const { headers = [], protocols = [], firstMessage, signal, maxQueueSize = 0 } = options;
    // An option that no attempt could use is an error now.
    const { limits: { maxBufferedAmount } } = makeConnectPlan(
      typeof url === "function" ? "ws://localhost" : url,
      connectOptions(
        options,
        typeof headers === "function" ? [] : headers,
        typeof protocols === "function" ? [] : protocols,
      ),
    );
    if (typeof firstMessage !== "function") checkMessage(firstMessage);
    this.#queue = new ReconnectQueue({ maxQueueSize, maxBufferedAmount });
    if (signal?.aborted) this.#stop.abort();
    else signal?.addEventListener("abort", this.#onAbort);
    this.#run().catch((error) => {
      // A function of the options has thrown.
      this.#lastInfo = { closeCode: 1006, reason: "", wasClean: false, error };
      this.#finish();
      this.events.end();
    });
  }

  /** The open connection, if there is one. */
  get connection(): WebSocketConnection | undefined {
    return this.#connection?.readyState === ReadyState.Open ? this.#connection : undefined;
  }

  /** The size of the unsent messages, in bytes: in the connection's send queue, and in this one's. */
  get bufferedAmount(): number {
    return this.#queue.size + (this.#connection?.bufferedAmount ?? 0);
  }

  /** Resolves when there will be no further attempt. */
  get closed(): Promise<CloseInfo> {
    return this.#closed.promise;
  }

  /** Sends a message, or queues it for the next connection. */
  send(data: Sendable): Promise<void> {
    return this.#queue.send(data);
  }

  /** Makes the next attempt without a delay; closes the connection first, if there is one. */
  reconnect(code: number | undefined, reason: string | undefined): void {
    this.#backoff.reset();
    this.#wake?.abort();
    if (this.#connection === undefined) return;
    this.#isReconnecting = true;
    void this.#connection.close(code, reason);
  }

  /** Lets the process end while a connection is open, and during the delays that start from now on. */
  unref(): void {
    this.#isRef = false;
    this.#connection?.unref();
  }

  /** Ends reconnecting: makes no further attempt, and closes the connection if there is one. */
  close(code: number | undefined, reason: string | undefined): void {
    this.#stop.abort();
    this.#wake?.abort();
    this.events.recheck();
    void this.#connection?.close(code, reason);
  }

  /** Makes one attempt after the other. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const retryIn = await this.#attempt(signal);
      if (retryIn === undefined) break;
      this.#wake = new AbortController();
      const onTimer = this.#isRef ? undefined : unrefTimer;
      if (!signal.aborted) await this.#clock.sleep(retryIn, this.#wake.signal, onTimer);
      this.#wake = undefined;
      await this.events.until(() => signal.aborted || !this.events.hasMessages);
    }
    this.#finish();
    this.events.end();
  }

  /** Makes one attempt, and delivers its messages until the connection closes; returns the delay. */
  async #attempt(signal: AbortSignal): Promise<number | undefined> {
    const { attempt } = this.#backoff;
    let connection: WebSocketConnection;
    let firstMessage: Sendable | undefined;
    try {
      [connection, firstMessage] = await this.#connect(signal);
    } catch (error) {
      // close() has ended the attempt: it has not failed.
      if (signal.aborted) return undefined;
      const info = { closeCode: 1006, reason: "", wasClean: false, error };
      const retryIn = this.#retryIn(info, undefined);
      this.events.push({ type: "close", attempt, info, retryIn });
      return retryIn;
    }
    const openedAt = this.#clock.now();
    // Decided when the connection closes, not when the consumer reads of it: a caller that waits for
    // `closed` may read nothing, and a slow consumer must not make a connection count as stable.
    const ended = connection.closed.then((info) => {
      this.#connection = undefined;
      this.#queue.detach();
      this.events.recheck();
      return { info, retryIn: this.#retryIn(info, this.#clock.now() - openedAt) };
    });
    ended.catch(() => {}); // It is awaited below.
    this.#connection = connection;
    if (!this.#isRef) connection.unref();
    if (firstMessage !== undefined) void connection.send(firstMessage);
    this.#queue.attach(connection);
    this.events.push({ type: "open", attempt, connection });
    await this.#deliver(connection);
    const { info, retryIn } = await ended;
    this.events.push({ type: "close", attempt, info, retryIn });
    return retryIn;
  }

  async #connect(signal: AbortSignal): Promise<[WebSocketConnection, Sendable | undefined]> {
    const options = this.#options;
    const { headers = [], protocols = [], firstMessage } = options;
    const resolved = Promise.all([
      resolvePerAttempt(this.#url, "URL"),
      resolvePerAttempt(headers, "headers"),
      resolvePerAttempt(protocols, "protocols"),
      resolvePerAttempt(firstMessage, "first message"),
    ]);
    const [url, fields, offered, message] = await abortable(resolved, signal);
    const plan = makeConnectPlan(url, connectOptions(options, fields, offered));
    checkMessage(message);
    const connection = await withTimeout(
      { ...options, signal },
      (signal) => dial(plan, signal),
    );
    if (signal.aborted) {
      connection.abort();
      throw signal.reason;
    }
    return [connection, message];
  }

  /** Passes the messages of a connection on as fast as the consumer reads them. */
  async #deliver(connection: WebSocketConnection): Promise<void> {
    const messages = connection[Symbol.asyncIterator]();
    while (true) {
      // The unread messages of a closed connection are bounded: they need not wait for the consumer.
      await this.events.until(() => this.events.isAwaited || this.#connection !== connection);
      const { done, value } = await messages.next();
      if (done) return;
      this.events.push({ type: "message", data: value });
      // Later messages do not wait for the consumer, and neither does the answer to the server's Close.
      void messages.return!();
    }
  }

  /** Returns the delay until the next attempt; `undefined` if there will be none. */
  #retryIn(info: CloseInfo, openFor: number | undefined): number | undefined {
    const { isFinal = isFinalClose } = this.#options;
    this.#lastInfo = info;
    const isRequested = this.#isReconnecting;
    this.#isReconnecting = false;
    if (isRequested && !this.#stop.signal.aborted) return 0;
    let retryIn = this.#stop.signal.aborted || askIsFinal(isFinal, info)
      ? undefined
      : this.#backoff.next(openFor);
    if (retryIn === undefined) this.#finish();
    else retryIn = Math.max(retryIn, retryAfterOf(info.error, Date.now()));
    return retryIn;
  }

  #finish(): void {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#queue.close();
    this.#closed.resolve(this.#lastInfo);
  }
}

/** Returns the options of one attempt. */
function connectOptions(
  options: ReconnectOptions,
  headers: HeaderFields,
  protocols: string | readonly string[],
): ConnectOptions {
  return { ...options, headers, protocols };
}

/**
 * Calls `isFinal()`. A result that is no boolean, such as a promise, decides nothing.
 *
 * @throws {TypeError} If the result is no boolean.
 */
function askIsFinal(isFinal: (info: CloseInfo) => boolean, info: CloseInfo): boolean {
  const result: unknown = isFinal(info);
  if (typeof result === "boolean") return result;
  // Its rejection would end the process.
  Promise.resolve(result).catch(() => {});
  throw new TypeError(
    `Cannot use the result of isFinal(): expected a boolean, got ${show(result)}`,
  );
}

/** @throws {TypeError} If it is not a message. */
function checkMessage(message: Sendable | undefined): void {
  if (message !== undefined && typeof message !== "string") toBytes(message);
}
