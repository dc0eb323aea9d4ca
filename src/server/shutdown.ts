import { encodeClosePayload } from "../protocol/close_code.ts";
import type { WebSocketConnection } from "../connection/connection.ts";

/** Options of `shutdown()`. */
export interface ShutdownOptions {
  /**
   * The close code for all connections.
   *
   * @default {1001} the server goes away
   */
  code?: number;
  /** The reason, for people: at most 123 bytes of UTF-8. */
  reason?: string;
  /**
   * Over how long the Close frames are spread, in milliseconds, in random order, so that the clients
   * don't all come back in the same second.
   *
   * @default {0} all at once
   */
  spread?: number;
  /**
   * When whoever is still there is dropped, in milliseconds from now: who takes its time to read what
   * has been sent. Who does not read at all is dropped earlier, by `closeTimeout`.
   *
   * @default {undefined} 30 s after the last Close frame
   */
  deadline?: number;
  /**
   * Whether to go on listening until the last WebSocket is gone: plain HTTP is answered as before, and
   * who asks for a WebSocket gets 503 and `Retry-After`, so that a load balancer can find another
   * server.
   *
   * @default {false}
   */
  drain?: boolean;
}

/** The default of `deadline`, after `spread`, in milliseconds. */
const GRACE = 30_000;
/** How much later than it should a connection may be told, in milliseconds: a timer for many. */
const TICK = 10;
/** The longest time that a timer can wait, in milliseconds: more is for ever. */
const MAX_DELAY = 0x7fffffff;

/** The options of `shutdown()`, checked. */
export type ShutdownPlan = Required<Omit<ShutdownOptions, "reason">> & {
  readonly reason: string | undefined;
};

/**
 * Checks the options of `shutdown()`.
 *
 * @throws {RangeError} where the code may not be sent, or a time is not a number of at least 0.
 * @throws {DOMException} a `SyntaxError` where the reason is too long.
 */
export function planShutdown(options: ShutdownOptions): ShutdownPlan {
  const { code = 1001, reason, spread = 0, deadline = spread + GRACE, drain = false } = options;
  encodeClosePayload(code, reason);
  if (!(Number.isFinite(spread) && spread >= 0)) {
    throw new RangeError(`Cannot shut down: spread ${spread}, expected at least 0 ms`);
  }
  if (!(typeof deadline === "number" && deadline >= 0)) {
    throw new RangeError(`Cannot shut down: deadline ${deadline}, expected at least 0 ms`);
  }
  return { code, reason, spread, deadline, drain };
}

/** The end of a server's connections: closes them, over a time, and drops who is left after that. */
export class Shutdown {
  readonly #connections: Iterable<WebSocketConnection>;
  readonly #dropAll: () => void;
  #pending: WebSocketConnection[] = [];
  #closing: ReturnType<typeof setTimeout> | undefined;
  #dropping: ReturnType<typeof setTimeout> | undefined;
  #dropAt = Infinity;

  /**
   * @param connections The server's.
   * @param dropAll Drops whatever there still is.
   */
  constructor(connections: Iterable<WebSocketConnection>, dropAll: () => void) {
    this.#connections = connections;
    this.#dropAll = dropAll;
  }

  /** Begins, or goes on by another plan, which can move the deadline to an earlier time only. */
  begin(plan: ShutdownPlan): void {
    const now = performance.now();
    this.#dropAfter(plan.deadline, now);
    clearTimeout(this.#closing);
    this.#pending = shuffled(this.#connections);
    this.#close(plan, this.#pending.length, now);
  }

  /** Everything has gone: no timer is left. */
  end(): void {
    this.#pending = [];
    clearTimeout(this.#closing);
    clearTimeout(this.#dropping);
  }

  #dropAfter(deadline: number, now: number): void {
    if (now + deadline >= this.#dropAt || deadline > MAX_DELAY) return;
    this.#dropAt = now + deadline;
    clearTimeout(this.#dropping);
    this.#dropping = setTimeout(this.#dropAll, deadline);
  }

  /** Closes those whose time has come: the first at once, the last at the end of the spread. */
  #close(plan: ShutdownPlan, count: number, startedAt: number): void {
    const { code, reason, spread } = plan;
    const elapsed = performance.now() - startedAt;
    const share = spread === 0 ? 1 : elapsed / spread;
    const left = Math.max(Math.ceil((1 - share) * (count - 1)), 0);
    while (this.#pending.length > left) this.#pending.pop()!.close(code, reason);
    if (left === 0) return;
    const next = (1 - (left - 1) / (count - 1)) * spread - elapsed;
    const wait = Math.min(Math.max(next, TICK), MAX_DELAY);
    this.#closing = setTimeout(() => this.#close(plan, count, startedAt), wait);
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
