// A node of the cluster in a process of its own: a server for the subprotocol, a relay, and a publisher.
import process from "node:process";
import { serve } from "../../../mod.ts";
import type { TcpAddr } from "../../../mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../../src/topics/mod.ts";
import type { Relay } from "../../../src/topics/mod.ts";
import { connectRelay } from "../../support/broker_clients.ts";
import { answer, configuration } from "./processes.ts";
import { KEPT } from "./protocol.ts";
import type { NodeConfig, NodeStats, PublishOrder } from "./protocol.ts";

const config = configuration<NodeConfig>();
const stats: NodeStats = {
  published: {},
  longestSettle: 0,
  retries: 0,
  states: [],
  reads: 0,
  connections: 0,
  unhandled: [],
};
process.on("unhandledRejection", (error) => stats.unhandled.push(String(error)));

/** Records the states and the reads of a relay. */
function watched(relay: Relay): Relay {
  return {
    start: (node) =>
      relay.start({
        ...node,
        state(isUp) {
          stats.states.push({ isUp, at: Date.now() });
          node.state(isUp);
        },
      }),
    subscribe: (topic, isKept) => relay.subscribe(topic, isKept),
    unsubscribe: (topic, isKept) => relay.unsubscribe(topic, isKept),
    send: (message) => relay.send(message),
    store: (message, keep) => relay.store(message, keep),
    read(topic, since, limit) {
      stats.reads++;
      return relay.read(topic, since, limit);
    },
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}

/** Connects, again and again while the broker is out of reach. */
async function connect(): Promise<Relay> {
  while (true) {
    try {
      const { client, broker, heartbeat } = config;
      const options = heartbeat === undefined ? {} : { heartbeat };
      return (await connectRelay(client, broker, { prefix: "cluster", ...options })).relay;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const relay = await connect();
const rooms = topics({
  relay: watched(relay),
  keep: (topic) => topic.startsWith(KEPT) ? { messages: 200_000, age: 3_600_000 } : undefined,
  // A broker that is killed causes errors of its client. The ledger decides.
  onError() {},
});
const server = serve(
  { hostname: "127.0.0.1", port: config.port, protocols: [TOPICS_PROTOCOL] },
  topicsHandler(rooms, { subscribe: () => ({ maxWaiting: 100_000 }) }),
);

let stop: (() => Promise<void>) | undefined;

/** Publishes in topics that are not kept, at a rate over all of them. */
function publishPlain(names: string[], rate: number, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  let count = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (signal.aborted) {
        clearInterval(timer);
        return resolve();
      }
      // An event loop that was blocked does not catch up by more than 100 ms at once.
      const due = Math.min((performance.now() - startedAt) * rate / 1000, count + rate / 10);
      for (; count < due; count++) {
        const topic = names[count % names.length]!;
        const number = stats.published[topic] = (stats.published[topic] ?? 0) + 1;
        rooms.publish(topic, `${config.name} ${number}`);
      }
    }, 5);
  });
}

/** Publishes in a kept topic. A message whose fate is unknown is published again, with the same id. */
async function publishKept(topic: string, rate: number, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let number = (stats.published[topic] ?? 0) + 1; !signal.aborted; number++) {
    const data = `${config.name} ${number}`;
    for (let isStored = false; !isStored;) {
      const askedAt = performance.now();
      try {
        await rooms.publish(topic, data, { id: data }).settled;
        isStored = true;
      } catch (error) {
        if (!(error instanceof DOMException) || error.name !== "NetworkError") throw error;
        stats.retries++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      stats.longestSettle = Math.max(stats.longestSettle, performance.now() - askedAt);
    }
    stats.published[topic] = number;
    const wait = startedAt + number * 1000 / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

answer({
  port: () => (server.addr as TcpAddr).port,
  publish({ topics, rate }: PublishOrder) {
    const controller = new AbortController();
    const plain = topics.filter((topic) => !topic.startsWith(KEPT));
    const all = topics.filter((topic) => topic.startsWith(KEPT))
      .map((topic) => publishKept(topic, rate / topics.length, controller.signal));
    if (plain.length > 0) all.push(publishPlain(plain, rate, controller.signal));
    const earlier = stop;
    stop = async () => {
      controller.abort();
      await Promise.all([earlier?.(), ...all]);
    };
  },
  /** Ends publishing. Resolves when the last message of each kept topic is stored. */
  async stop() {
    await stop?.();
    stop = undefined;
  },
  stats: () => ({ ...stats, connections: server.connections.size }),
});
