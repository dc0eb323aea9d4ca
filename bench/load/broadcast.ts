/** A broadcast load: one connection sends, and sends again when all have received the messages. */

import type { Result, Task } from "../loads.ts";
import { Client } from "./client.ts";
import { concat, makeFrame, makeKey, makePayload, SizeCounter } from "./frames.ts";
import { percentiles, sleep, Stopwatch, within } from "./meter.ts";

/** Runs the load. */
export async function broadcast(task: Task): Promise<Result> {
  const { load, port, pid } = task;
  const clients = await Client.openMany({ port, websocket: true }, load.connections);
  const payload = makePayload(load.payload, load.size, 0);
  const message = makeFrame(0x82, payload, makeKey(0));
  const expected = makeFrame(0x82, payload);
  let missing = 0;
  let onAll = (): void => {};
  let onProblem = (_error: Error): void => {};
  let isChecking = true;
  for (const client of clients) {
    const counter = new SizeCounter(expected.length);
    client.onClose = () => onProblem(new Error("The server closed a connection"));
    client.onData = (chunk) => {
      // The first message is compared. No server is known to split 66 bytes.
      if (isChecking && !chunk.every((byte, i) => byte === expected[i])) {
        return onProblem(new Error("Wrong message"));
      }
      missing -= counter.push(chunk);
      if (missing === 0) onAll();
    };
  }
  const send = (messages: Uint8Array, count: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    onAll = resolve;
    onProblem = reject;
    missing = clients.length * count;
    clients[0]!.write(messages);
    return promise;
  };
  // A server may register a connection shortly after the client has read the 101.
  await sleep(0.1);
  await within(10, "The first broadcast", send(message, 1));
  isChecking = false;

  const { inFlight } = load;
  const messages = concat(new Array<Uint8Array>(inFlight).fill(message));
  const latencies: number[] = [];
  const run = async (seconds: number): Promise<void> => {
    const end = performance.now() + seconds * 1000;
    latencies.length = 0;
    for (let now = performance.now(); now < end;) {
      await send(messages, inFlight);
      const start = now;
      now = performance.now();
      latencies.push(now - start);
    }
  };
  await within(task.warmUp + 10, "The warm-up", run(task.warmUp));
  const stopwatch = new Stopwatch(pid);
  await within(task.seconds + 10, "The load", run(task.seconds));
  const { seconds, cpu } = stopwatch.stop();
  const value = latencies.length * clients.length * inFlight / seconds;
  return { value, ...percentiles(latencies), ...cpu };
}
