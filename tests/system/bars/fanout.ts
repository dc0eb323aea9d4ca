/** F1, F2, F3 and F5: the CPU time of a delivery, beside the runtime's own server in the same run. */

import { Process, runtime } from "../cluster/processes.ts";
import { atMost, median, short } from "./bar.ts";
import type { Row, Size } from "./bar.ts";
import type { FanoutConfig } from "./fanout_server.ts";

const SERVER = new URL("fanout_server.ts", import.meta.url).href;
const LOAD = new URL("fanout_load.ts", import.meta.url).href;

/** Measures servers in turn. @returns The CPU times of a delivery of each, in microseconds. */
async function measure(configs: readonly FanoutConfig[], size: Size): Promise<number[][]> {
  const [rounds, seconds, connections] = size === "full" ? [7, 1.5, 1000] : [1, 0.5, 100];
  const running: { server: Process; load: Process; batch: number }[] = [];
  try {
    for (const config of configs) {
      const server = new Process(runtime, SERVER, config);
      const { port, pid } = await server.ask<{ port: number; pid: number }>("port");
      const { compression, batch } = config;
      const load = new Process("bun", LOAD, { port, pid, connections, compression });
      running.push({ server, load, batch });
      await load.ask("open");
      await load.ask("run", seconds);
    }
    const times: number[][] = configs.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [n, { load, batch }] of running.entries()) {
        times[n]!.push(await load.ask<number>("run", seconds) / batch);
      }
    }
    return times;
  } finally {
    for (const { server, load } of running) {
      await load.kill();
      await server.kill();
    }
  }
}

/** The median of the ratios of the rounds. */
function compare(what: string, ours: number[], other: number[], limit: number): Row {
  const ratio = median(ours.map((time, n) => time / other[n]!));
  return {
    what: `${what}: ${short(median(ours))} us to ${short(median(other))}`,
    wanted: `<= ${limit} x`,
    measured: `${short(ratio)} x`,
    isOk: ratio <= limit,
    isTime: true,
  };
}

const SMALL = { compression: false, json: false };
const NATIVE = runtime === "bun" ? "Bun.publish()" : "the loop of Deno's own";

/** F1 and F3: 32 messages of 64 B a tick. */
export async function manyATick(size: Size): Promise<Row[]> {
  const [ours, native] = await measure([
    { form: "topics", batch: 32, ...SMALL },
    { form: "native", batch: 32, ...SMALL },
  ], size) as [number[], number[]];
  const what = `a delivery, 32 a tick, ours to ${NATIVE}`;
  if (runtime === "bun") return [compare(what, ours, native, 1)];
  return [compare(what, ours, native, 0.05), atMost("a delivery", median(ours), 0.3, "us")];
}

/** F2: one message of 64 B a tick. */
export async function oneATick(size: Size): Promise<Row[]> {
  const [ours, native] = await measure([
    { form: "topics", batch: 1, ...SMALL },
    { form: "native", batch: 1, ...SMALL },
  ], size) as [number[], number[]];
  const limit = runtime === "bun" ? 1.05 : 1;
  return [compare(`a delivery, one a tick, ours to ${NATIVE}`, ours, native, limit)];
}

/** F5: messages of 1 KiB of JSON, compressed. */
export async function compressed(size: Size): Promise<Row[]> {
  const rows: Row[] = [];
  for (const batch of [1, 8]) {
    const [ours, plain] = await measure([
      { form: "topics", batch, compression: true, json: true },
      { form: "topics", batch, compression: false, json: true },
    ], size) as [number[], number[]];
    const what = `a delivery of 1 KiB JSON, ${batch} a tick, compressed to not`;
    rows.push(compare(what, ours, plain, 1.3));
  }
  return rows;
}
