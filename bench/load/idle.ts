/** A memory load: opens many connections and measures the growth of the server's process. */

import process from "node:process";
import type { Load, Result, Task } from "../loads.ts";
import { Client } from "./client.ts";
import { residentBytes, sleep, within } from "./meter.ts";
import { plainTraffic } from "./traffic.ts";

/** Connections opened and closed before the first measurement, so that code loaded on first use does not count. */
const WARM_UP = 100;

async function use(client: Client, load: Load): Promise<void> {
  const { next, counter } = plainTraffic(load)();
  const { promise, resolve } = Promise.withResolvers<void>();
  client.onData = (chunk) => counter.push(chunk) > 0 && resolve();
  client.write(next(1));
  await promise;
}

async function open(task: Task, count: number): Promise<Client[]> {
  const { load, port } = task;
  const clients = await Client.openMany({ port, websocket: true }, count);
  if (load.size > 0) await Promise.all(clients.map((client) => use(client, load)));
  return clients;
}

/** Returns the server's memory in bytes after a garbage collection. */
async function settled(pid: number): Promise<number> {
  await sleep(1);
  for (let i = 0; i < 2; i++) {
    process.kill(pid, "SIGUSR2");
    await sleep(0.5);
  }
  return residentBytes(pid);
}

/** Runs the load. */
export async function idle(task: Task): Promise<Result> {
  const { load, pid } = task;
  const first = await open(task, WARM_UP);
  for (const client of first) client.abort();
  const before = await settled(pid);
  const clients = await within(60, "To open the connections", open(task, load.connections));
  let lost = 0;
  for (const client of clients) client.onClose = () => lost++;
  const after = await settled(pid);
  if (lost > 0) throw new Error(`${lost} connections were lost`);
  return { value: (after - before) / clients.length };
}
