/** The input of the job: so much that it takes longer than Deno takes to wait for it. */
const JOB = /* @__PURE__ */ new Uint8Array(4096);
/** The number of waits in a row that are for a timer before the first job. */
const TIMERS = 16;
/** The time between two waits, in milliseconds, up to which they are in a row. */
const ROW = 50;
let waits = 0;
let waitedAt = -Infinity;

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
 * turns. It polls them when it waits: for a timer, which takes 1 to 2 ms, or for a job on another thread,
 * which takes 50 µs. But if the job ends before Deno waits for it, the sockets are not polled. That
 * happens on a busy machine, so every fourth wait is for a timer. Digests are the shortest jobs. They are
 * for waits without end: a job cannot be cancelled, and Deno's test runner would report one at the end of
 * a test.
 */
export const nextTurn: (run: () => void) => () => void =
  Bun !== undefined && setImmediate !== undefined
    ? (run) => {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    : (run) => {
      let isOver = false;
      const once = (): void => {
        if (!isOver) run();
        stop();
      };
      const stop = (): void => {
        isOver = true;
        clearTimeout(timer);
      };
      const timer = setTimeout(once, 0);
      const now = performance.now();
      waits = now - waitedAt < ROW ? waits + 1 : 0;
      waitedAt = now;
      if (waits >= TIMERS && waits % 4 !== 0 && setImmediate !== undefined) {
        // When this turn has done its work, and Deno waits at once.
        setImmediate(() => void (isOver || crypto.subtle.digest("SHA-1", JOB).then(once, once)));
      }
      return stop;
    };

/** Whether the sockets are polled between two batches of immediates, also while there is work. */
export const pollsEachTurn: boolean = Bun !== undefined;

/** Lets the process end while a timer of `setTimeout` waits. */
export function unrefTimer(id: unknown): void {
  if (Deno !== undefined) Deno.unrefTimer(id);
  else (id as { unref?(): void }).unref?.();
}
