import type { Clock } from "../util/timers.ts";

/** A clock that a test sets forward. Its event loop is never busy, except in `stall()`. */
export class FakeClock implements Clock {
  /** The time, in milliseconds. */
  time = 1_000_003;
  /** The timers that have not fired, by id. */
  readonly pending: Map<number, { callback: () => void; at: number }> = new Map();
  /** The number of timers that have been set. */
  count = 0;

  /** Returns the time, in milliseconds. */
  now(): number {
    return this.time;
  }

  /** Calls back once, after `ms` milliseconds. */
  set(callback: () => void, ms: number): number {
    this.pending.set(++this.count, { callback, at: this.time + ms });
    return this.count;
  }

  /** Cancels a `set()`. */
  clear(id: unknown): void {
    this.pending.delete(id as number);
  }

  /** The time of the timer that fires next; `Infinity` if there is none. */
  get nextAt(): number {
    return Math.min(Infinity, ...Array.from(this.pending.values(), ({ at }) => at));
  }

  /** Lets time pass. Each timer fires at its time. */
  advance(ms: number): void {
    const end = this.time + ms;
    while (true) {
      const next = [...this.pending].sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined || next[1].at > end) break;
      this.time = Math.max(this.time, next[1].at);
      this.pending.delete(next[0]);
      next[1].callback();
    }
    this.time = end;
  }

  /** Lets time pass in which the event loop is blocked: timers fire at the end, late. */
  stall(ms: number): void {
    this.time += ms;
    this.advance(0);
  }
}
