/** An echo load: each connection keeps a fixed number of messages in flight. */

import type { Result, Task } from "../loads.ts";
import { Client } from "./client.ts";
import { concat } from "./frames.ts";
import { percentiles, sleep, Stopwatch, within } from "./meter.ts";
import { compressedTraffic, plainTraffic } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

/** The counters that all connections share. */
interface Count {
  messages: number;
  /** Latencies in milliseconds, measured if one message is in flight. */
  latencies: number[];
  isMeasuring: boolean;
  isStopped: boolean;
}

class Connection {
  readonly #client: Client;
  readonly #traffic: Traffic;
  readonly #inFlight: number;
  #sentAt = 0;

  constructor(client: Client, traffic: Traffic, inFlight: number) {
    this.#client = client;
    this.#traffic = traffic;
    this.#inFlight = inFlight;
  }

  /** Sends the first messages and compares the replies byte by byte. */
  check(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const pieces: Uint8Array[] = [];
    let count = 0;
    this.#client.onClose = () => reject(new Error("The server closed the connection"));
    this.#client.onData = (chunk) => {
      pieces.push(chunk.slice());
      count += this.#traffic.counter.push(chunk);
      if (count < this.#inFlight) return;
      const problem = this.#traffic.check(concat(pieces));
      if (problem === undefined) resolve();
      else reject(new Error(`Wrong echo: ${problem}`));
    };
    this.#client.write(this.#traffic.next(this.#inFlight));
    return within(10, "The first echo", promise);
  }

  /** Keeps messages in flight until the count is stopped. Resolves when all replies have arrived. */
  run(total: Count): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const client = this.#client;
    const traffic = this.#traffic;
    const { counter } = traffic;
    let inFlight = this.#inFlight;
    const takesLatency = inFlight === 1;
    client.onClose = () => reject(new Error("The server closed the connection"));
    client.onData = (chunk) => {
      const count = counter.push(chunk);
      if (count === 0) return;
      total.messages += count;
      if (takesLatency) {
        const now = performance.now();
        if (total.isMeasuring) total.latencies.push(now - this.#sentAt);
        this.#sentAt = now;
      }
      if (!total.isStopped) return client.write(traffic.next(count));
      inFlight -= count;
      if (inFlight === 0 && counter.isWhole) resolve();
      if (inFlight < 0) reject(new Error("More came back than was sent"));
    };
    this.#sentAt = performance.now();
    client.write(traffic.next(inFlight));
    return promise;
  }
}

/** Runs the load. */
export async function echo(task: Task): Promise<Result> {
  const { load, port, pid, websocket } = task;
  const isCompressed = load.mode === "compressed";
  const offer = "permessage-deflate; client_max_window_bits";
  const clients = await Client.openMany(
    { port, websocket, ...(isCompressed && { offer }) },
    load.connections,
  );
  const { extensions } = clients[0]!;
  if (isCompressed && !extensions.startsWith("permessage-deflate")) {
    return { value: 0, skipped: "the server does not agree to permessage-deflate" };
  }
  const makeTraffic = isCompressed ? compressedTraffic(load, extensions) : plainTraffic(load);
  const connections = clients.map((client) => new Connection(client, makeTraffic(), load.inFlight));
  await Promise.all(connections.map((connection) => connection.check()));

  const total: Count = { messages: 0, latencies: [], isMeasuring: false, isStopped: false };
  const finished = Promise.all(connections.map((connection) => connection.run(total)));
  await Promise.race([finished, sleep(task.warmUp)]);
  total.messages = 0;
  total.isMeasuring = true;
  const stopwatch = new Stopwatch(pid);
  await Promise.race([finished, sleep(task.seconds)]);
  const { seconds, cpu } = stopwatch.stop();
  total.isMeasuring = false;
  const value = total.messages / seconds;
  total.isStopped = true;
  await within(10, "The last echo", finished);
  if (value === 0) throw new Error("No message came back while the clock ran");
  return {
    value,
    ...percentiles(total.latencies),
    ...cpu,
    ...(extensions !== "" && { extensions }),
  };
}
