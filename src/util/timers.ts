/** How many ticks a wheel goes round in; a power of two. */
const SLOTS = 128;
/**
 * The most ticks that a timer may wait for, as it's started: with what may pass unseen of a tick that
 * is late, it must not come full circle. So a timer takes 60 to 120 ticks of its wheel.
 */
const MAX_TICKS = 120;
/** The shortest tick, in milliseconds. */
const MIN_TICK = 4;
/** From how many ticks on a delay is a stall. */
const STALL = 4;
/** For how long after a stall, in milliseconds, what came meanwhile may still be on its way in. */
const AFTER_STALL = 1000;
/** The longest delay that the runtime's timers can have, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/** What {@linkcode Timers} run on. */
export interface Clock {
  /** The time, in milliseconds; it never goes back. */
  now(): number;
  /** Calls back once, in so many milliseconds. */
  set(callback: () => void, ms: number): unknown;
  /** Takes a `set()` back. */
  clear(id: unknown): void;
}

const runtimeClock: Clock = {
  now: () => performance.now(),
  set: (callback, ms) => setTimeout(callback, ms),
  clear: (id) => clearTimeout(id as ReturnType<typeof setTimeout>),
};

/** A place in a ring. */
class Link {
  previous: Link = this;
  next: Link = this;
}

/**
 * Whoever waits for a time to be up. It's itself what a {@linkcode Wheel} puts in its rings: to wait
 * takes no further object, however often it's begun anew.
 */
export abstract class Timer extends Link {
  /** The wheel it's in, while it waits. */
  wheel: Wheel | undefined;

  /** The time is up: called once for each start, unless it's stopped or started anew before. */
  abstract timeUp(): void;

  /** Waits no more. */
  stopTimer(): void {
    this.wheel?.remove(this);
  }
}

/** What a {@linkcode Wheel} asks of the {@linkcode Timers} that it's one of. */
interface WheelOwner {
  now(): number;
  /** The wheel has its first timer. */
  begun(wheel: Wheel): void;
  /** The wheel has no timer any more. */
  emptied(): void;
}

/** The timers of about the same length: they wait in a ring for each tick. */
export class Wheel {
  /** How long a tick takes, in milliseconds: a power of two. */
  readonly tick: number;
  readonly #owner: WheelOwner;
  readonly #slots: Link[] = Array.from({ length: SLOTS }, () => new Link());
  #now = 0;
  /** When the tick began that has not ended. */
  #since = 0;
  #count = 0;
  #wasStalled = false;

  constructor(tick: number, owner: WheelOwner) {
    this.tick = tick;
    this.#owner = owner;
  }

  /** The time, in ticks: it stands still while no timer waits here, or the event loop is stalled. */
  get now(): number {
    return this.#now;
  }

  /** When the next tick is, in milliseconds; `Infinity` where no timer waits. */
  get dueAt(): number {
    return this.#count === 0 ? Infinity : this.#since + this.tick;
  }

  /** Starts a timer, anew where it waits already, here or elsewhere; at most 120 ticks. */
  start(timer: Timer, ms: number): void {
    if (timer.wheel === this) this.#unlink(timer);
    else timer.stopTimer();
    const { tick } = this;
    const now = this.#owner.now();
    if (this.#count === 0) {
      // All wheels' ticks begin together, so that they share the runtime's timer.
      this.#since = now - now % tick;
      this.#wasStalled = false;
    }
    const late = now - this.#since;
    // Of a stall nothing will be counted, or the fixed part that `turn()` counts of the next one.
    const isStall = late >= STALL * tick;
    const ahead = !isStall ? late : this.#wasStalled ? STALL * tick : 0;
    const ticks = Math.ceil((ms + ahead) / tick);
    const after = this.#slots[(this.#now + Math.max(ticks, 1)) & (SLOTS - 1)]!;
    timer.wheel = this;
    timer.next = after;
    timer.previous = after.previous;
    after.previous.next = timer;
    after.previous = timer;
    if (this.#count++ === 0) this.#owner.begun(this);
  }

  /** Takes a timer out. */
  remove(timer: Timer): void {
    this.#unlink(timer);
    if (this.#count === 0) this.#owner.emptied();
  }

  /** Lets the ticks pass that have by the clock. */
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
    // A loop that was stalled has not read what came meanwhile: it does before the next tick, and the
    // time is not counted. Where turn after turn takes that long, some of it is, or it would stand still.
    const isStalling = this.#wasStalled;
    this.#wasStalled = !isStalling;
    this.#since = now - now % this.tick + (isStalling ? 0 : this.tick);
    if (isStalling) this.#pass(STALL - 1);
  }

  #pass(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      const slot = this.#slots[++this.#now & (SLOTS - 1)]!;
      while (slot.next !== slot) {
        const timer = slot.next as Timer;
        this.#unlink(timer);
        try {
          timer.timeUp();
        } catch (error) {
          // As of any timer: it's reported, and keeps none of the others.
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
 * The timers of all connections, on one timer of the runtime's, which is set only while one waits. To
 * start and to stop one costs the same however many there are.
 *
 * They count the *time awake*: what passes while the event loop is kept from turning counts for no
 * timer, since what came meanwhile has not been read. Invariant: between a timer's start and its end
 * the event loop has turned, and read, at least once for every three ticks of its wheel.
 *
 * They are coarse: up to 3 % late, where that is more than a tick of 4 ms, and never early.
 */
export class Timers implements WheelOwner {
  readonly #clock: Clock;
  readonly #wheels: Wheel[] = [];
  #id: unknown;
  /** When the runtime's timer should fire; `Infinity` where it's not set. */
  #dueAt = Infinity;
  #isTurning = false;
  readonly #onTurn = (): void => this.#turn();
  #stall = 0;
  #stalledUntil = -Infinity;

  /** @param clock A test's own; the runtime's where left out. */
  constructor(clock: Clock = runtimeClock) {
    this.#clock = clock;
  }

  /** Starts a timer, anew where it waits already; one of `Infinity` milliseconds is stopped. */
  start(timer: Timer, ms: number): void {
    if (ms === Infinity) timer.stopTimer();
    else this.wheelFor(ms).start(timer, ms);
  }

  /** The wheel for timers of so many milliseconds: the finest that they fit in. */
  wheelFor(ms: number): Wheel {
    let index = 0;
    let tick = MIN_TICK;
    for (; tick * MAX_TICKS < ms; tick *= 2) index++;
    return this.#wheels[index] ??= new Wheel(tick, this);
  }

  /** The time, in milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /**
   * For how long the event loop has been kept from turning, in milliseconds, until now or within the
   * last second: so much may come at once of what was sent one by one. It's known while a timer waits.
   */
  stall(now: number): number {
    const recent = now - this.#stalledUntil < AFTER_STALL ? this.#stall : 0;
    return Math.max(recent, now - this.#dueAt);
  }

  /** A wheel's own: it has its first timer. */
  begun(wheel: Wheel): void {
    if (!this.#isTurning && wheel.dueAt < this.#dueAt) this.#set(wheel.dueAt);
  }

  /** A wheel's own: its last timer is gone. */
  emptied(): void {
    // Where others have timers, theirs takes over when the runtime's fires.
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
