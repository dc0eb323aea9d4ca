// Time awake
//
// Timers count the time in which the event loop is awake, not the time of a clock. When the loop is
// stalled (by a long computation, a debugger, or a suspended machine), what the peers sent meanwhile
// lies unread in the kernel. When the loop goes on, the runtime may run its timers before it reads.
// With a clock, every pong timeout would then end at once, and close peers that answered in time.
//
// So a wheel's time is a number of ticks, and a stall counts for few of them:
// - The runtime calls `Timers.#turn()` once a tick. Up to 3 ticks late, all ticks that have passed count.
// - If it is STALL = 4 or more ticks late, the loop was stalled: no tick counts, and the next one is a
//   full tick away. Within that tick the loop turns, and reads what came meanwhile.
// - If the next turn is as late again, the loop is not stalled once, but slow all the time. Then 3
//   ticks count, whatever the delay: time goes on, slower than the clock.
//
// Invariant: between a timer's start and its end, the event loop has turned, and read, at least once in
// every 3 ticks of its wheel.
//
// A timer that starts while the loop is late, before `#turn()` has seen it, must not lose the ticks that
// are about to count. `Wheel.start()` adds them: the delay so far, or what the rules above will make of
// it if it is a stall.

import { MAX_DELAY } from "./max_delay.ts";

/** The number of ticks after which a wheel starts again; a power of two. */
const SLOTS = 128;
/**
 * The most ticks that a timer may wait: less than {@linkcode SLOTS} by the ticks that may be added for a
 * late tick. A timer takes 60 to 120 ticks of the wheel that {@linkcode Timers.wheelFor} chooses.
 */
const MAX_TICKS = 120;
/** The shortest tick, in milliseconds. */
const MIN_TICK = 4;
/** The delay of a tick, in ticks, from which on it is a stall. */
const STALL = 4;
/** The time after a stall, in milliseconds, in which newly read data may have arrived during the stall. */
const AFTER_STALL = 1000;

/** A clock and its timers, on which {@linkcode Timers} run. */
export interface Clock {
  /** Returns the time, in milliseconds; it never goes back. */
  now(): number;
  /** Calls back once, after `ms` milliseconds. */
  set(callback: () => void, ms: number): unknown;
  /** Cancels a `set()`. */
  clear(id: unknown): void;
}

const runtimeClock: Clock = {
  now: () => performance.now(),
  set: (callback, ms) => setTimeout(callback, ms),
  clear: (id) => clearTimeout(id as ReturnType<typeof setTimeout>),
};

/**
 * An object that waits for a time to be up: its own link in the ring of a {@linkcode Wheel}, so that to
 * wait takes no further object, however often it starts again.
 */
export abstract class Timer {
  /** The neighbours in the ring; the timer itself while it does not wait. */
  previous: Timer = this;
  next: Timer = this;
  /** The wheel, while it waits. */
  wheel: Wheel | undefined;

  /** The time is up: called once for each start, unless the timer is stopped or started again before. */
  abstract timeUp(): void;

  /** Stops waiting. */
  stopTimer(): void {
    this.wheel?.remove(this);
  }
}

/** A timer that calls a function, for an object that needs a second one. */
export class CallbackTimer extends Timer {
  readonly #onTimeUp: () => void;

  /** Creates a timer that is not started. */
  constructor(onTimeUp: () => void) {
    super();
    this.#onTimeUp = onTimeUp;
  }

  /** Calls the function. */
  timeUp(): void {
    this.#onTimeUp();
  }
}

/** The head of a ring of timers. */
class Ring extends Timer {
  override timeUp(): void {}
}

/** The timers of about the same length, in one ring for each tick. */
export class Wheel {
  /** The length of a tick, in milliseconds: a power of two times 4. */
  readonly tick: number;
  readonly #timers: Timers;
  readonly #slots: Timer[] = Array.from({ length: SLOTS }, () => new Ring());
  #now = 0;
  /** The start of the current tick, in milliseconds. */
  #since = 0;
  #count = 0;
  /** Whether the last tick was a stall that did not count. */
  #wasStalled = false;

  constructor(tick: number, timers: Timers) {
    this.tick = tick;
    this.#timers = timers;
  }

  /** The time awake, in ticks; it stands still while no timer waits here. */
  get now(): number {
    return this.#now;
  }

  /** The time of the next tick, in milliseconds; `Infinity` if no timer waits. */
  get dueAt(): number {
    return this.#count === 0 ? Infinity : this.#since + this.tick;
  }

