/** Brokers and their clients for tests: both end with the test. */

import type { RelayOptions } from "../../src/topics/mod.ts";
import type { Relay } from "../../src/topics/mod.ts";
import { canRun, delay, onTestEnd, runtime } from "../harness.ts";
import { connectRelay } from "./broker_clients.ts";
import type { ClientName } from "./broker_clients.ts";
import { brokerProcess } from "./broker_processes.ts";

export { clients } from "./broker_clients.ts";
export type { ClientName } from "./broker_clients.ts";

/** A broker on a port of its own. */
export interface TestBroker {
  /** The port of its clients of this runtime. */
  readonly port: number;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it has stored. */
  start(): Promise<void>;
}

/** The brokers, each with the reason why it can't be run. */
export const brokers = {
  nats: { canRun: canRun("nats-server", ["--version"]), start: () => start("nats") },
  redis: { canRun: canRun("redis-server", ["--version"]), start: () => start("redis") },
};

async function start(kind: "nats" | "redis"): Promise<TestBroker> {
  const broker = await brokerProcess(kind);
  onTestEnd(() => broker.close());
  await broker.start();
  const { ports: { tcp, webSocket } } = broker;
  return {
    port: runtime === "bun" ? tcp : webSocket,
    kill: () => broker.kill(),
    start: () => broker.start(),
  };
}

/** Makes a relay over a connected client, which ends with the test. */
export async function relayOver(
  name: ClientName,
  port: number,
  options: RelayOptions,
): Promise<Relay> {
  // The clients' own timers, for the next attempt to connect, end by themselves.
  onTestEnd(() => delay(300));
  const { relay, close } = await connectRelay(name, port, options);
  onTestEnd(close);
  return relay;
}
