/** A model of a Redis server, and of the three clients that a relay can use. */

import { Link } from "./link.ts";
import { Store } from "./store.ts";
import type { BrokerClient, BrokerServer, Surroundings } from "./broker.ts";
import type { Host } from "./clock.ts";

/** Which client is modelled. */
export type RedisKind = "node-redis" | "ioredis" | "bun";

/** How long a topic is remembered after its last message, in milliseconds. */
const REMEMBERED = 86_400_000;

/** The keys of one topic. */
interface TopicKeys {
  readonly epoch: string;
  offset: number;
  bytes: number;
  age: number;
  /** When the messages expire, and when all is forgotten. */
  expiresAt: number;
  forgottenAt: number;
  entries: { offset: number; message: string; time: number; bytes: number }[];
}

/** The server. */
export class RedisServer implements BrokerServer {
  isUp = true;
  isFull = false;
  readonly store: Store;
  readonly #world: Surroundings;
  readonly #kind: RedisKind;
  readonly #channels = new Map<string, Set<RedisClient>>();
  readonly #clients = new Set<RedisClient>();
  #topics = new Map<string, TopicKeys>();
  #ids = new Map<string, { position: string; until: number }>();

  constructor(world: Surroundings, kind: RedisKind) {
    this.#world = world;
    this.#kind = kind;
    this.store = new Store(world.prefix, () => world.clock.now);
  }

  connect(host: Host): RedisClient {
    const client = new RedisClient(this, this.#world, host, this.#kind, undefined);
    this.#clients.add(client);
    return client;
  }

  add(client: RedisClient): void {
    this.#clients.add(client);
  }

  get subscriptions(): number {
    let count = 0;
    for (const clients of this.#channels.values()) count += clients.size;
    return count;
  }

  crash(isLost: boolean): void {
    this.isUp = false;
    for (const client of [...this.#clients]) client.cut();
    if (isLost) this.dropStream();
  }

  start(): void {
    this.isUp = true;
  }

  /** All keys are deleted. */
  dropStream(): void {
    this.#topics.clear();
    this.#ids.clear();
    this.store.drop();
  }

  leave(client: BrokerClient): void {
    this.#clients.delete(client as RedisClient);
    this.forget(client as RedisClient);
  }

  forget(client: RedisClient): void {
    for (const [channel, clients] of this.#channels) {
      clients.delete(client);
      if (clients.size === 0) this.#channels.delete(channel);
    }
  }

  subscribe(client: RedisClient, channel: string): void {
    const clients = this.#channels.get(channel);
    if (clients === undefined) this.#channels.set(channel, new Set([client]));
    else clients.add(client);
  }

  unsubscribe(client: RedisClient, channel: string): void {
    const clients = this.#channels.get(channel);
    clients?.delete(client);
    if (clients?.size === 0) this.#channels.delete(channel);
  }

  publish(channel: string, payload: string): number {
    const clients = this.#channels.get(channel);
    for (const client of clients ?? []) {
      // Nothing would tell of a kept message that is lost on a connection that lives.
      const mayBeLost = !channel.startsWith(`${this.#world.prefix}.k.`);
      client.link.message(() => client.deliver(channel, payload), mayBeLost);
    }
    return clients?.size ?? 0;
  }

  inject(topic: string, isKept: boolean, data: string | Uint8Array): void {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    if (topic === "") this.publish(`${this.#world.prefix}.n`, text);
    else if (isKept) this.publish(this.store.channelOf(topic), text);
    else this.publish(`${this.#world.prefix}.t.${this.store.nameOf(topic)}`, text);
  }

  /** Runs a command. */
  run([name, ...args]: string[]): unknown {
    if (name === "PUBLISH") return this.publish(args[0]!, args[1]!);
    if (name !== "EVAL") throw new Error(`The model does not know ${name}`);
    const [script, count, ...rest] = args;
    const keys = rest.slice(0, Number(count));
    const values = rest.slice(Number(count));
    return script!.includes("PUBLISH") ? this.#store(keys, values) : this.#read(keys, values);
  }

  #keysOf(hash: string): TopicKeys | undefined {
    const keys = this.#topics.get(hash);
    const { now } = this.#world.clock;
    if (keys !== undefined && keys.forgottenAt <= now) this.#topics.delete(hash);
    else if (keys !== undefined && keys.expiresAt <= now) {
      while (keys.entries.length > 0) this.#drop(keys, this.#channelOf(hash));
    }
    return this.#topics.get(hash);
  }

  #channelOf(hash: string): string {
    const name = hash.slice(hash.indexOf("{") + 1, hash.lastIndexOf("}"));
    return `${this.#world.prefix}.k.${name}`;
  }

  /** Begins the history of a topic. */
  #begin(hash: string, epoch: string): TopicKeys {
    const { now } = this.#world.clock;
    const keys: TopicKeys = {
      epoch: `${epoch}-${Math.floor(now * 1000)}`,
      offset: 0,
      bytes: 0,
      age: 0,
      expiresAt: Infinity,
      forgottenAt: now + REMEMBERED,
      entries: [],
    };
    this.#topics.set(hash, keys);
    this.store.end(this.store.log(this.#channelOf(hash)), keys.epoch);
    return keys;
  }

  #store([hash, , idKey]: string[], values: string[]): unknown {
    if (this.isFull) return new Error("OOM command not allowed when used memory > 'maxmemory'");
    const [message, most, bytes, age, epoch, hasId, channel, length] = values;
    const { now } = this.#world.clock;
    const seen = this.#ids.get(idKey!);
    if (hasId === "1" && seen !== undefined && seen.until > now) return seen.position;
    const keys = this.#keysOf(hash!) ?? this.#begin(hash!, epoch!);
    keys.entries.push({
      offset: ++keys.offset,
      message: message!,
      time: now,
      bytes: Number(length),
    });
    keys.bytes += Number(length);
    this.store.append(channel!, keys.offset, message!);
    const limit = Number(bytes);
    while (
      keys.entries.length > Number(most) ||
      (limit > 0 && keys.bytes > limit && keys.entries.length > 0)
    ) {
      this.#drop(keys, channel!);
    }
    keys.age = Number(age);
    keys.expiresAt = now + keys.age;
    keys.forgottenAt = now + Math.max(keys.age, REMEMBERED);
    const position = `${keys.epoch}:${keys.offset}`;
    if (hasId === "1") this.#ids.set(idKey!, { position, until: keys.expiresAt });
    this.publish(channel!, `${position}\n${message}`);
    return position;
  }

  #read([hash]: string[], [from, count, epoch]: string[]): unknown {
    const known = this.#keysOf(hash!);
    if (known === undefined && epoch === "") return ["", "0", "1"];
    const keys = known ?? this.#begin(hash!, epoch!);
    const oldest = this.#world.clock.now - keys.age;
    while (keys.entries.length > 0 && keys.entries[0]!.time < oldest) {
      this.#drop(keys, this.#channelOf(hash!));
    }
    const first = keys.entries[0]?.offset ?? keys.offset + 1;
    const answer = [keys.epoch, `${keys.offset}`, `${first}`];
    for (const { offset, message } of keys.entries) {
      if (offset < Number(from) || (answer.length - 3) / 2 >= Number(count)) continue;
      answer.push(`${offset}`, message);
    }
    return answer;
  }

  #drop(keys: TopicKeys, channel: string): void {
    const first = keys.entries.shift()!;
    keys.bytes -= first.bytes;
    this.store.trim(channel, first.offset);
  }
}

