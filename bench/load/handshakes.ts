/**
 * The whole life of connections without messages: connect, upgrade, 101, the client's Close, the
 * server's Close, and the end of the TCP connection, which the server ends first. Then the next
 * connection starts.
 */

import type { Result, Task } from "../loads.ts";
import { Client } from "./client.ts";
import type { ClientOptions } from "./client.ts";
import { makeFrame, makeKey } from "./frames.ts";
import { percentiles, sleep, Stopwatch, within } from "./meter.ts";

/** A Close frame with code 1000. */
const CLOSE = makeFrame(0x88, new Uint8Array([0x03, 0xe8]), makeKey(0));

async function live(options: ClientOptions): Promise<number> {
  const start = performance.now();
  const client = await Client.open(options);
  const latency = performance.now() - start;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let answer = 0;
  client.onData = (chunk) => {
    answer ||= chunk[0]!;
  };
  client.onClose = () => {
    // RFC 6455 §5.5.1: a Close is answered with a Close.
    if (answer === 0x88) resolve();
    else reject(new Error("The server ended the connection without a Close"));
  };
  client.write(CLOSE);
  await promise;
  return latency;
}

/** Runs the load. */
export async function handshakes(task: Task): Promise<Result> {
  const { load, port, pid } = task;
  const options = { port, websocket: true };
  await within(10, "The first connection", live(options));
  const latencies: number[] = [];
  let isStopped = false;
  const slot = async (): Promise<void> => {
    while (!isStopped) latencies.push(await live(options));
  };
  const slots = Promise.all(Array.from({ length: load.connections }, slot));
  await Promise.race([slots, sleep(task.warmUp)]);
  latencies.length = 0;
  const stopwatch = new Stopwatch(pid);
  await Promise.race([slots, sleep(task.seconds)]);
  const { seconds, cpu } = stopwatch.stop();
  const result = { value: latencies.length / seconds, ...percentiles(latencies), ...cpu };
  isStopped = true;
  await within(10, "The last connections", slots);
  return result;
}
