/** The memory of the server over time, and whether it has grown. */

/** A measurement. */
export interface Sample {
  /** Seconds since the start. */
  at: number;
  /** The resident memory of the process, in bytes. */
  rss: number;
  /** The used heap after a garbage collection, in bytes. */
  heap: number;
  connections: number;
}

/** The memory at the beginning and at the end. */
export interface Growth {
  /** The periods of the first and the last measurements, in seconds. */
  first: [from: number, to: number];
  last: [from: number, to: number];
  rss: [first: number, last: number];
  heap: [first: number, last: number];
}

/**
 * Compares the time around the fifth minute, or a quarter of a shorter run, with the end: medians,
 * since single samples are noisy.
 */
export function growthOf(samples: readonly Sample[], seconds: number): Growth {
  const fifth = Math.min(300, seconds / 4);
  const width = Math.min(150, seconds / 6);
  const first: Growth["first"] = [fifth, fifth + width];
  const last: Growth["last"] = [seconds - width, seconds];
  const middle = ([from, to]: [number, number], of: (sample: Sample) => number): number => {
    // With few samples, the nearest one.
    const inside = samples.filter(({ at }) => at >= from && at <= to);
    const nearest = [...samples].sort((a, b) => Math.abs(a.at - to) - Math.abs(b.at - to));
    const values = (inside.length > 0 ? inside : nearest.slice(0, 1)).map(of).sort((a, b) => a - b);
    return values[values.length >> 1] ?? 0;
  };
  return {
    first,
    last,
    rss: [middle(first, ({ rss }) => rss), middle(last, ({ rss }) => rss)],
    heap: [middle(first, ({ heap }) => heap), middle(last, ({ heap }) => heap)],
  };
}
