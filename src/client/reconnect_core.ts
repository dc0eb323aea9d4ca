import type { CloseInfo } from "../connection/close_info.ts";
import type { Sendable } from "../connection/sendable.ts";
import { unusable } from "../protocol/options.ts";
import { sleep } from "../util/abort.ts";
import { Backoff } from "./reconnect_backoff.ts";
import type { BackoffOptions } from "./reconnect_backoff.ts";
import { ReconnectEvents } from "./reconnect_events.ts";
import { ReconnectQueue } from "./reconnect_queue.ts";
import type { ReconnectAttempt, ReconnectDialer, ReconnectTarget } from "./reconnect_target.ts";

/** Time and chance; tests replace them. */
export interface ReconnectClock {
  /** The time in milliseconds, from an arbitrary origin. */
  now(): number;
  /** Resolves after a delay in milliseconds, or as soon as the signal aborts. */
  sleep(ms: number, signal: AbortSignal, onTimer?: (id: unknown) => void): Promise<void>;
  /** A random number from 0 up to 1. */
  random(): number;
}

/** The end of a connection without a Close frame, and of an attempt that has failed. */
const ABNORMAL = { closeCode: 1006, reason: "", wasClean: false };

const systemClock: ReconnectClock = {
  now: () => performance.now(),
  sleep,
  random: Math.random,
};

/** Options of {@linkcode ReconnectCore}, on each platform. */
export interface ReconnectCoreOptions extends BackoffOptions {
  /** Returns whether a close, or a failed attempt, ends the reconnections. */
  isFinal?: (info: CloseInfo) => boolean;
  /** The capacity of the queue for the next connection, in bytes. */
  maxQueueSize?: number;
  /** Ends it, as `close(1001)` does. */
  signal?: AbortSignal;
}

/**
 * Implementation of a ReconnectingWebSocket, on each platform: makes one attempt after the other, with the
 * delays of {@linkcode Backoff}, and turns what happens into {@linkcode ReconnectEvents}.
 */
export class ReconnectCore<Connection> {
  readonly events = new ReconnectEvents<Connection>();
  readonly #dialer: ReconnectDialer<Connection>;
  readonly #options: ReconnectCoreOptions;
  readonly #clock: ReconnectClock;
  readonly #backoff: Backoff;
  readonly #queue: ReconnectQueue;
  /** Aborts when there will be no further attempt. */
  readonly #stop = new AbortController();
  readonly #closed = Promise.withResolvers<CloseInfo>();
  readonly #onAbort = (): void => this.close(this.#dialer.goingAway, undefined);
  #target: ReconnectTarget<Connection> | undefined;
  /** Ends the delay before the next attempt. */
  #wake: AbortController | undefined;
  /** Whether `reconnect()` has closed the connection. */
  #isReconnecting = false;
  #lastInfo: CloseInfo = ABNORMAL;

