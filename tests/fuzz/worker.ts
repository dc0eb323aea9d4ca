// Runs the cases of the long run in a worker, so that main.ts can detect a case that hangs.
import { runCases } from "./runner.ts";
import type { Outcomes } from "./runner.ts";
import { TARGETS } from "./targets.ts";

/** The job of a worker. */
export interface Job {
  target: string;
  seed: number;
  cases: number;
  /** The index of the next case, for main.ts. */
  progress: SharedArrayBuffer;
}

/** The result of a job. */
export interface Done {
  seconds: number;
  outcomes: Outcomes;
  failure?: string;
}

/** The worker's own scope. */
declare const self: {
  onmessage: (event: MessageEvent<Job>) => void;
  postMessage(done: Done): void;
};

/** The number of cases after which the index is written. */
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
