/** Relays over connected clients of brokers, for tests and for processes of their own. */

import { createRequire } from "node:module";
import { connect as connectNats } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { wsconnect } from "@nats-io/nats-core";
import { createClient } from "redis";
import { natsRelay, redisRelay } from "../../src/topics/mod.ts";
import type { RedisClient, Relay, RelayOptions } from "../../src/topics/mod.ts";

/** The clients of brokers that the tests use. */
export type ClientName = "nats" | "node-redis" | "ioredis" | "bun";

/** The clients that this runtime has. */
export const clients: ClientName[] = "Bun" in globalThis
  ? ["nats", "node-redis", "ioredis", "bun"]
  : ["nats", "node-redis", "ioredis"];

/** Makes a relay over a connected client, which `close` ends. */
export async function connectRelay(
  name: ClientName,
  port: number,
  options: RelayOptions,
): Promise<{ relay: Relay; close: () => void | Promise<void> }> {
  const url = `redis://127.0.0.1:${port}`;
  if (name === "nats") {
    const reconnect = { maxReconnectAttempts: -1, reconnectTimeWait: 100 };
    // On Deno, the client for TCP rejects without a handler when its connection breaks.
    const connection = "Bun" in globalThis
      ? await connectNats({ ...reconnect, servers: `127.0.0.1:${port}` })
      : await wsconnect({ ...reconnect, servers: `ws://127.0.0.1:${port}` });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "TEST", subjects: [`${options.prefix}.k.>`] });
    const relay = natsRelay(connection, {
      ...options,
      jetstream: jetstream(connection),
      stream: "TEST",
    });
    return { relay, close: () => connection.close() };
  }
  if (name === "node-redis") {
    const client = createClient({ url, socket: { reconnectStrategy: 100 } });
    client.on("error", () => {});
    await client.connect();
    const relay = redisRelay(client as unknown as RedisClient, options);
    return { relay, close: () => client.destroy() };
  }
  if (name === "ioredis") {
    const { Redis } = createRequire(import.meta.url)("ioredis");
    const client = new Redis(url, { retryStrategy: () => 100, disconnectTimeout: 100 });
    client.on("error", () => {});
    return { relay: redisRelay(client, options), close: () => client.disconnect() };
  }
  const { RedisClient } =
    (globalThis as unknown as { Bun: { RedisClient: new (url: string) => BunRedis } }).Bun;
  const client = new RedisClient(url);
  await client.connect();
  const relay = redisRelay(client as unknown as RedisClient, options);
  return { relay, close: () => client.close() };
}

interface BunRedis {
  connect(): Promise<void>;
  close(): void;
}
