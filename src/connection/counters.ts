import type { CloseInfo } from "./close_info.ts";

/** The most different keys of a {@linkcode Tally}: peers choose close codes, and each key costs memory. */
const MAX_KEYS = 64;

/** The upper bounds of the buckets of {@linkcode RoundTrips}, in milliseconds. */
export const ROUND_TRIP_BOUNDS: readonly number[] = /* @__PURE__ */ Object.freeze([
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10_000,
]);

/** The number of events by a key; further keys than 64 are counted together, as `other`. */
export class Tally {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** The number of all events. */
  get total(): number {
    return this.#total;
  }

  /** Counts an event. */
  add(key: string | number): void {
    this.#total++;
    const isNew = !this.#counts.has(`${key}`);
    const name = isNew && this.#counts.size >= MAX_KEYS ? "other" : `${key}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Returns a copy of the numbers by key. */
  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** The round trips of pings, as a histogram. */
export interface RoundTrips {
  /** The number of Pings that were answered. */
  readonly count: number;
  /** The sum of their round trips, in milliseconds. */
  readonly sum: number;
  /** The upper bounds of the buckets, in milliseconds, inclusive. The last bucket has none. */
  readonly bounds: readonly number[];
  /** The number of round trips in each bucket: one more than there are bounds. */
  readonly counts: readonly number[];
}

/**
 * Counts the events of connections. All connections of a server have the same object in their settings, so
 * that counting costs a connection no memory, and an increment for each event.
 */
export class ConnectionCounters {
  /** WebSockets that have opened. */
  opened = 0;
  /** Whole messages that were received, and that were queued to be sent. */
  messagesReceived = 0;
  messagesSent = 0;
  /** Bytes that the transports have received, and that they have written. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Ping frames. */
  pingsReceived = 0;
  pingsSent = 0;
  /** Messages that were not sent, because the send queue had no room. */
  overflows = 0;
  /** How often a peer has exceeded `messageRate` or `byteRate`. */
  rateLimited = 0;
  /** WebSockets that were closed, by the received close code. */
  readonly closedByCode: Tally = new Tally();
  /** WebSockets that an error has ended, by its code. */
  readonly failedByReason: Tally = new Tally();
  /** Called with each round trip, in milliseconds. */
  readonly roundTripListeners: Set<(ms: number) => void> = new Set();
  readonly #roundTrips = ROUND_TRIP_BOUNDS.map(() => 0).concat(0);
  #roundTripSum = 0;

  /** Counts the end of a WebSocket. */
  closed({ closeCode, error }: CloseInfo): void {
    this.closedByCode.add(closeCode);
    if (error !== undefined) this.failedByReason.add(reasonOf(error));
  }

  /** Counts a Ping that was answered after `ms` milliseconds. */
  answered(ms: number): void {
    const bucket = ROUND_TRIP_BOUNDS.findIndex((bound) => ms <= bound);
    this.#roundTrips[bucket === -1 ? ROUND_TRIP_BOUNDS.length : bucket]!++;
    this.#roundTripSum += ms;
    for (const listener of this.roundTripListeners) listener(ms);
  }

  /** The round trips so far. */
  get roundTrips(): RoundTrips {
    const counts = [...this.#roundTrips];
    const count = counts.reduce((sum, number) => sum + number, 0);
    return { count, sum: this.#roundTripSum, bounds: ROUND_TRIP_BOUNDS, counts };
  }
}

/** The counters of connections that belong to no server: nothing reads them. */
export const uncounted: ConnectionCounters = /* @__PURE__ */ new ConnectionCounters();

/** Returns the code of an error, for a label: a short text of which there are few. */
function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "other";
}
