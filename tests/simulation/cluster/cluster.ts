/** A cluster of nodes with a broker, and what its users see of it. */

import { natsRelay, presence, redisRelay, topics } from "../../../src/topics/mod.ts";
import type {
  Position,
  Presence,
  Published,
  PublishOptions,
  RedisClient as AnyRedisClient,
  SubscribeOptions,
  Subscription,
  Topics,
} from "../../../src/topics/mod.ts";
import { formatPosition, parsePosition } from "../../../src/topics/topics_protocol.ts";
import { Random } from "../../fuzz/random.ts";
import { Violation } from "../ledger.ts";
import { Host } from "./clock.ts";
import type { ClusterClock } from "./clock.ts";
import type { ClusterConfig } from "./config.ts";
import type { BrokerClient, BrokerServer, Surroundings } from "./broker.ts";
import { KeptAccount, PlainAccount, PlainTopic } from "./ledger.ts";
import type { Account } from "./ledger.ts";
import { NatsClient, NatsServer, STREAM } from "./nats.ts";
import { SimulatedPeer } from "./peer.ts";
import { RedisServer } from "./redis.ts";

const PREFIX = "sim";

/** The topic whose members are known. */
const LOBBY = "lobby";

/** The topics. Those that begin with `k` are kept. */
const PLAIN = ["p", "p*> \0."];
const KEPT = ["k", "k*> \0."];

/** Until when a promise of a message must have settled, in milliseconds. */
const SETTLE_BOUND = 5000;

/** After how long all nodes know each other again, once nothing disturbs them. */
const RECOVERY = 3500;

/**
 * How much longer it may take until all members are known: a node whose client was deaf is heard with its next
 * heartbeat, and then answers a question.
 */
const MEMBERS_CALM = 2000;

/** How long it may take until all losses are told, once all are connected: in heartbeats of a second. */
const CALM = 5000;

/** A node: a process with topics. */
export interface ClusterNode {
  readonly name: string;
  readonly host: Host;
  readonly client: BrokerClient;
  readonly topics: Topics;
  /** With a member of the node's name. */
  readonly presence: Presence<null> | undefined;
  readonly numbers: Map<string, number>;
  /** For each kept topic: the last message that its subscribers have got, or that it has stored. */
  readonly known: Map<string, Position>;
  readonly subscribers: Set<ClusterSubscriber>;
  isEnding: boolean;
  /** When its last fault was, or the broker's. */
  faultAt: number;
}

/** A subscriber of a node. */
export interface ClusterSubscriber {
  readonly node: ClusterNode;
  readonly topic: string;
  readonly peer: SimulatedPeer;
  readonly account: Account;
  readonly subscription: Subscription;
  readonly whenSlow: SubscribeOptions["whenSlow"];
}

/** A message whose `settled` is pending. */
interface Settling {
  readonly node: ClusterNode;
  readonly at: number;
  readonly busyUntil: number;
  readonly data: string;
}

/** The encoded form of a kept message: it shows its position. */
const encode: SubscribeOptions["encode"] = ({ data, position }) =>
  `${position === undefined ? "" : formatPosition(position)} ${data}`;

export class Cluster implements Surroundings {
  readonly clock: ClusterClock;
  readonly random: Random;
  readonly config: ClusterConfig;
  readonly delays;
  readonly bounds;
  readonly prefix = PREFIX;
  readonly server: BrokerServer;
  readonly nodes: ClusterNode[] = [];
  violation: Violation | undefined;
  /** Kept messages that were rejected: an id makes it safe to publish them again. */
  readonly rejected: {
    node: ClusterNode;
    topic: string;
    data: string;
    options: PublishOptions;
  }[] = [];
  readonly errors = new Map<string, number>();
  /** The number of messages that were told as lost. */
  told = 0;
  received = 0;
  /** When the last fault of the broker was. */
  faultAt = -Infinity;
  #count = 0;
  readonly #plain = new Map<string, PlainTopic>();
  readonly #settling = new Set<Settling>();

