/** Detects what a connection must not leave behind: timers, promises, listeners, unhandled rejections. */

import process from "node:process";
import { assertEquals, fail, onTestEnd } from "../harness.ts";

const { setTimeout: realSetTimeout } = globalThis;

/** How long a timer that connections share may outlive them, in milliseconds. */
const PATIENCE = 3000;

/** The functions that set timers, of either runtime. */
interface Timers {
  setTimeout(run: () => void, ms?: number): unknown;
  clearTimeout(id: unknown): void;
  setInterval(run: () => void, ms?: number): unknown;
  clearInterval(id: unknown): void;
}

/** Records the timers that are set until the end of the test. */
export class TimerWatch {
  /** The timers that have neither fired nor been cleared, in words. */
  readonly live: Map<unknown, string> = new Map();
  /** The number of timers that have been set. */
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

  /** Waits until every timer has fired or is cleared; fails after a while. */
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

/** Waits with a timer that a {@linkcode TimerWatch} does not record. */
export function unwatchedDelay(ms: number): Promise<void> {
  return new Promise((resolve) => realSetTimeout(resolve, ms));
}

/** Promises by name, all of which must settle. */
export class PromiseWatch {
  readonly #pending = new Map<number, string>();
  readonly #rejected: { name: string; error: unknown }[] = [];
  #nextId = 0;

  /** Watches a promise and handles its rejection. */
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

  /** The names of the pending promises. */
  get pending(): string[] {
    return [...this.#pending.values()];
  }

  /** The names of the rejected promises. */
  get rejected(): readonly { name: string; error: unknown }[] {
    return this.#rejected;
  }
}

/** An abort signal that counts its listeners. */
export class CountedSignal {
  readonly signal: AbortSignal = new AbortController().signal;
  /** The number of listeners. */
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

/** Fails the test at its end if a rejection was not handled. */
export function watchRejections(): unknown[] {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  process.on("unhandledRejection", onError);
  onTestEnd(async () => {
    await unwatchedDelay(1);
    process.off("unhandledRejection", onError);
    assertEquals(errors, [], "unhandled rejections");
  });
  return errors;
}
