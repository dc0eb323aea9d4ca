import { encodeClosePayload } from "../protocol/close_code.ts";
import { aBoolean, anything, checkOptions } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** Options of `shutdown()`. */
export interface ShutdownOptions {
  /**
   * The close code for all connections.
   *
   * @default {1001} the server is going away
   */
  code?: number;
  /** A reason, for people to read: at most 123 bytes of UTF-8. */
  reason?: string;
  /**
   * The period over which the Close frames are spread, in milliseconds, in random order, so that the
   * clients do not all reconnect in the same second.
   *
   * @default {0} all at once
   */
  spread?: number;
  /**
   * When connections that are still open are dropped, in milliseconds from now. Peers that stop reading,
   * or do not answer the Close frame, are dropped earlier, after `closeTimeout`.
   *
   * @default {undefined} 30 s after the last Close frame
   */
  deadline?: number;
  /**
   * Whether to listen until the last WebSocket is closed. Plain HTTP is answered as before, and requests
   * for a WebSocket are refused with 503 and `Retry-After`, so that a load balancer can choose another
   * server.
   *
   * @default {false}
   */
  drain?: boolean;
}

/** The default of `deadline`, after `spread`, in milliseconds. */
const DEFAULT_GRACE = 30_000;
/** The minimum time between two batches of Close frames, in milliseconds. */
const MIN_INTERVAL = 10;
/** The longest delay of a timer, in milliseconds. A later deadline is never reached. */
const MAX_DELAY = 0x7fffffff;

/** The options of `shutdown()`, checked. */
export type ShutdownConfig = Required<Omit<ShutdownOptions, "reason">> & {
  readonly reason: string | undefined;
};

const shutdownOptionChecks: OptionChecks<ShutdownOptions> = {
  code: anything,
  reason: anything,
  spread: anything,
  deadline: anything,
  drain: aBoolean,
};

/**
 * Checks the options of `shutdown()`.
 *
 * @throws {TypeError} If an option is unknown.
 * @throws {RangeError} If the code may not be sent, or a time is not a number of at least 0.
 * @throws {DOMException} A `SyntaxError` if the reason is too long.
 */
export function resolveShutdownOptions(options: ShutdownOptions): ShutdownConfig {
  checkOptions<ShutdownOptions>("shutdown()", options, shutdownOptionChecks);
  const { code = 1001, reason, spread = 0, deadline = spread + DEFAULT_GRACE, drain = false } =
    options;
  encodeClosePayload(code, reason);
  if (!(Number.isFinite(spread) && spread >= 0)) {
    throw new RangeError(`Cannot shut down: spread ${spread}, expected at least 0 ms`);
  }
  if (!(typeof deadline === "number" && deadline >= 0)) {
    throw new RangeError(`Cannot shut down: deadline ${deadline}, expected at least 0 ms`);
  }
  return { code, reason, spread, deadline, drain };
}

/** Closes a server's connections, over a period, and drops those that are open at the deadline. */
export class Shutdown {
  readonly #connections: Iterable<WebSocketConnection>;
  readonly #dropAll: () => void;
  #pending: WebSocketConnection[] = [];
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  #dropTimer: ReturnType<typeof setTimeout> | undefined;
  #dropAt = Infinity;

  /**
   * Prepares the shutdown of a server.
   *
   * @param connections The server's connections.
   * @param dropAll Drops every connection that is still open.
   */
  constructor(connections: Iterable<WebSocketConnection>, dropAll: () => void) {
    this.#connections = connections;
    this.#dropAll = dropAll;
  }

  /** Starts the shutdown, or continues it with other options. The deadline can only become earlier. */
  begin(config: ShutdownConfig): void {
    const now = performance.now();
    this.#dropAfter(config.deadline, now);
    clearTimeout(this.#closeTimer);
    this.#pending = shuffled(this.#connections);
    this.#close(config, this.#pending.length, now);
  }

  /** Stops all timers: every connection is closed. */
  end(): void {
    this.#pending = [];
    clearTimeout(this.#closeTimer);
    clearTimeout(this.#dropTimer);
  }

  #dropAfter(deadline: number, now: number): void {
    if (now + deadline >= this.#dropAt || deadline > MAX_DELAY) return;
    this.#dropAt = now + deadline;
    clearTimeout(this.#dropTimer);
    this.#dropTimer = setTimeout(this.#dropAll, deadline);
  }

  /** Closes the connections that are due: the first at once, the last at the end of the spread. */
  #close(config: ShutdownConfig, count: number, startedAt: number): void {
    const { code, reason, spread } = config;
    const elapsed = performance.now() - startedAt;
    const passed = spread === 0 ? 1 : elapsed / spread;
    const remaining = Math.max(Math.ceil((1 - passed) * (count - 1)), 0);
    while (this.#pending.length > remaining) this.#pending.pop()!.close(code, reason);
    if (remaining === 0) return;
    const next = (1 - (remaining - 1) / (count - 1)) * spread - elapsed;
    const wait = Math.min(Math.max(next, MIN_INTERVAL), MAX_DELAY);
    this.#closeTimer = setTimeout(() => this.#close(config, count, startedAt), wait);
  }
}

function shuffled<T>(items: Iterable<T>): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}
