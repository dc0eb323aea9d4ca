/** The globals of the runtimes that are used here. */
const { Bun, Deno, setImmediate, clearImmediate } = globalThis as unknown as {
  Bun?: unknown;
  Deno?: { unrefTimer(id: unknown): void };
  setImmediate?: (run: () => void) => unknown;
  clearImmediate(immediate: unknown): void;
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

/** Calls back when no microtask is left. */
export const afterMicrotasks: (run: () => void) => void = setImmediate ??
  ((run) => void setTimeout(run, 0));

/**
 * Calls back in the next event-loop turn, when the sockets have been polled. Returns a function that
 * cancels the call.
 *
 * Not by an immediate on Deno: as long as immediates are pending, it polls the sockets only in one of 61
 * turns. A timer lets it poll them, and costs 1 to 2 ms in which nothing else may happen.
 */
export const nextTurn: (run: () => void) => () => void =
  Bun !== undefined && setImmediate !== undefined
    ? (run) => {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    : (run) => {
      const timer = setTimeout(run, 0);
      return () => clearTimeout(timer);
    };

/** Whether the sockets are polled between two batches of immediates, also while there is work. */
export const pollsEachTurn: boolean = Bun !== undefined;

/** Lets the process end while a timer of `setTimeout` waits. */
export function unrefTimer(id: unknown): void {
  if (Deno !== undefined) Deno.unrefTimer(id);
  else (id as { unref?(): void }).unref?.();
}
