// The long run: `deno task fuzz` or `bun run fuzz`, with --cases N, --only A,B and --seed N.
import process from "node:process";
import { parseArgs } from "node:util";
import { TARGETS } from "./targets.ts";
import type { Done, Job } from "./worker.ts";

/** The longest time without progress, in milliseconds. A few cases take 1 ms. */
const PATIENCE = 30_000;

const names = TARGETS.map(({ name }) => name);
const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000000" },
    only: { type: "string", default: names.join() },
    seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0]) },
  },
});
const cases = Number(values.cases);
const seed = Number(values.seed);
const chosen = values.only.split(",");
const areNumbers = Number.isInteger(cases) && cases > 0 && Number.isInteger(seed);
if (!areNumbers || !chosen.every((name) => names.includes(name))) {
  console.error(`Usage: fuzz [--cases N] [--seed N] [--only ${names.join()}]`);
  process.exit(2);
}

/** Runs a job to its end; rejects if it makes no progress. */
function run(worker: Worker, job: Job): Promise<Done> {
  return new Promise((resolve, reject) => {
    const next = new Int32Array(job.progress);
    let [last, since] = [-1, performance.now()];
    const timer = setInterval(() => {
      const index = Atomics.load(next, 0);
      const now = performance.now();
      if (index !== last) [last, since] = [index, now];
      if (now - since < PATIENCE) return;
      clearInterval(timer);
      reject(new Error(`${job.target} hangs in case ${index} of seed ${job.seed}, or soon after`));
    }, 1000);
    worker.onmessage = ({ data }: MessageEvent<Done>) => {
      clearInterval(timer);
      resolve(data);
    };
    worker.onerror = ({ message }) => {
      clearInterval(timer);
      reject(new Error(message));
    };
    worker.postMessage(job);
  });
}

function report(target: string, { seconds, outcomes, failure }: Done): void {
  const count = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
  const rate = Math.round(count / seconds);
  console.log(`${target}: ${count} cases of seed ${seed} in ${seconds.toFixed(1)} s, ${rate}/s`);
  for (const [outcome, count] of [...outcomes].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(12)}  ${outcome}`);
  }
  if (failure !== undefined) throw new Error(failure);
}

try {
  for (const target of chosen) {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    report(target, await run(worker, { target, seed, cases, progress: new SharedArrayBuffer(4) }));
    worker.terminate();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