  constructor(clock: ClusterClock, seed: number, config: ClusterConfig) {
    this.clock = clock;
    this.config = config;
    this.random = new Random(seed, 7);
    this.delays = config.delays;
    this.bounds = config.bounds;
    clock.restart(seed);
    clock.onError = (error) => this.failed(error);
    this.server = config.broker === "nats"
      ? new NatsServer(this)
      : new RedisServer(this, config.broker);
    for (const topic of PLAIN) this.#plain.set(topic, new PlainTopic());
    for (const topic of KEPT) this.#log(topic);
    for (let n = 0; n < config.nodes; n++) this.startNode();
    if (config.isSettled) this.wait(RECOVERY + 1);
  }

  /** Handles what is thrown: a broken invariant, or an error that no code has caught. */
  failed(error: unknown): void {
    this.violation ??= error instanceof Violation
      ? error
      : new Violation("nothing throws", error instanceof Error ? `${error.stack}` : `${error}`);
  }

  startNode(): void {
    if (this.nodes.length >= 4) return;
    const name = `n${++this.#count}`;
    const offset = this.config.clocks ? this.random.below(4) * 3_600_000 : 0;
    const host = new Host(name, offset);
    this.clock.on(host, () => {
      const client = this.server.connect(host);
      const relay = client instanceof NatsClient
        ? natsRelay(client, { prefix: PREFIX, jetstream: client.jetstream, stream: STREAM })
        : redisRelay(client as unknown as AnyRedisClient, { prefix: PREFIX });
      const made = topics({
        relay,
        keep: (topic) => topic.startsWith("k") ? this.config.keep : undefined,
        onError: (error) => this.reported(error),
      });
      const people = this.config.hasPresence ? presence<null>(made, { grace: 0 }) : undefined;
      people?.join(new SimulatedPeer(() => {}), LOBBY, name, null);
      this.nodes.push({
        presence: people,
        name,
        host,
        client,
        topics: made,
        numbers: new Map(),
        known: new Map(),
        subscribers: new Set(),
        isEnding: false,
        faultAt: this.clock.now,
      });
    });
  }

  /** Handles an error that a node reports: one of the broker is none of ours. */
  reported(error: unknown): void {
    if (error instanceof Violation) return this.failed(error);
    const { name, message, stack } = error as Error;
    const isOwn = name === "TypeError" || name === "RangeError" || name === "ReferenceError";
    if (isOwn && !message?.startsWith("Cannot")) this.failed(new Error(`${stack}`));
    this.errors.set(`${message ?? error}`, (this.errors.get(`${message ?? error}`) ?? 0) + 1);
  }

  node(which: number): ClusterNode | undefined {
    return this.nodes[which % Math.max(1, this.nodes.length)];
  }

  subscriber(which: number): ClusterSubscriber | undefined {
    const all = this.nodes.flatMap(({ subscribers }) => [...subscribers]);
    return all[which % Math.max(1, all.length)];
  }

  /** A connection of a client with the broker, for a fault. */
  connection(which: number): BrokerClient | undefined {
    const all = this.nodes.flatMap((node) => node.client.all.map((client) => ({ node, client })));
    const found = all[which % Math.max(1, all.length)];
    if (found !== undefined) found.node.faultAt = this.clock.now;
    return found?.client;
  }

  /** Whether a node may be out of reach, or was a moment ago. */
  get isDisturbed(): boolean {
    if (!this.server.isUp || this.clock.now - this.faultAt < RECOVERY) return true;
    return this.nodes.some(({ client, host, faultAt }) =>
      this.clock.now - Math.max(faultAt, host.busyUntil) < RECOVERY ||
      client.all.some(({ link }) => !link.isUp || link.isFrozen || link.losses > 0)
    );
  }

  wait(ms: number): void {
    this.clock.advance(ms);
    for (const { node, at, busyUntil, data } of this.#settling) {
      if (!node.host.isAlive) continue;
      const since = Math.max(at, busyUntil, node.host.busyUntil);
      if (this.clock.now - since <= SETTLE_BOUND + 1) continue;
      this.failed(new Violation("settled settles within 5 s", `${data} of ${node.name}`));
    }
  }

