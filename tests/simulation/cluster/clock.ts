/**
 * One virtual clock for all processes of a cluster. The timers, the clock and the random numbers of the
 * runtime are replaced, so that a schedule depends on its seed alone. A schedule runs without a turn of
 * the runtime's event loop: after each event, `drain()` runs the microtasks that it has left.
 */

import { Random } from "../../fuzz/random.ts";

const runtimeNow = performance.now.bind(performance);
const { setTimeout: runtimeTimeout } = globalThis;

/** Returns the real time in milliseconds. */
export function realTime(): number {
  return runtimeNow();
}

/** Resolves in a later turn of the runtime's event loop. Rejections without a handler are reported by then. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => void runtimeTimeout(resolve, 0));
}

/** Runs a function as a task of the event loop: in a microtask, `drain()` would do nothing. */
export function inTask<T>(run: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    runtimeTimeout(() => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    }, 0);
  });
}

/** Runs all microtasks, from a task that is no microtask itself. */
let drain: () => void;
if ("Deno" in globalThis) {
  // deno-lint-ignore no-explicit-any
  const { Deno } = globalThis as any;
  const { core } = Deno[Deno.internal];
  drain = () => core.runMicrotasks();
} else {
  // A variable, so that Deno does not look for the module.
  const name = "bun:jsc";
  drain = (await import(name)).drainMicrotasks;
}

/** A process of the cluster. */
export class Host {
  isAlive = true;
  /** Until when its event loop is blocked. */
  busyUntil = 0;
  /** How far its clock is from the others', in milliseconds. */
  readonly offset: number;
  /** The timers that it has set and not cleared. */
  timers = 0;

  constructor(readonly name: string, offset: number) {
    this.offset = offset;
  }
}

/** An event at a time. */
export class ClockEvent {
  isTimer = false;
  interval = 0;

  constructor(
    public due: number,
    public order: number,
    readonly host: Host | undefined,
    public run: (() => void) | undefined,
  ) {}
}

function isBefore(a: ClockEvent, b: ClockEvent): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

/** The number of events of a schedule above which it is assumed to go on for ever. */
const MAX_EVENTS = 100_000;

/** The clock, with everything that is going to happen. */
export class ClusterClock {
  /** The time in milliseconds since the start of the schedule. */
  now = 0;
  /** The process whose code runs. */
  host: Host | undefined;
  /** The number of events so far. */
  count = 0;
  #maxCount = 0;
  /** Called with an exception of an event. */
  onError: (error: unknown) => void = () => {};
  #order = 0;
  #heap: ClockEvent[] = [];
  #random = new Random(0);

  /** Starts a schedule. */
  restart(seed: number): void {
    this.now = 0;
    this.#maxCount = this.count + MAX_EVENTS;
    this.host = undefined;
    this.#order = 0;
    this.#heap = [];
    this.#random = new Random(seed, 99);
  }

  /** Has an event happen in a process, after so many milliseconds. */
  after(ms: number, host: Host | undefined, run: () => void): ClockEvent {
    const event = new ClockEvent(this.now + ms, this.#order++, host, run);
    this.#push(event);
    return event;
  }

  /** Runs code of a process now, with its microtasks. */
  on(host: Host | undefined, run: () => void): void {
    this.host = host;
    try {
      run();
    } catch (error) {
      this.onError(error);
    }
    drain();
    this.host = undefined;
  }

  /** Lets time pass. */
  advance(ms: number): void {
    const target = this.now + ms;
    while (true) {
      const event = this.#heap[0];
      if (event === undefined || event.due > target) break;
      this.#pop();
      if (event.due > this.now) this.now = event.due;
      this.#fire(event);
    }
    this.now = target;
  }

  #fire(event: ClockEvent): void {
    const { host, run } = event;
    if (run === undefined || host?.isAlive === false) return;
    if (host !== undefined && host.busyUntil > this.now) {
      event.due = host.busyUntil;
      this.#push(event);
      return;
    }
    if (++this.count > this.#maxCount) {
      this.#heap = [];
      return this.onError(new Error("The events do not end"));
    }
    if (event.interval > 0) {
      event.due = this.now + event.interval;
      event.order = this.#order++;
      this.#push(event);
    } else if (event.isTimer) {
      host!.timers--;
      event.run = undefined;
    }
    if (host === undefined) run();
    else this.on(host, run);
  }

  #timer(run: () => void, ms: number, isInterval: boolean): ClockEvent {
    const delay = Math.max(1, ms || 0);
    const { host } = this;
    const event = this.after(delay, host, run);
    if (isInterval) event.interval = delay;
    if (host !== undefined) {
      event.isTimer = true;
      host.timers++;
    }
    return event;
  }

  #clear(event: unknown): void {
    if (!(event instanceof ClockEvent) || event.run === undefined) return;
    event.run = undefined;
    event.interval = 0;
    if (event.isTimer) event.host!.timers--;
  }

  /** Replaces the runtime's functions. */
  install(): void {
    const set = (name: string, value: unknown) =>
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    set("setTimeout", (run: () => void, ms: number) => this.#timer(run, ms, false));
    set("setImmediate", (run: () => void) => this.#timer(run, 0, false));
    set("setInterval", (run: () => void, ms: number) => this.#timer(run, ms, true));
    set("clearTimeout", (event: unknown) => this.#clear(event));
    set("clearInterval", (event: unknown) => this.#clear(event));
    performance.now = () => this.now + (this.host?.offset ?? 0);
    Date.now = () => 1.7e12 + this.now;
    Math.random = () => this.#random.next() / 2 ** 32;
    crypto.randomUUID = () => {
      const hex = () => this.#random.next().toString(16).padStart(8, "0");
      return `${hex()}-0000-4000-8000-0000${hex()}`;
    };
    crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
      if (array === null) return array;
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.#random.next();
      return array;
    };
  }

  #push(event: ClockEvent): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
