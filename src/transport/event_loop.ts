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

/** The number of jobs after which Deno has polled its sockets. After two it nearly always has. */
const JOBS = 3;
/** The time of the jobs, in milliseconds, from which on Deno may have been held up, so that it has not. */
const LATE = 1;
/** The time, in milliseconds, after which the next wait is for a timer, however fast the jobs are. */
const TIMER_EVERY = 100;
let timerAt = 0;
const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/**
 * Calls back in the next event-loop turn, when the sockets have been polled. Returns a function that
 * cancels the call.
 *
 * Deno polls its sockets only in one of 61 turns unless it has nothing else to do. So neither an immediate
 * nor a timer is late enough if others continue meanwhile. A job on another thread is, if Deno begins to
 * wait before it ends. The first job may end earlier, while other connections still process their data. The
 * next one begins when nothing is left to do. Three jobs take 0.1 ms. A timer takes 1 to 2 ms, so only a
 * machine that is busy waits for one; and each 100 ms one is waited for, since other processes may hold up
 * this thread while the jobs end.
 */
export const nextTurn: (run: () => void) => () => void =
  Bun !== undefined && setImmediate !== undefined
    ? (run) => {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    : (run) => {
      const begun = performance.now();
      let left = JOBS;
      let isCancelled = false;
      let timer: unknown;
      const onEnd = (): void => {
        if (isCancelled) return;
        if (left-- > 0) return void crypto.subtle.digest("SHA-1", NO_BYTES).then(onEnd, onEnd);
        const now = performance.now();
        if (now - begun <= LATE && now - timerAt < TIMER_EVERY) return run();
        timerAt = now;
        timer = setTimeout(run, 0);
      };
      onEnd();
      return () => {
        isCancelled = true;
        clearTimeout(timer as number | undefined);
      };
    };

/** Whether the sockets are polled between two batches of immediates, also while there is work. */
export const pollsEachTurn: boolean = Bun !== undefined;

/** Lets the process end while a timer of `setTimeout` waits. */
export function unrefTimer(id: unknown): void {
  if (Deno !== undefined) Deno.unrefTimer(id);
  else (id as { unref?(): void }).unref?.();
}
