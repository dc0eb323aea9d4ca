import type { Clock } from "../../src/util/timers.ts";

/** A clock that a test sets forward, as an event loop that is never busy would see it. */
export class FakeClock implements Clock {
  /** The time, in milliseconds. */
  time = 1_000_003;
  /** What is set and has not fired. */
  readonly pending = new Map<number, { callback: () => void; at: number }>();
  /** How many have been set so far. */
  count = 0;

  now(): number {
    return this.time;
  }

  set(callback: () => void, ms: number): number {
    this.pending.set(++this.count, { callback, at: this.time + ms });
    return this.count;
  }

  clear(id: unknown): void {
    this.pending.delete(id as number);
  }

  /** Lets time pass, and all fire that is due, each when it is. */
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

  /** Lets time pass in which nothing turns; what is due then fires at once, late. */
  stall(ms: number): void {
    this.time += ms;
    this.advance(0);
  }
}
