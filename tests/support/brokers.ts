/** Brokers as processes of their own, and clients of them. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { connect as connectNats } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { wsconnect } from "@nats-io/nats-core";
import { createClient } from "redis";
import { natsRelay, redisRelay } from "../../src/topics/mod.ts";
import type { RedisClient, Relay, RelayOptions } from "../../src/topics/mod.ts";
import { canRun, delay, onTestEnd, runtime, spawn } from "../harness.ts";
import type { Child } from "../harness.ts";
import { freePort } from "./ports.ts";

/** A broker on a port of its own. */
export interface TestBroker {
  readonly port: number;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it has stored. */
  start(): Promise<void>;
}

/** The brokers, each with the reason why it can't be run. */
export const brokers = {
  nats: { canRun: canRun("nats-server", ["--version"]), start: startNats },
  redis: { canRun: canRun("redis-server", ["--version"]), start: startRedis },
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "broker-"));
  onTestEnd(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function startBroker(
  commandOf: (port: number, path: string) => [string, string[]],
): Promise<TestBroker> {
  const port = await freePort();
  const [command, args] = commandOf(port, folder());
  let child: Child | undefined;
  const broker: TestBroker = {
    port,
    async start() {
      child = spawn(command, args);
      await listening(port);
    },
    async kill() {
      await child?.kill("SIGKILL");
      await child?.exited;
    },
  };
  await broker.start();
  return broker;
}

/** Waits until something listens on a port. */
async function listening(port: number): Promise<void> {
  const { connect } = await import("node:net");
  for (let n = 0; n < 200; n++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    await delay(25);
  }
  throw new Error(`nothing listens on ${port}`);
}

/**
 * The port is that of TCP on Bun, and that of WebSockets on Deno: there, the client for Node rejects
 * without a handler when its connection breaks.
 */
async function startNats(): Promise<TestBroker> {
  const other = await freePort();
  return await startBroker((port, path) => {
    const [tcp, webSocket] = runtime === "bun" ? [port, other] : [other, port];
    const config = join(path, "nats.conf");
    writeFileSync(
      config,
      `listen: "127.0.0.1:${tcp}"
websocket { listen: "127.0.0.1:${webSocket}", no_tls: true }
jetstream { store_dir: ${JSON.stringify(path)} }
`,
    );
    return ["nats-server", ["--config", config]];
  });
}

function startRedis(): Promise<TestBroker> {
  return startBroker((port, path) => [
    "redis-server",
    `--port ${port} --bind 127.0.0.1 --dir ${path} --appendonly yes --appendfsync always --save`
      .split(" ").concat(""),
  ]);
}

/** The clients of brokers that the tests use. */
export type ClientName = "nats" | "node-redis" | "ioredis" | "bun";

export const clients: ClientName[] = runtime === "bun"
  ? ["nats", "node-redis", "ioredis", "bun"]
  : ["nats", "node-redis", "ioredis"];

/** Makes a relay over a connected client, which ends with the test. */
export async function relayOver(
  name: ClientName,
  port: number,
  options: RelayOptions,
): Promise<Relay> {
  const url = `redis://127.0.0.1:${port}`;
  // The clients' own timers, for the next attempt to connect, end by themselves.
  onTestEnd(() => delay(300));
  if (name === "nats") {
    const reconnect = { maxReconnectAttempts: -1, reconnectTimeWait: 100 };
    const connection = runtime === "bun"
      ? await connectNats({ ...reconnect, servers: `127.0.0.1:${port}` })
      : await wsconnect({ ...reconnect, servers: `ws://127.0.0.1:${port}` });
    onTestEnd(() => connection.close());
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "TEST", subjects: [`${options.prefix}.k.>`] });
    return natsRelay(connection, { ...options, jetstream: jetstream(connection), stream: "TEST" });
  }
  if (name === "node-redis") {
    const client = createClient({ url, socket: { reconnectStrategy: 100 } });
    client.on("error", () => {});
    await client.connect();
    onTestEnd(() => client.destroy());
    return redisRelay(client as unknown as RedisClient, options);
  }
  if (name === "ioredis") {
    const { Redis } = createRequire(import.meta.url)("ioredis");
    const client = new Redis(url, { retryStrategy: () => 100, disconnectTimeout: 100 });
    client.on("error", () => {});
    onTestEnd(() => client.disconnect());
    return redisRelay(client, options);
  }
  const { RedisClient } =
    (globalThis as unknown as { Bun: { RedisClient: new (url: string) => BunRedis } }).Bun;
  const client = new RedisClient(url);
  await client.connect();
  onTestEnd(() => client.close());
  return redisRelay(client as unknown as RedisClient, options);
}

interface BunRedis {
  connect(): Promise<void>;
  close(): void;
}