  publish(node: ClusterNode, isKept: boolean, which: number, flags: number): void {
    const topic = (isKept ? KEPT : PLAIN)[which % 2]!;
    const number = (node.numbers.get(topic) ?? 0) + 1;
    const publisher = `${node.name}/${which % 2}`;
    // What is kept is sent again to a subscriber that starts meanwhile, except to none.
    const all = [...node.subscribers].filter(({ topic: other, account }) =>
      other === topic && account.isReady
    );
    const excepted = flags % 4 === 0 ? all[0] : undefined;
    const options = excepted === undefined ? {} : { except: excepted.peer };
    node.numbers.set(topic, number);
    this.clock.on(node.host, () => {
      if (isKept) {
        const data = `${publisher} ${number}`;
        excepted?.account.excepted.add(data);
        const id = flags % 8 < 4 ? data : undefined;
        const all = id === undefined ? options : { ...options, id };
        this.#settle(node, node.topics.publish(topic, data, all), topic, data, all);
        return;
      }
      const data = this.#plain.get(topic)!.add(publisher, number);
      excepted?.account.excepted.add(data);
      const size = node.topics.size(topic);
      // A peer that is closed already is no subscriber.
      const isExcepted = excepted?.peer.readyState === 1 ? 1 : 0;
      const published = node.topics.publish(topic, data, options);
      const { subscribers, sent, waiting, dropped, closed } = published;
      if (subscribers !== sent + waiting + dropped + closed || subscribers !== size - isExcepted) {
        this.failed(
          new Violation(
            "subscribers == sent + waiting + dropped + closed",
            `${size - isExcepted}: ${subscribers}, ${sent} + ${waiting} + ${dropped} + ${closed}`,
          ),
        );
      }
      if (flags % 3 === 0) this.#settle(node, published, topic, data, {});
    });
    this.#sweep(node);
  }

  /** Publishes rejected messages again. */
  retry(): void {
    for (const { node, topic, data, options } of this.rejected.splice(0)) {
      if (!this.nodes.includes(node) || node.isEnding) continue;
      this.clock.on(node.host, () => {
        this.#settle(node, node.topics.publish(topic, data, options), topic, data, options);
      });
    }
  }

