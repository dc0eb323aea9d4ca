/**
 * An HTTP load: each connection has one request in flight, and persists as
 * long as the server keeps it.
 */

import type { Result, Task } from "../loads.ts";
import { Client } from "./client.ts";
import { concat } from "./frames.ts";
import { percentiles, sleep, Stopwatch, within } from "./meter.ts";
import { ResponseCounter } from "./response_counter.ts";

/** The request of a load, and the size of the body that answers it. */
interface Exchange {
  request: Uint8Array;
  responseSize: number;
  /** The body of the response, if it is compared. */
  body?: Uint8Array;
}

const encoder = new TextEncoder();

function exchangeOf({ load, port }: Task): Exchange {
  const [method, path] = load.name === "http-get" || load.name.startsWith("http-down")
    ? ["GET", { "http-get": "/", "http-down": "/down" }[load.name] ?? "/buffer"]
    : ["POST", load.name === "http-up" ? "/up" : "/"];
  const payload = method === "GET" ? new Uint8Array() : new Uint8Array(load.size).fill(0x61);
  const length = method === "GET" ? "" : `Content-Length: ${load.size}\r\n`;
  const head = encoder.encode(
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${length}\r\n`,
  );
  const request = concat([head, payload]);
  if (load.name === "http-get") {
    const body = encoder.encode("Hello, world!");
    return { request, responseSize: body.length, body };
  }
  if (load.name === "http-up") {
    const body = encoder.encode(String(load.size));
    return { request, responseSize: body.length, body };
  }
  if (method === "POST") return { request, responseSize: load.size, body: payload };
  return { request, responseSize: load.size };
}

/** Runs the load. */
export async function http(task: Task): Promise<Result> {
  const { load, port, pid } = task;
  const exchange = exchangeOf(task);
  const clients = await Client.openMany({ port, websocket: false }, load.connections);
  const latencies: number[] = [];
  let responses = 0;
  let isStopped = false;

  const live = (first: Client): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let sentAt = performance.now();
    let hasResponded = true;
    const use = (client: Client): void => {
      const counter = new ResponseCounter(exchange.responseSize, exchange.body);
      client.onData = (chunk) => {
        try {
          if (!counter.push(chunk)) return;
        } catch (error) {
          return reject(error);
        }
        const now = performance.now();
        responses++;
        latencies.push(now - sentAt);
        hasResponded = true;
        if (isStopped) return resolve();
        sentAt = now;
        client.write(exchange.request);
      };
      // Deno.serve() closes the connection after some bodies: the request is sent again.
      client.onClose = () => {
        if (isStopped && hasResponded) return resolve();
        if (!hasResponded || counter.hasBegun) {
          return reject(new Error("The server closed the connection within a response"));
        }
        hasResponded = false;
        Client.open({ port, websocket: false }).then(use, reject);
      };
      client.write(exchange.request);
    };
    use(first);
    return promise;
  };

  const lives = Promise.all(clients.map(live));
  await Promise.race([lives, sleep(task.warmUp)]);
  latencies.length = 0;
  responses = 0;
  const stopwatch = new Stopwatch(pid);
  await Promise.race([lives, sleep(task.seconds)]);
  const { seconds, cpu } = stopwatch.stop();
  const result = { value: responses / seconds, ...percentiles(latencies), ...cpu };
  isStopped = true;
  await within(20, "The last responses", lives);
  return result;
}