  /**
   * Starts the first attempt.
   *
   * @throws {RangeError} If a number is out of range.
   */
  constructor(
    dialer: ReconnectDialer<Connection>,
    options: ReconnectCoreOptions,
    clock: ReconnectClock = systemClock,
  ) {
    this.#dialer = dialer;
    this.#options = options;
    this.#clock = clock;
    this.#backoff = new Backoff(options, clock.random);
    const { signal, maxQueueSize = 0 } = options;
    this.#queue = new ReconnectQueue({ maxQueueSize, maxBufferedAmount: dialer.maxBufferedAmount });
    if (signal?.aborted) this.#stop.abort();
    else signal?.addEventListener("abort", this.#onAbort);
    this.#run().catch((error) => {
      // A function of the options has thrown.
      this.#lastInfo = { ...ABNORMAL, error };
      this.#finish();
      this.events.end();
    });
  }

  /** The open connection, if there is one. */
  get connection(): Connection | undefined {
    return this.#target?.isOpen ? this.#target.connection : undefined;
  }

  /** The size of the unsent messages, in bytes: in the connection's send queue, and in this one's. */
  get bufferedAmount(): number {
    return this.#queue.size + (this.#target?.bufferedAmount ?? 0);
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
    if (this.#target === undefined) return;
    this.#isReconnecting = true;
    this.#target.close(code, reason);
  }

  /** Ends reconnecting: makes no further attempt, and closes the connection if there is one. */
  close(code: number | undefined, reason: string | undefined): void {
    this.#stop.abort();
    this.#wake?.abort();
    this.events.recheck();
    this.#target?.close(code, reason);
  }

  /** Makes one attempt after the other. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const retryIn = await this.#attempt(signal);
      if (retryIn === undefined) break;
      this.#wake = new AbortController();
      if (!signal.aborted) {
        await this.#clock.sleep(retryIn, this.#wake.signal, (id) => this.#dialer.onTimer?.(id));
      }
      this.#wake = undefined;
      await this.events.until(() => signal.aborted || !this.events.hasMessages);
    }
    this.#finish();
    this.events.end();
  }

  /** Makes one attempt, and delivers its messages until the connection closes; returns the delay. */
  async #attempt(signal: AbortSignal): Promise<number | undefined> {
    const { attempt } = this.#backoff;
    let opened: ReconnectAttempt<Connection>;
    try {
      opened = await this.#connect(signal);
    } catch (error) {
      // close() has ended the attempt: it has not failed.
      if (signal.aborted) return undefined;
      const info = { ...ABNORMAL, error };
      const retryIn = this.#retryIn(info, undefined);
      this.events.push({ type: "close", attempt, info, retryIn });
      return retryIn;
    }
    const { target, firstMessage } = opened;
    const openedAt = this.#clock.now();
    // Decided when the connection closes, not when the consumer reads of it: a caller that waits for
    // `closed` may read nothing, and a slow consumer must not make a connection count as stable.
    const ended = target.closed.then((info) => {
      this.#target = undefined;
      this.#queue.detach();
      this.events.recheck();
      return { info, retryIn: this.#retryIn(info, this.#clock.now() - openedAt) };
    });
    ended.catch(() => {}); // It is awaited below.
    this.#target = target;
    if (firstMessage !== undefined) void target.send(firstMessage);
    this.#queue.attach(target);
    this.events.push({ type: "open", attempt, connection: target.connection });
    await this.#deliver(target);
    const { info, retryIn } = await ended;
    this.events.push({ type: "close", attempt, info, retryIn });
    return retryIn;
  }

  async #connect(signal: AbortSignal): Promise<ReconnectAttempt<Connection>> {
    const opened = await this.#dialer.connect(signal);
    if (signal.aborted) {
      opened.target.abort();
      throw signal.reason;
    }
    return opened;
  }

  /** Passes the messages of a connection on as fast as the consumer reads them. */
  async #deliver(target: ReconnectTarget<Connection>): Promise<void> {
    const messages = target.messages();
    while (true) {
      // The unread messages of a closed connection are bounded: they need not wait for the consumer.
      await this.events.until(() => this.events.isAwaited || this.#target !== target);
      const { done, value } = await messages.next();
      if (done) return;
      this.events.push({ type: "message", data: value });
    }
  }

  /** Returns the delay until the next attempt; `undefined` if there will be none. */
  #retryIn(info: CloseInfo, openFor: number | undefined): number | undefined {
    const { isFinal = this.#dialer.isFinal } = this.#options;
    this.#lastInfo = info;
    const isRequested = this.#isReconnecting;
    this.#isReconnecting = false;
    if (isRequested && !this.#stop.signal.aborted) return 0;
    let retryIn = this.#stop.signal.aborted || askIsFinal(isFinal, info)
      ? undefined
      : this.#backoff.next(openFor);
    if (retryIn === undefined) this.#finish();
    else retryIn = Math.max(retryIn, this.#dialer.retryAfter?.(info.error) ?? 0);
    return retryIn;
  }

  #finish(): void {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#queue.close();
    this.#closed.resolve(this.#lastInfo);
  }
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
  throw unusable("the result of isFinal()", result, "a boolean");
}