  #settle(
    node: ClusterNode,
    published: Published,
    topic: string,
    data: string,
    options: PublishOptions,
  ): void {
    const { now } = this.clock;
    const settling = { node, at: now, busyUntil: node.host.busyUntil, data };
    this.#settling.add(settling);
    published.settled.then((position) => {
      this.#settling.delete(settling);
      if (!topic.startsWith("k")) return;
      const entry = this.#log(topic).entries.find(({ epoch, offset }) =>
        epoch === position?.epoch && offset === position.offset
      );
      if (entry?.data === data) return this.#note(node, topic, position!);
      const what = `${data} at ${JSON.stringify(position)}, there is ${entry?.data}`;
      this.failed(new Violation("what is acknowledged is stored at its position", what));
    }, (error) => {
      this.#settling.delete(settling);
      if ((error as Error)?.name !== "NetworkError") {
        this.failed(new Violation("settled rejects with a NetworkError", `${error}`));
      }
      if (options.id !== undefined) this.rejected.push({ node, topic, data, options });
    });
  }

  /** Notes that a node has the message at a position of a topic. */
  #note(node: ClusterNode, topic: string, position: Position): void {
    const log = this.#log(topic);
    const known = node.known.get(topic);
    if (known === undefined || log.indexAfter(known)! < log.indexAfter(position)!) {
      node.known.set(topic, position);
    }
  }

  #log(topic: string) {
    const { store } = this.server;
    return store.log(store.channelOf(topic));
  }

  subscribe(node: ClusterNode, isKept: boolean, which: number, flags: number): void {
    if (node.subscribers.size >= 4 || node.isEnding) return;
    const topic = (isKept ? KEPT : PLAIN)[which % 2]!;
    const whenSlow = ([undefined, "drop-oldest", "drop-newest", "latest"] as const)[flags % 4];
    const log = this.#log(topic);
    const since = isKept ? this.#since(topic, flags >> 2) : undefined;
    const name = `${node.name} s${++this.#count} ${topic.length}`;
    const account: Account = isKept
      ? new KeptAccount(name, log, since, this.server.store, node.known.get(topic))
      : new PlainAccount(name, this.#plain.get(topic)!, () => this.isDisturbed);
    const peer = this.#peer(node, topic, account);
    this.clock.on(node.host, () => {
      const subscription = node.topics.subscribe(peer, topic, {
        encode: encode!,
        maxWaiting: 1 + (flags >> 5) % 4,
        ...(whenSlow === undefined ? {} : { whenSlow }),
        ...(since === undefined ? {} : { since }),
        onStart: (start) => this.#try(() => account.start(start)),
        onGap: (gap) => {
          this.told += gap.count ?? 0;
          this.#try(() => account.gap(gap));
        },
      });
      node.subscribers.add({ node, topic, peer, account, subscription, whenSlow });
    });
  }

  /** A peer whose messages go to an account. */
  #peer(node: ClusterNode, topic: string, account: Account): SimulatedPeer {
    return new SimulatedPeer((message) => {
      this.received++;
      const text = message as string;
      const space = text.indexOf(" ");
      const position = parsePosition(text.slice(0, space));
      this.#try(() => {
        account.receive(text.slice(space + 1), position);
        if (position !== undefined) this.#note(node, topic, position);
      });
    });
  }

  /** A position to begin with: the last one of another subscriber, one of the past, or a forged one. */
  #since(topic: string, flags: number) {
    const { entries, epochs } = this.#log(topic);
    const entry = entries[(flags >> 3) % Math.max(1, entries.length)];
    switch (flags % 8) {
      case 0:
        return undefined;
      case 1:
        return { epoch: "forged", offset: flags >> 3 };
      case 2:
        return { epoch: epochs.at(-1)?.epoch ?? "x", offset: (flags >> 3) % 20 };
      case 3:
        return { epoch: epochs[0]?.epoch ?? "x", offset: Number.MAX_SAFE_INTEGER };
      default:
        return entry === undefined ? undefined : { epoch: entry.epoch, offset: entry.offset };
    }
  }

  /** A client has lost its connection, and returns with what it had. */
  comeBack(subscriber: ClusterSubscriber, which: number): void {
    this.leave(subscriber);
    const node = this.node(which);
    if (node === undefined || node.isEnding || !(subscriber.account instanceof KeptAccount)) return;
    const { topic, account: { position: since } } = subscriber;
    if (since === undefined) return;
    const name = `${node.name} back ${++this.#count}`;
    const account = new KeptAccount(
      name,
      this.#log(topic),
      since,
      this.server.store,
      node.known.get(topic),
    );
    const peer = this.#peer(node, topic, account);
    this.clock.on(node.host, () => {
      const subscription = node.topics.subscribe(peer, topic, {
        encode: encode!,
        since,
        maxWaiting: 1000,
        onStart: (start) => this.#try(() => account.start(start)),
        onGap: (gap) => this.#try(() => account.gap(gap)),
      });
      node.subscribers.add({ node, topic, peer, account, subscription, whenSlow: undefined });
    });
  }

  leave(subscriber: ClusterSubscriber): void {
    subscriber.node.subscribers.delete(subscriber);
    this.clock.on(subscriber.node.host, () => subscriber.peer.end());
  }

  unsubscribe(subscriber: ClusterSubscriber): void {
    subscriber.node.subscribers.delete(subscriber);
    this.clock.on(subscriber.node.host, () => subscriber.subscription.unsubscribe());
  }

  stall(subscriber: ClusterSubscriber): void {
    subscriber.peer.stall();
  }

  resume(subscriber: ClusterSubscriber): void {
    this.clock.on(subscriber.node.host, () => subscriber.peer.resume());
    this.#sweep(subscriber.node);
  }

  /** A node is killed: nothing of it runs any more. */
  crash(node: ClusterNode): void {
    this.faultAt = this.clock.now;
    node.client.kill();
    node.host.isAlive = false;
    this.#remove(node);
  }

  /** A node ends as it should. */
  dispose(node: ClusterNode): void {
    this.faultAt = this.clock.now;
    node.isEnding = true;
    node.subscribers.clear();
    for (const topic of this.#plain.values()) {
      for (let n = 0; n < 2; n++) topic.ended.add(`${node.name}/${n}`);
    }
    this.clock.on(node.host, () => void node.presence?.[Symbol.asyncDispose]());
    this.clock.on(node.host, () => void node.topics[Symbol.asyncDispose]());
  }

  #remove(node: ClusterNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    for (const topic of this.#plain.values()) {
      for (let n = 0; n < 2; n++) topic.ended.add(`${node.name}/${n}`);
    }
    for (const settling of this.#settling) {
      if (settling.node === node) this.#settling.delete(settling);
    }
  }

  /** Removes the subscribers that were closed. */
  #sweep(node: ClusterNode): void {
    for (const subscriber of node.subscribers) {
      if (subscriber.peer.readyState === 1) continue;
      if (subscriber.peer.closeCode !== 1013) {
        this.failed(new Violation("a peer is closed with 1013", `${subscriber.peer.closeCode}`));
      }
      this.leave(subscriber);
    }
  }

  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Ends all faults, and compares what was published with what was received. */
  calm(): void {
    const { server } = this;
    if (this.isDisturbed) this.faultAt = this.clock.now;
    server.isFull = false;
    if (!server.isUp) server.start();
    for (const { client } of this.nodes) for (const { link } of client.all) link.thaw();
    // What a node was to do during a block of its event loop is done at the end of the block.
    this.wait(Math.max(0, ...this.nodes.map(({ host }) => host.busyUntil - this.clock.now)));
    for (const node of this.nodes) for (const one of node.subscribers) this.resume(one);
    this.wait(CALM);
    // A request to a broker that was out of reach is repeated after its timeout.
    const isStarting = () =>
      this.nodes.some(({ subscribers }) =>
        [...subscribers].some(({ account }) => !account.isReady)
      );
    for (let n = 0; n < 3 && isStarting(); n++) this.wait(4000);
    for (const node of this.nodes) this.#sweep(node);
    for (const { subscribers } of this.nodes) {
      for (const { account, subscription, whenSlow } of subscribers) {
        const difference = account.difference();
        if (difference !== undefined) {
          this.failed(new Violation("received + told == published", difference));
        }
        if (subscription.waiting > 0) {
          this.failed(new Violation("nothing waits for a fast peer", `${whenSlow}`));
        }
      }
    }
  }

  /** After a time in milliseconds, each node has the members of all nodes, and no ghosts. */
  checkPresence(calm: number = MEMBERS_CALM): void {
    if (!this.config.hasPresence) return;
    this.wait(calm);
    const alive = this.nodes.filter(({ isEnding }) => !isEnding);
    const expected = alive.map(({ name }) => name).sort().join();
    for (const { name, presence } of alive) {
      const members = [...presence!.members(LOBBY).keys()].sort().join();
      if (members === expected) continue;
      const what = `${name} has ${members}, there are ${expected}`;
      this.failed(new Violation("all nodes have the same members", what));
    }
  }

  /** A node is killed while all is well: its members leave within four seconds. */
  killOne(): void {
    const [node] = this.nodes;
    if (!this.config.hasPresence || node === undefined || this.nodes.length < 2) return;
    this.crash(node);
    this.checkPresence(4000 + this.delays.longest);
  }

  /** Ends everything. What is left then is a leak. */
  end(): void {
    for (const node of this.nodes) if (!node.isEnding) this.dispose(node);
    this.wait(10);
    for (const node of this.nodes) {
      const { host, client, topics: { stats } } = node;
      this.clock.on(host, () => client.end());
      if (host.timers > 0) this.failed(new Violation("no timer is left", `${host.timers}`));
      if (stats.topics + stats.subscriptions + stats.waiting > 0) {
        this.failed(new Violation("nothing is left", JSON.stringify(stats)));
      }
    }
    this.wait(1000);
    if (this.#settling.size > 0) {
      const [{ data }] = this.#settling as unknown as [Settling];
      this.failed(new Violation("settled settles", data));
    }
    if (this.server.subscriptions > 0) {
      this.failed(new Violation("no subscription is left", `${this.server.subscriptions}`));
    }
  }
}
