/** The connection of a client and a broker, or of two other processes. */

import type { Random } from "../../fuzz/random.ts";
import type { ClusterClock, Host } from "./clock.ts";

/** The delays of a network, in milliseconds. */
export interface Delays {
  /** The usual one, at most. */
  readonly usual: number;
  /** The longest one. */
  readonly longest: number;
}

/** Something on its way. */
interface InFlight {
  readonly run: () => void;
  readonly host: Host | undefined;
}

/** One direction: what is sent arrives in order, late, or not at all. */
class Direction {
  #lastAt = 0;
  /** What has come while the link is frozen, or the receiver's event loop blocked. */
  #held: InFlight[] = [];

  constructor(readonly link: Link) {}

  send(host: Host | undefined, run: () => void): void {
    const { clock, random, delays, generation } = this.link;
    const delay = random.once(20) ? random.below(delays.longest + 1) : random.below(delays.usual);
    this.#lastAt = Math.max(this.#lastAt, clock.now + delay);
    const inFlight = { run, host };
    clock.after(this.#lastAt - clock.now, undefined, () => {
      if (this.link.generation !== generation) return;
      const isBusy = host !== undefined && host.busyUntil > clock.now;
      if (!this.link.isFrozen && !isBusy && this.#held.length === 0) return this.#arrive(inFlight);
      this.#held.push(inFlight);
      if (isBusy) this.flush();
    });
  }

  #arrive({ run, host }: InFlight): void {
    if (host === undefined) run();
    else if (host.isAlive) this.link.clock.on(host, run);
  }

  /** Lets everything arrive that is held, as soon as it can. */
  flush(): void {
    const { clock, generation } = this.link;
    const host = this.#held[0]?.host;
    if (this.link.isFrozen || this.#held.length === 0) return;
    if (host !== undefined && host.busyUntil > clock.now) {
      clock.after(host.busyUntil - clock.now, undefined, () => {
        if (this.link.generation === generation) this.flush();
      });
      return;
    }
    while (this.#held.length > 0 && this.link.generation === generation) {
      this.#arrive(this.#held.shift()!);
    }
  }

  clear(): void {
    this.#held = [];
    this.#lastAt = 0;
  }
}

/** A connection that can be cut, or frozen: then nothing arrives, and neither end is told. */
export class Link {
  readonly clock: ClusterClock;
  readonly random: Random;
  readonly delays: Delays;
  isUp = false;
  isFrozen = false;
  /** The number of the connection: what one connection has sent does not arrive on the next. */
  generation = 0;
  /** How many of the next messages to the client are lost, or come twice. */
  losses = 0;
  repeats = 0;
  readonly #host: Host;
  readonly #up = new Direction(this);
  readonly #down = new Direction(this);

  constructor(clock: ClusterClock, random: Random, delays: Delays, host: Host) {
    this.clock = clock;
    this.random = random;
    this.delays = delays;
    this.#host = host;
  }

  /** Sends to the broker. */
  up(run: () => void): void {
    this.#up.send(undefined, run);
  }

  /** Sends to the client. */
  down(run: () => void): void {
    this.#down.send(this.#host, run);
  }

  /** Sends a message of a subscription to the client: the broker may lose it, or send it twice. */
  message(run: () => void, mayBeLost: boolean): void {
    if (mayBeLost && this.losses > 0) {
      this.losses--;
      return;
    }
    this.down(run);
    if (this.repeats > 0) {
      this.repeats--;
      this.down(run);
    }
  }

  /** Ends the connection: what is on its way is lost. */
  cut(): void {
    this.isUp = false;
    this.isFrozen = false;
    this.generation++;
    this.losses = this.repeats = 0;
    this.#up.clear();
    this.#down.clear();
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    this.#up.flush();
    this.#down.flush();
  }
}