/** A command that has no answer yet. */
interface Command {
  readonly run: () => unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Listener = (message: string, channel: string) => void;

/** A client, with the members that a relay uses of one of the three. */
export class RedisClient implements BrokerClient {
  readonly link: Link;
  readonly #server: RedisServer;
  readonly #world: Surroundings;
  readonly #host: Host;
  readonly #kind: RedisKind;
  readonly #parent: RedisClient | undefined;
  /** The clients that were made of this one. */
  readonly children = new Set<RedisClient>();
  readonly #listeners = new Map<string, Listener>();
  readonly #events = new Map<string, ((...args: string[]) => void)[]>();
  #pending = new Set<Command>();
  #offline: Command[] = [];
  #onUp: (() => void)[] = [];
  #isEnded = false;
  call?: (name: string, ...args: string[]) => Promise<unknown>;
  sendCommand?: (args: string[]) => Promise<unknown>;
  send?: (name: string, args: string[]) => Promise<unknown>;
  connect?: () => Promise<void>;
  destroy?: () => void;
  disconnect?: () => void;
  close?: () => void;
  on?: (event: string, listener: (...args: string[]) => void) => void;

  constructor(
    server: RedisServer,
    world: Surroundings,
    host: Host,
    kind: RedisKind,
    parent: RedisClient | undefined,
  ) {
    this.#server = server;
    this.#world = world;
    this.#host = host;
    this.#kind = kind;
    this.#parent = parent;
    this.link = new Link(world.clock, world.random, world.delays, host);
    const run = (args: string[]) => this.#command(() => this.#server.run(args));
    if (kind === "ioredis") this.call = (...args) => run(args);
    if (kind === "node-redis") this.sendCommand = run;
    if (kind === "bun") this.send = (name, args) => run([name, ...args]);
    if (kind === "ioredis") this.disconnect = () => this.end();
    if (kind === "node-redis") this.destroy = () => this.end();
    if (kind === "bun") this.close = () => this.end();
    if (kind !== "bun") {
      this.on = (event, listener) => {
        this.#events.set(event, [...this.#events.get(event) ?? [], listener]);
      };
    }
    if (kind !== "ioredis") this.connect = () => this.#whenUp();
    if (parent === undefined) this.link.isUp = server.isUp;
    if (!this.link.isUp && (parent === undefined || kind === "ioredis")) this.#reconnect();
  }

