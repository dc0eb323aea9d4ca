import { CloseCode } from "../protocol/close_code.ts";
import { HandshakeError } from "../http/errors.ts";
import type { CloseInfo } from "../connection/close_info.ts";

/** The longest delay that a timer can have, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

/** When the next attempt is made, and whether. */
export interface BackoffOptions {
  /**
   * The longest wait after the first failure, in milliseconds.
   *
   * @default {1000} 1 s
   */
  initialDelay?: number;
  /**
   * By how much the longest wait grows with each further failure; 1 for not at all.
   *
   * @default {2}
   */
  factor?: number;
  /**
   * What the longest wait never exceeds, in milliseconds.
   *
   * @default {30000} 30 s
   */
  maxDelay?: number;
  /**
   * After how many attempts in a row that failed, or led to a connection that was not stable, to give
   * up.
   *
   * @default {Infinity} never
   */
  maxAttempts?: number;
  /**
   * How long a connection must have been open for the counts to begin anew, in milliseconds: a server
   * that accepts and closes at once is not to be asked again at full speed.
   *
   * @default {5000} 5 s
   */
  stableAfter?: number;
  /**
   * Where in the range from none to the longest wait the next one lies: a number from 0 up to 1. It's
   * an option for tests.
   *
   * @default {Math.random}
   */
  random?: () => number;
}

/**
 * Exponential backoff with full jitter: the wait before an attempt is anything from nothing to a bound
 * that doubles with every failure. So the clients of a server that was away don't all come back at
 * once, as they would with a wait that is the same for all, nor in waves.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #failures = 0;

  /** @throws {RangeError} where an option is out of range. */
  constructor(options: BackoffOptions) {
    const {
      initialDelay = 1000,
      factor = 2,
      maxDelay = 30_000,
      maxAttempts = Infinity,
      stableAfter = 5000,
      random = Math.random,
    } = options;
    check("initialDelay", initialDelay, initialDelay > 0 && initialDelay <= MAX_TIMER, "above 0");
    check("factor", factor, factor >= 1 && factor < Infinity, "from 1");
    check("maxDelay", maxDelay, maxDelay > 0 && maxDelay <= MAX_TIMER, `above 0, to ${MAX_TIMER}`);
    const isCount = Number.isInteger(maxAttempts) || maxAttempts === Infinity;
    check("maxAttempts", maxAttempts, isCount && maxAttempts >= 1, "as an integer from 1");
    check("stableAfter", stableAfter, stableAfter >= 0, "from 0");
    this.#options = { initialDelay, factor, maxDelay, maxAttempts, stableAfter, random };
  }

  /** Which attempt the next one is: 1 for the first. */
  get attempt(): number {
    return this.#failures + 1;
  }

  /**
   * An attempt has failed, or the connection that it led to has ended.
   *
   * @param openFor For how long it was open, in milliseconds; `undefined` where it wasn't.
   * @returns how long to wait before the next attempt, in milliseconds; `undefined` where there is to
   * be none.
   */
  next(openFor: number | undefined): number | undefined {
    const { initialDelay, factor, maxDelay, maxAttempts, stableAfter, random } = this.#options;
    if (openFor !== undefined && openFor >= stableAfter) this.#failures = 0;
    else this.#failures++;
    if (this.#failures >= maxAttempts) return undefined;
    const longest = initialDelay * factor ** Math.max(this.#failures - 1, 0);
    return random() * Math.min(longest, maxDelay);
  }
}

/**
 * Whether another attempt would be in vain, as far as one can tell; what `isFinal` of
 * {@linkcode ReconnectingWebSocket} is by default:
 *
 * - the server closed with 1000, which says that it's done, or 1008, which says that it won't have us;
 * - the handshake was answered with a 4xx: 401, 403 and 404, for example; but not 408, 425 and 429,
 *   which ask for patience;
 * - the request can't be made at all: a URL, a header or another option is malformed.
 *
 * @example More closes that are final
 * ```ts
 * import { isFinalClose, type ReconnectOptions } from "@sluice/websocket";
 * import { assert } from "@std/assert";
 *
 * const options: ReconnectOptions = {
 *   isFinal: (info) => isFinalClose(info) || info.closeCode === 4001,
 * };
 * assert(options.isFinal!({ closeCode: 4001, reason: "", wasClean: true }));
 * assert(!options.isFinal!({ closeCode: 1006, reason: "", wasClean: false }));
 * ```
 */
export function isFinalClose({ closeCode, error }: CloseInfo): boolean {
  if (error instanceof HandshakeError) {
    const { status } = error;
    return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429;
  }
  if (error instanceof TypeError || error instanceof RangeError) return true;
  if (error instanceof DOMException && error.name === "SyntaxError") return true;
  return closeCode === CloseCode.NormalClosure || closeCode === CloseCode.PolicyViolation;
}

function check(name: string, value: unknown, isValid: boolean, expected: string): void {
  if (typeof value === "number" && isValid) return;
  throw new RangeError(`Cannot use ${name}: expected a number ${expected}, got ${value}`);
}

/** Resolves after so many milliseconds, or when the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", onAbort);
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
}
