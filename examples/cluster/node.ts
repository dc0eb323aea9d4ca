// One server of the cluster: `node.ts NAME NATS|Redis BROKER_PORT PAGE_PORT`. It prints its port.
import process from "node:process";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { wsconnect } from "@nats-io/nats-core";
import { createClient } from "redis";
import { serve } from "@sluice/websocket";
import {
  natsRelay,
  redisRelay,
  topics,
  TOPICS_PROTOCOL,
  topicsHandler,
} from "@sluice/websocket/topics";
import type { RedisClient, Relay } from "@sluice/websocket/topics";

const [name, kind, brokerPort, pagePort] = process.argv.slice(2);

/** Connects to the broker, as soon as it listens. The client connects again by itself. */
async function connectRelay(): Promise<Relay> {
  while (true) {
    try {
      return kind === "NATS" ? await connectNats() : await connectRedis();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function connectNats(): Promise<Relay> {
  const connection = await wsconnect({
    servers: `ws://127.0.0.1:${brokerPort}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "NEWS", subjects: ["cluster.k.>"], max_msgs: 1000 });
  return natsRelay(connection, {
    prefix: "cluster",
    jetstream: jetstream(connection),
    stream: "NEWS",
  });
}

async function connectRedis(): Promise<Relay> {
  const client = createClient({
    url: `redis://127.0.0.1:${brokerPort}`,
    socket: { reconnectStrategy: 100 },
  });
  client.on("error", () => {}); // It connects again.
  await client.connect();
  return redisRelay(client as unknown as RedisClient, { prefix: "cluster" });
}

const rooms = topics({
  relay: await connectRelay(),
  keep: (topic) => topic === "news" ? { messages: 1000, age: 600_000 } : undefined,
  onError() {}, // While the broker is down, each call to it fails.
});
const server = serve(
  {
    hostname: process.env.HOST || "localhost",
    port: Number(process.env.PORT),
    protocols: [TOPICS_PROTOCOL],
    origins: ["localhost", "127.0.0.1"].map((host) => `http://${host}:${pagePort}`),
  },
  topicsHandler(rooms, { subscribe: (_socket, topic) => topic === "ticks" || topic === "news" }),
);

let ticks = 0;
setInterval(() => rooms.publish("ticks", `${name}: ${++ticks}`), 100);

/** Publishes news, in order. A message is published again until the broker has it: its id makes that safe. */
async function publishNews(): Promise<never> {
  const life = crypto.randomUUID();
  for (let n = 1;; n++) {
    const id = `${life} ${n}`;
    while (true) {
      try {
        await rooms.publish("news", `${name}, news ${n}`, { id }).settled;
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
publishNews();

if (server.addr.transport === "tcp") console.log(server.addr.port);
