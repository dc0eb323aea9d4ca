/** What the models of brokers have in common. */

import type { Random } from "../../fuzz/random.ts";
import type { ClusterClock, Host } from "./clock.ts";
import type { Delays, Link } from "./link.ts";
import type { Store } from "./store.ts";

/** What a model needs of its cluster. */
export interface Surroundings {
  readonly clock: ClusterClock;
  readonly random: Random;
  readonly delays: Delays;
  readonly prefix: string;
  /** The bounds of a stream: its messages, and those of each topic; -1 for none. */
  readonly bounds: { readonly most: number; readonly mostPerTopic: number };
}

/** A server. */
export interface BrokerServer {
  readonly isUp: boolean;
  isFull: boolean;
  readonly store: Store;
  /** The number of subscriptions of all clients. */
  readonly subscriptions: number;
  connect(host: Host): BrokerClient;
  /** Ends without a word, and loses what is not stored; or all. */
  crash(isLost: boolean): void;
  start(): void;
  dropStream(): void;
  /** Publishes or stores as another client would; with an empty topic, on the channel of the nodes. */
  inject(topic: string, isKept: boolean, data: string | Uint8Array): void;
  leave(client: BrokerClient): void;
}

/** The connected client of a node. */
export interface BrokerClient {
  readonly link: Link;
  /** The connections of the node: this one, and those for subscriptions. */
  readonly all: readonly BrokerClient[];
  /** The connection breaks. */
  cut(): void;
  /** The process of the client is killed. */
  kill(): void;
  /** The application closes the client. */
  end(): void;
}
