/** A cluster: nodes and subscribers as processes of both runtimes, a broker, and proxies between. */

import { brokerProcess } from "../../support/broker_processes.ts";
import type { BrokerProcess } from "../../support/broker_processes.ts";
import { accountProblems } from "./ledger.ts";
import { Process } from "./processes.ts";
import type { Runtime } from "./processes.ts";
import type { Account, ClientName, NodeConfig, NodeStats, PublishOrder } from "./protocol.ts";
import { startProxy } from "./proxy.ts";
import type { Proxy } from "./proxy.ts";

/** The relays that `--relay` names: each node's runtime and client. */
export const RELAYS: Record<string, { broker: "nats" | "redis"; nodes: [Runtime, ClientName][] }> =
  {
    nats: { broker: "nats", nodes: [["deno", "nats"], ["bun", "nats"]] },
    "node-redis": { broker: "redis", nodes: [["deno", "node-redis"], ["bun", "node-redis"]] },
    ioredis: { broker: "redis", nodes: [["deno", "ioredis"], ["bun", "ioredis"]] },
    "bun-redis": { broker: "redis", nodes: [["bun", "bun"], ["bun", "bun"]] },
    mixed: { broker: "redis", nodes: [["deno", "node-redis"], ["bun", "bun"]] },
  };

/** How long the last messages may take, in milliseconds. */
const SETTLE = 20_000;

/** Options of {@linkcode Cluster.start}. */
export interface ClusterOptions {
  broker: "nats" | "redis";
  nodes: [Runtime, ClientName][];
  /** The processes with subscribers. */
  subscribers: Runtime[];
  /** The number of connections of each of them. */
  connections: number;
  /** Lists of topics: each subscriber has one of each. */
  topics: string[][];
  /** Whether each node reaches the broker through a proxy. */
  hasProxies: boolean;
  /** The time between two heartbeats, in milliseconds. @default {1000} */
  heartbeat?: number;
  /** The longest delay of a subscriber before it connects again, in milliseconds. @default {30000} */
  maxDelay?: number;
  /** How many of the nodes, the first ones, have subscribers. @default {undefined} all */
  subscribedNodes?: number;
}

/** A node. */
export interface ClusterNode {
  process: Process;
  config: NodeConfig;
  /** The number of its starts. */
  life: number;
}

/** The number of messages of each topic of each publisher; `undefined` if it was killed. */
export type Published = Map<string, Record<string, number> | undefined>;

/** The processes of a cluster. */
export class Cluster implements AsyncDisposable {
  readonly broker: BrokerProcess;
  readonly nodes: ClusterNode[] = [];
  readonly subscribers: Process[] = [];
  readonly proxies: Proxy[] = [];
  /** The states of nodes that have ended. */
  readonly ended: NodeStats[] = [];
  readonly #options: ClusterOptions;
  readonly #published: Published = new Map();
  #order: PublishOrder | undefined;
  /** The number of restarts of nodes, after which each subscriber of the node subscribes again. */
  restarts = 0;

  private constructor(options: ClusterOptions, broker: BrokerProcess) {
    this.#options = options;
    this.broker = broker;
  }