  /** The clients of this node: this one, and that for its subscriptions. */
  get all(): RedisClient[] {
    return [this, ...this.children];
  }

  duplicate(): RedisClient | Promise<RedisClient> {
    const client = new RedisClient(this.#server, this.#world, this.#host, this.#kind, this);
    this.#server.add(client);
    this.children.add(client);
    return this.#kind === "bun" ? Promise.resolve(client) : client;
  }

  subscribe(channel: string, listener?: Listener): Promise<unknown> {
    if (listener !== undefined) this.#listeners.set(channel, listener);
    else this.#listeners.set(channel, (message) => this.#emit("message", channel, message));
    return this.#command(() => this.#server.subscribe(this, channel));
  }

  unsubscribe(channel: string): Promise<unknown> {
    this.#listeners.delete(channel);
    return this.#command(() => this.#server.unsubscribe(this, channel));
  }

  deliver(channel: string, payload: string): void {
    this.#listeners.get(channel)?.(payload, channel);
  }

  cut(): void {
    if (!this.link.isUp) return;
    this.link.cut();
    this.#server.forget(this);
    const pending = this.#pending;
    this.#pending = new Set();
    // ioredis sends commands without an answer again.
    if (this.#kind === "ioredis") this.#offline.push(...pending);
    this.#world.clock.after(this.#world.random.below(50), this.#host, () => {
      if (this.#kind !== "ioredis") {
        for (const { reject } of pending) reject(new Error("Socket closed unexpectedly"));
      }
      this.#emit("error", "Socket closed unexpectedly");
    });
    this.#reconnect();
  }

  kill(): void {
    for (const client of this.all) {
      client.#isEnded = true;
      client.link.cut();
      client.#server.leave(client);
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.link.cut();
    this.#server.leave(this);
    this.#parent?.children.delete(this);
    for (const { reject } of [...this.#pending, ...this.#offline]) {
      reject(new Error("The client is closed"));
    }
    this.#pending.clear();
    this.#offline = [];
  }

  #emit(event: string, ...args: string[]): void {
    for (const listener of this.#events.get(event) ?? []) listener(...args);
  }

  #whenUp(): Promise<void> {
    if (this.link.isUp) return Promise.resolve();
    if (this.#onUp.length === 0 && this.#parent !== undefined) this.#reconnect();
    return new Promise((resolve) => this.#onUp.push(resolve));
  }

  #command(run: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const command: Command = { run, resolve, reject };
      if (this.#isEnded) reject(new Error("The client is closed"));
      else if (this.link.isUp) this.#send(command);
      else this.#offline.push(command);
    });
  }

  #send(command: Command): void {
    this.#pending.add(command);
    this.link.up(() => {
      const answer = command.run();
      this.link.down(() => {
        this.#pending.delete(command);
        if (answer instanceof Error) command.reject(answer);
        else command.resolve(answer);
      });
    });
  }

  #reconnect(): void {
    const { clock, random } = this.#world;
    clock.after(100 + random.below(200), this.#host, () => {
      if (this.#isEnded) return;
      if (!this.#server.isUp) return this.#reconnect();
      this.link.isUp = true;
      if (this.#kind === "node-redis") {
        for (const channel of this.#listeners.keys()) {
          this.#command(() => this.#server.subscribe(this, channel)).catch(() => {});
        }
      }
      for (const command of this.#offline.splice(0)) this.#send(command);
      for (const resolve of this.#onUp.splice(0)) resolve();
      this.#emit("ready");
    });
  }
}
