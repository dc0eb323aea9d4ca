/** The configurations and answers of the processes of a cluster. */

/** The clients of brokers. */
export type ClientName = "nats" | "node-redis" | "ioredis" | "bun";

/** The topics with this prefix are kept. */
export const KEPT = "kept/";

/** The configuration of a node. */
export interface NodeConfig {
  /** The name of the node and of its start, which its messages carry. */
  name: string;
  client: ClientName;
  /** The port of the broker, or of the proxy before it. */
  broker: number;
  /** The port of the server, or 0. */
  port: number;
  heartbeat?: number;
}

/** What a node publishes from now on. */
export interface PublishOrder {
  /** Topics with {@linkcode KEPT} as prefix are kept: each message is stored before the next. */
  topics: string[];
  /** The number of messages a second in all topics that are not kept, and in each that is. */
  rate: number;
}

/** The state of a node. */
export interface NodeStats {
  /** The number of messages of each topic; of kept topics, those that the broker has confirmed. */
  published: Record<string, number>;
  /** The longest time until `settled` settled, in milliseconds. */
  longestSettle: number;
  /** How often `settled` was rejected, and the message published again. */
  retries: number;
  /** The changes of the relay's state, with the time (Unix time, ms). */
  states: { isUp: boolean; at: number }[];
  /** How often the broker's store was read. */
  reads: number;
  connections: number;
  /** Rejections that nothing handled. */
  unhandled: string[];
}

/** The configuration of a process with subscribers. */
export interface SubscribersConfig {
  /** The ports of the nodes. Each subscriber uses one. */
  ports: number[];
  /** The number of connections. */
  count: number;
  /** Lists of topics. Subscriber n has the topic n, modulo the length, of each list. */
  topics: string[][];
  /** The longest delay before a connection is opened again, in milliseconds. */
  maxDelay?: number;
}

/** The account of one topic of one subscriber. */
export interface Account {
  /** The index of the node's port. */
  node: number;
  topic: string;
  /** By publisher: the first and the last number, and how many there were. */
  received: Record<string, [first: number, last: number, count: number]>;
  /** Messages that came twice or out of order. */
  wrong: number;
  /** The number of messages that were told to be missing, and how often the number was unknown. */
  lost: number;
  unknown: number;
  /** How often a subscription has begun, and how often without `recovered` after the first. */
  starts: number;
  unrecovered: number;
}