  /** Starts a timer of at most 120 ticks; one that waits already, here or elsewhere, starts again. */
  start(timer: Timer, ms: number): void {
    if (timer.wheel === this) this.#unlink(timer);
    else timer.stopTimer();
    const { tick } = this;
    const now = this.#timers.now();
    if (this.#count === 0) {
      // The ticks of all wheels start together, so that one timer of the runtime serves them all.
      this.#since = now - now % tick;
      this.#wasStalled = false;
    }
    const late = now - this.#since;
    // Of a stall, `turn()` will count nothing; of the stall after a stall, less than STALL ticks.
    const isStall = late >= STALL * tick;
    const ahead = !isStall ? late : this.#wasStalled ? STALL * tick : 0;
    const ticks = Math.ceil((ms + ahead) / tick);
    const after = this.#slots[(this.#now + Math.max(ticks, 1)) & (SLOTS - 1)]!;
    timer.wheel = this;
    timer.next = after;
    timer.previous = after.previous;
    after.previous.next = timer;
    after.previous = timer;
    if (this.#count++ === 0) this.#timers.onFirstTimer(this);
  }

  /** Removes a timer. */
  remove(timer: Timer): void {
    this.#unlink(timer);
    if (this.#count === 0) this.#timers.onLastTimer();
  }

  /** Counts the ticks that have passed by the clock, by the rules at the top of this file. */
  turn(now: number): void {
    // The runtime's timers may be a fraction of a millisecond early.
    const passed = Math.floor((now - this.#since + 0.5) / this.tick);
    if (passed <= 0) return;
    if (passed < STALL) {
      this.#wasStalled = false;
      this.#since += passed * this.tick;
      this.#pass(passed);
      return;
    }
    // A stall. The next tick is a full one away, so that the loop reads before it.
    const isStalling = this.#wasStalled;
    this.#wasStalled = !isStalling;
    this.#since = now - now % this.tick + (isStalling ? 0 : this.tick);
    if (isStalling) this.#pass(STALL - 1);
  }

  #pass(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      const slot = this.#slots[++this.#now & (SLOTS - 1)]!;
      while (slot.next !== slot) {
        const timer = slot.next;
        this.#unlink(timer);
        try {
          timer.timeUp();
        } catch (error) {
          // Reported as the error of any timer is; the other timers go on.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  #unlink(timer: Timer): void {
    timer.previous.next = timer.next;
    timer.next.previous = timer.previous;
    timer.next = timer.previous = timer;
    timer.wheel = undefined;
    this.#count--;
  }
}

/**
 * The timers of all connections, on one timer of the runtime, which is set only while one of them waits.
 * Starting and stopping a timer costs the same however many there are. They count time awake, as
 * explained at the top of this file.
 *
 * They are coarse: up to 3 % late, or a tick of 4 ms if that is more, and never early.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #wheels: Wheel[] = [];
  #id: unknown;
  /** The time for which the runtime's timer is set; `Infinity` if it is not set. */
  #dueAt = Infinity;
  #isTurning = false;
  readonly #onTurn = (): void => this.#turn();
  /** The longest stall that ended within the last second, in milliseconds, and its end. */
  #stall = 0;
  #stalledUntil = -Infinity;

  /** @param clock The clock of a test; the runtime's by default. */
  constructor(clock: Clock = runtimeClock) {
    this.#clock = clock;
  }

  /** Starts a timer; one that waits already starts again. `Infinity` milliseconds stop it. */
  start(timer: Timer, ms: number): void {
    if (ms === Infinity) timer.stopTimer();
    else this.wheelFor(ms).start(timer, ms);
  }

  /** Returns the wheel for timers of `ms` milliseconds: the finest one that they fit in. */
  wheelFor(ms: number): Wheel {
    let index = 0;
    let tick = MIN_TICK;
    for (; tick * MAX_TICKS < ms; tick *= 2) index++;
    return this.#wheels[index] ??= new Wheel(tick, this);
  }

  /** Returns the time of the clock, in milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /**
   * Returns how long the event loop has been stalled, in milliseconds, until now or within the last
   * second: what peers sent one by one in that time may arrive at once. It is known while a timer
   * waits.
   */
  stall(now: number): number {
    const recent = now - this.#stalledUntil < AFTER_STALL ? this.#stall : 0;
    return Math.max(recent, now - this.#dueAt);
  }

  /** Called by a wheel that has its first timer. */
  onFirstTimer(wheel: Wheel): void {
    if (!this.#isTurning && wheel.dueAt < this.#dueAt) this.#set(wheel.dueAt);
  }

  /** Called by a wheel whose last timer has ended. */
  onLastTimer(): void {
    // If other wheels have timers, the next tick of theirs is set when the runtime's timer fires.
    if (!this.#isTurning && this.#nextDue() === Infinity) this.#clear();
  }

  #turn(): void {
    const now = this.now();
    const late = now - this.#dueAt;
    if (late > MIN_TICK && late >= this.stall(now)) {
      this.#stall = late;
      this.#stalledUntil = now;
    }
    this.#id = undefined;
    this.#dueAt = Infinity;
    this.#isTurning = true;
    this.#wheels.forEach((wheel) => {
      if (wheel.dueAt !== Infinity) wheel.turn(now);
    });
    this.#isTurning = false;
    const dueAt = this.#nextDue();
    if (dueAt !== Infinity) this.#set(dueAt);
  }

  /** A loop over at most 30 wheels. */
  #nextDue(): number {
    return this.#wheels.reduce((least, wheel) => Math.min(least, wheel.dueAt), Infinity);
  }

  #set(dueAt: number): void {
    this.#clear();
    this.#dueAt = dueAt;
    const ms = Math.ceil(dueAt - this.now());
    this.#id = this.#clock.set(this.#onTurn, Math.min(Math.max(ms, 1), MAX_DELAY));
  }

  #clear(): void {
    if (this.#id !== undefined) this.#clock.clear(this.#id);
    this.#id = undefined;
    this.#dueAt = Infinity;
  }
}

/** The timers of the process. */
export const timers: Timers = /* @__PURE__ */ new Timers();
