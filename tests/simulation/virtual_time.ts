/**
 * Virtual time for a whole process: the clock, the timers and the random numbers of the runtime are
 * replaced, so that a run depends on its seed alone. Install it before src/ is imported, since modules
 * keep what they find in `globalThis`.
 */

/** The runtime's own functions, before they are replaced. */
const { setImmediate: runtimeImmediate } = globalThis as unknown as {
  setImmediate: (run: () => void) => void;
};
const runtimeNow = performance.now.bind(performance);

/** Returns the real time in milliseconds. */
export function realTime(): number {
  return runtimeNow();
}

/** Resolves in the next turn of the runtime's event loop, when no microtask is left. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => runtimeImmediate(resolve));
}

/** What `setTimeout()` returns. */
class VirtualTimer {
  /** The place where it was set, for a report of timers that are left. */
  readonly place: string | undefined;

  constructor(readonly due: number, readonly order: number, readonly run: () => void) {
    this.place = tracesTimers ? new Error().stack : undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

let tracesTimers = false;

/** The length of a scenario's share of the clock, in milliseconds: a multiple of every timer's tick. */
const EPOCH = 2 ** 32;

/** The clock, the timers and the immediates of the process. */
export class VirtualTime {
  #now = EPOCH;
  #order = 0;
  #timers: VirtualTimer[] = [];
  #immediates: (() => void)[] = [];
  #random = 0;
  /** Called with what a timer or an immediate throws. */
  onError: (error: unknown) => void = () => {};

  /** The time in milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** The time since the start of the scenario, in milliseconds. */
  get elapsed(): number {
    return this.#now % EPOCH;
  }

  /** The timers that have not ended. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** The places where those timers were set, if `traceTimers()` was called. */
  get timerPlaces(): string[] {
    return this.#timers.map(({ due, place }) => `due in ${due - this.#now} ms\n${place ?? ""}`);
  }

  /** Whether an immediate waits. */
  get hasImmediates(): boolean {
    return this.#immediates.length > 0;
  }

  /** Has each timer remember where it was set, which is slow. */
  traceTimers(): void {
    tracesTimers = true;
  }

  /** Starts a scenario: drops what an earlier one has left, and sets a time that depends on nothing. */
  restart(): void {
    this.#now = (Math.floor(this.#now / EPOCH) + 1) * EPOCH;
    this.#timers = [];
    this.#immediates = [];
    this.#order = 0;
    this.#random = 0;
  }

  /** Replaces the runtime's functions. */
  install(): void {
    const setTimeout = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const due = this.#now + Math.max(1, Number(ms) || 0);
      const timer = new VirtualTimer(due, this.#order++, () => run(...args));
      this.#timers.push(timer);
      return timer;
    };
    const clearTimeout = (timer: unknown) => {
      const index = this.#timers.indexOf(timer as VirtualTimer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
    const setImmediate = (run: (...args: unknown[]) => void, ...args: unknown[]) => {
      this.#immediates.push(() => run(...args));
    };
    const setInterval = () => {
      throw new Error("Cannot simulate setInterval()");
    };
    for (
      const [name, value] of Object.entries({
        setTimeout,
        clearTimeout,
        setImmediate,
        setInterval,
        clearInterval: clearTimeout,
      })
    ) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    }
    performance.now = () => this.#now;
    Date.now = () => 1.7e12 + (this.#now % EPOCH);
    // Fractions that differ from each other, the same in each scenario.
    Math.random = () => (++this.#random * 0.618033988749895) % 1;
    // One pattern always, since callers keep random bytes from one scenario to the next.
    crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
      if (array === null) return array;
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let i = 0; i < bytes.length; i++) bytes[i] = (i % 4) * 0x35 + 0x1b;
      return array;
    };
  }

  /** Runs the immediates that wait. */
  async runImmediates(): Promise<void> {
    const immediates = this.#immediates;
    this.#immediates = [];
    for (const run of immediates) {
      this.#call(run);
      await realTurn();
    }
  }

  /** Lets time pass: runs each timer when it is due, with its microtasks and immediates. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await this.runImmediates();
    while (true) {
      const next = this.#next();
      if (next === undefined || next.due > target) break;
      this.#now = Math.max(this.#now, next.due);
      await this.#fire(next);
    }
    this.#now = Math.max(this.#now, target);
  }

  /** Lets time pass while the event loop is stalled; the timers that became due run after that, late. */
  async stall(ms: number): Promise<void> {
    this.#now += ms;
    const { now } = this;
    const order = this.#order;
    while (true) {
      const next = this.#next();
      if (next === undefined || next.due > now || next.order >= order) break;
      await this.#fire(next);
    }
  }

  /** The delay of the next timer in milliseconds; `undefined` if there is none. */
  get untilNext(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : Math.max(0, next.due - this.#now);
  }

  async #fire(timer: VirtualTimer): Promise<void> {
    this.#timers.splice(this.#timers.indexOf(timer), 1);
    this.#call(timer.run);
    await realTurn();
    await this.runImmediates();
  }

  #next(): VirtualTimer | undefined {
    let next: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      const isEarlier = next === undefined || timer.due < next.due ||
        (timer.due === next.due && timer.order < next.order);
      if (isEarlier) next = timer;
    }
    return next;
  }

  #call(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.onError(error);
    }
  }
}
