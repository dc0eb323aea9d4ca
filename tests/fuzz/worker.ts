// Runs the cases of the long run: main.ts watches, since a case that hangs can't tell that it does.
import { runCases } from "./runner.ts";
import type { Outcomes } from "./runner.ts";
import { TARGETS } from "./targets.ts";

/** What there is to do. */
export interface Job {
  target: string;
  seed: number;
  cases: number;
  /** Where the number of the next case is written: main.ts reads it. */
  progress: SharedArrayBuffer;
}

/** How it went. */
export interface Done {
  seconds: number;
  outcomes: Outcomes;
  failure?: string;
}

/** The side of a worker that this module is. */
declare const self: {
  onmessage: (event: MessageEvent<Job>) => void;
  postMessage(done: Done): void;
};

/** After how many cases the number of the next is written. */
const STEP = 20;

self.onmessage = ({ data: { target: name, seed, cases, progress } }) => {
  const target = TARGETS.find((target) => target.name === name)!;
  const next = new Int32Array(progress);
  const outcomes: Outcomes = new Map();
  const started = performance.now();
  const done = (failure?: string) => {
    const seconds = (performance.now() - started) / 1000;
    self.postMessage({ seconds, outcomes, ...(failure === undefined ? {} : { failure }) });
  };
  try {
    for (let index = 0; index < cases; index += STEP) {
      Atomics.store(next, 0, index);
      runCases(target, seed, index, Math.min(cases, index + STEP), outcomes);
    }
    done();
  } catch (error) {
    done(error instanceof Error ? error.message : String(error));
  }
};
