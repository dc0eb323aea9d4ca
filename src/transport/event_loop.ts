/** What is used of the runtimes' globals. */
const { Bun, setImmediate } = globalThis as unknown as {
  Bun?: unknown;
  setImmediate?: (run: () => void) => void;
};

/**
 * Calls back when all that has come at one moment, on whatever connections, has been handed out.
 *
 * Deno resolves the reads that are ready together, so that a microtask is late enough. Bun drains the
 * microtasks after each socket's `data`, and calls immediates after all of them.
 */
export const afterTurn: (run: () => void) => void = Bun !== undefined && setImmediate !== undefined
  ? setImmediate
  : queueMicrotask;

/** Calls back when no microtask is left, and what has come meanwhile has been handed out. */
export const afterMicrotasks: (run: () => void) => void = setImmediate ??
  ((run) => void setTimeout(run, 0));
