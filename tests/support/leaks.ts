/** What must not be left of a connection: timers, promises, listeners, rejections that nobody sees. */

import process from "node:process";
import { assertEquals, fail, onTestEnd } from "../harness.ts";

const { setTimeout: realSetTimeout } = globalThis;

/** How long a timer that is shared by many may outlive them, in milliseconds. */
const PATIENCE = 3000;

/** The functions that set timers, of either runtime. */
interface Timers {
  setTimeout(run: () => void, ms?: number): unknown;
  clearTimeout(id: unknown): void;
  setInterval(run: () => void, ms?: number): unknown;
  clearInterval(id: unknown): void;
}

/** Counts the timers that are set until the end of the test. */
export class TimerWatch {
  /** Those that have neither fired nor been cleared, each in words. */
  readonly live: Map<unknown, string> = new Map();
  /** How many have been set. */
  count = 0;

  constructor() {
    const own = globalThis as unknown as Timers;
    const { setTimeout, clearTimeout, setInterval, clearInterval } = own;
    const add = (id: unknown, ms: unknown): void => {
      this.count++;
      this.live.set(id, `a timer of ${ms} ms`);
    };
    own.setTimeout = (run, ms) => {
      const id = setTimeout(() => {
        this.live.delete(id);
        run();
      }, ms);
      add(id, ms);
      return id;
    };
    own.setInterval = (run, ms) => {
      const id = setInterval(run, ms);
      add(id, ms);
      return id;
    };
    own.clearTimeout = (id) => {
      this.live.delete(id);
      clearTimeout(id);
    };
    own.clearInterval = (id) => {
      this.live.delete(id);
      clearInterval(id);
    };
    onTestEnd(() => {
      Object.assign(own, { setTimeout, clearTimeout, setInterval, clearInterval });
    });
  }

  /** Fails unless every timer has fired or is cleared, before long. */
  async assertNone(what: string, ms: number = PATIENCE): Promise<void> {
    const since = performance.now();
    while (this.live.size > 0) {
      if (performance.now() - since > ms) {
        fail(`${what}: ${this.live.size} timers are left: ${[...new Set(this.live.values())]}`);
      }
      await new Promise((resolve) => realSetTimeout(resolve, 5));
    }
  }
}

/** A timer that a {@linkcode TimerWatch} does not see. */
export function unwatchedDelay(ms: number): Promise<void> {
  return new Promise((resolve) => realSetTimeout(resolve, ms));
}

/** The promises that somebody waits for, each with a name: all have to settle. */
export class PromiseWatch {
  readonly #pending = new Map<number, string>();
  readonly #rejected: { name: string; error: unknown }[] = [];
  #nextId = 0;

  /** Watches a promise; a rejection of it is seen to. */
  watch<Value>(name: string, promise: Promise<Value>): Promise<Value> {
    const id = this.#nextId++;
    this.#pending.set(id, name);
    promise.then(
      () => this.#pending.delete(id),
      (error) => {
        this.#pending.delete(id);
        this.#rejected.push({ name, error });
      },
    );
    return promise;
  }

  /** The names of those that have not settled. */
  get pending(): string[] {
    return [...this.#pending.values()];
  }

  /** Those that have rejected. */
  get rejected(): readonly { name: string; error: unknown }[] {
    return this.#rejected;
  }
}

/** A signal whose listeners are counted. */
export class CountedSignal {
  readonly signal: AbortSignal = new AbortController().signal;
  /** How many listeners there are. */
  listeners = 0;

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      this.listeners++;
      add(...args);
    }) as typeof signal.addEventListener;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      this.listeners--;
      remove(...args);
    }) as typeof signal.removeEventListener;
  }
}

/** Collects the rejections that nobody sees to, until the end of the test, which then fails. */
export function watchRejections(): unknown[] {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  process.on("unhandledRejection", onError);
  onTestEnd(async () => {
    await unwatchedDelay(1);
    process.off("unhandledRejection", onError);
    assertEquals(errors, [], "rejections that nobody sees to");
  });
  return errors;
}