  /** Starts all processes. Resolves when all subscriptions have begun. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await brokerProcess(options.broker));
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { nodes, subscribers, connections, topics, hasProxies } = this.#options;
    const { heartbeat, maxDelay, subscribedNodes } = this.#options;
    await this.broker.start();
    const { tcp, webSocket } = this.broker.ports;
    for (const [index, [runtime, client]] of nodes.entries()) {
      let broker = runtime === "deno" ? webSocket : tcp;
      if (hasProxies) {
        this.proxies.push(await startProxy(broker));
        broker = this.proxies.at(-1)!.port;
      }
      const config: NodeConfig = { name: `${index}.1`, client, broker, port: 0 };
      if (heartbeat !== undefined) config.heartbeat = heartbeat;
      this.nodes.push({ process: new Process(runtime, "node_main.ts", config), config, life: 1 });
    }
    for (const node of this.nodes) {
      node.config.port = await node.process.ask<number>("port");
      this.#published.set(node.config.name, {});
    }
    const ports = this.nodes.slice(0, subscribedNodes).map(({ config }) => config.port);
    for (const runtime of subscribers) {
      const config = {
        ports,
        count: connections,
        topics,
        ...(maxDelay === undefined ? {} : { maxDelay }),
      };
      this.subscribers.push(new Process(runtime, "subscribers_main.ts", config));
    }
    await Promise.all(this.subscribers.map((process) => process.ask("started", 1)));
    // The nodes learn of each other with the first heartbeats.
    await pause(heartbeat ?? 1000);
  }

  /** Has all nodes publish. */
  async publish(order: PublishOrder): Promise<void> {
    this.#order = order;
    await Promise.all(this.nodes.map(({ process }) => process.ask("publish", order)));
  }

  /** Has all nodes stop publishing. */
  async stop(): Promise<void> {
    this.#order = undefined;
    await Promise.all(this.nodes.map(({ process }) => process.ask("stop", null, 60_000)));
  }

  /** Kills a node. */
  async kill(index: number): Promise<void> {
    const { process, config } = this.nodes[index]!;
    this.#published.set(config.name, undefined);
    await process.kill();
  }

  /** Starts a killed node again. */
  async restart(index: number): Promise<void> {
    const node = this.nodes[index]!;
    node.config = { ...node.config, name: `${index}.${++node.life}` };
    node.process = new Process(node.process.runtime, "node_main.ts", node.config);
    this.#published.set(node.config.name, {});
    this.restarts++;
    await node.process.ask("port");
    if (this.#order !== undefined) await node.process.ask("publish", this.#order);
  }

  /** Resolves to the longest time until a subscriber of such topics has a message of another node. */
  async again(topic: string): Promise<number> {
    return Math.max(
      ...await Promise.all(
        this.subscribers.map((process) => process.ask<number>("again", topic, 60_000)),
      ),
    );
  }

  /** The states of the nodes. */
  stats(): Promise<NodeStats[]> {
    return Promise.all(this.nodes.map(({ process }) => process.ask<NodeStats>("stats")));
  }

  /** The accounts of all subscribers. */
  async accounts(): Promise<Account[]> {
    const all = this.subscribers.map((process) => process.ask<Account[]>("accounts"));
    return (await Promise.all(all)).flat();
  }

  /** Compares the accounts with what was published, until they agree. @returns The differences. */
  async verdict(ms = SETTLE): Promise<string[]> {
    const until = performance.now() + ms;
    while (true) {
      const running = this.nodes.filter(({ config }) => this.#published.get(config.name));
      for (const { process, config } of running) {
        this.#published.set(config.name, (await process.ask<NodeStats>("stats")).published);
      }
      const problems = accountProblems(await this.accounts(), this.#published);
      if (problems.length === 0 || performance.now() > until) {
        return [...problems, ...await this.#unhandled()];
      }
      await pause(100);
    }
  }

  async #unhandled(): Promise<string[]> {
    const running = this.nodes.filter(({ config }) => this.#published.get(config.name));
    const ofNodes = await Promise.all(
      running.map(async ({ process, config }) => {
        const { unhandled } = await process.ask<NodeStats>("stats");
        return unhandled.map((error) => `unhandled in node ${config.name}: ${error}`);
      }),
    );
    const ofSubscribers = await Promise.all(
      this.subscribers.map(async (process) => {
        const unhandled = await process.ask<string[]>("unhandled");
        return unhandled.map((error) => `unhandled in subscribers: ${error}`);
      }),
    );
    return [...ofNodes, ...ofSubscribers].flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.subscribers, ...this.nodes.map(({ process }) => process)];
    await Promise.all(all.map((process) => process.kill()));
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await this.broker.close();
  }
}

/** Resolves after a time in milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
