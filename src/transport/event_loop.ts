/** The globals of the runtimes that are used here. */
const { Bun, setImmediate } = globalThis as unknown as {
  Bun?: unknown;
  setImmediate?: (run: () => void) => void;
};

/**
 * Calls back when the data received at one moment, on all connections, has been delivered.
 *
 * Deno resolves all reads that are ready together, so a microtask is late enough. Bun drains the
 * microtasks after the `data` of each socket, and calls immediates after all of them.
 */
export const afterTurn: (run: () => void) => void = Bun !== undefined && setImmediate !== undefined
  ? setImmediate
  : queueMicrotask;

/** Calls back in a later event-loop turn, when no microtask is left. */
export const afterMicrotasks: (run: () => void) => void = setImmediate ??
  ((run) => void setTimeout(run, 0));
