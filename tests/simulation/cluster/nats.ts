/** A model of a NATS server with JetStream, and of its client. */

import type { NatsConnection, NatsMessage } from "../../../src/topics/mod.ts";
import { Link } from "./link.ts";
import { Store } from "./store.ts";
import type { BrokerClient, BrokerServer, Surroundings } from "./broker.ts";
import type { Host } from "./clock.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The name of the stream. */
export const STREAM = "S";

/** How long JetStream remembers the id of a message, in milliseconds. */
const DUPLICATE_WINDOW = 120_000;

/** A push consumer. */
interface Consumer {
  readonly subject: string;
  readonly filter: string;
  next: number;
  delivered: number;
}

interface StreamMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

/** The server. */
export class NatsServer implements BrokerServer {
  isUp = true;
  isFull = false;
  readonly store: Store;
  readonly #world: Surroundings;
  /** The subscriptions, by subject: each client has at most one. */
  readonly #subjects = new Map<string, Map<NatsClient, number>>();
  #clients: NatsClient[] = [];
  #messages: StreamMessage[] = [];
  #ids = new Map<string, { seq: number; until: number }>();
  #consumers: Consumer[] = [];
  #last = 0;
  #created = "";
  #count = 0;
  #hasStream = true;

  constructor(world: Surroundings) {
    this.#world = world;
    this.store = new Store(world.prefix, () => world.clock.now);
    this.store.most = world.bounds.mostPerTopic;
    this.dropStream();
    this.#idle();
  }

  connect(host: Host): BrokerClient {
    const client = new NatsClient(this, this.#world, host);
    this.#clients.push(client);
    return client;
  }

  get subscriptions(): number {
    let count = 0;
    for (const clients of this.#subjects.values()) count += clients.size;
    return count;
  }

  /** The stream is deleted, and made again. */
  dropStream(): void {
    this.#messages = [];
    this.#ids.clear();
    this.#consumers = [];
    this.#last = 0;
    this.#created = `2026-01-01T00:00:00.${String(++this.#count).padStart(9, "0")}Z`;
    this.store.drop(this.#created.replaceAll(/\W/g, ""));
  }

  crash(isLost: boolean): void {
    this.isUp = false;
    for (const client of [...this.#clients]) client.link.isUp && client.cut();
    this.#subjects.clear();
    this.#consumers = [];
    if (isLost) this.dropStream();
  }

  start(): void {
    this.isUp = true;
  }

  /** Has each client forget its connection, and be forgotten. */
  forget(client: NatsClient): void {
    for (const [subject, clients] of this.#subjects) {
      clients.delete(client);
      if (clients.size === 0) this.#subjects.delete(subject);
    }
  }

  leave(client: BrokerClient): void {
    this.#clients = this.#clients.filter((other) => other !== client);
    this.forget(client as NatsClient);
  }

  subscribe(client: NatsClient, subject: string, id: number): void {
    const clients = this.#subjects.get(subject);
    if (clients === undefined) this.#subjects.set(subject, new Map([[client, id]]));
    else clients.set(client, id);
    for (const consumer of this.#consumers) {
      if (consumer.subject === subject) this.#pump(consumer);
    }
  }

  unsubscribe(client: NatsClient, subject: string, id: number): void {
    const clients = this.#subjects.get(subject);
    if (clients?.get(client) !== id) return;
    clients.delete(client);
    if (clients.size === 0) this.#subjects.delete(subject);
  }

  publish(
    subject: string,
    data: Uint8Array,
    reply?: string,
    headers?: NatsMessage["headers"],
  ): void {
    for (const [client, id] of this.#subjects.get(subject) ?? []) {
      const message: NatsMessage = { subject, data };
      if (reply !== undefined) message.reply = reply;
      if (headers !== undefined) message.headers = headers;
      client.link.message(() => client.deliver(id, message), true);
    }
  }

  /** Publishes as another client of the broker would. */
  inject(topic: string, isKept: boolean, data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (topic === "") this.publish(`${this.#world.prefix}.n`, bytes);
    else if (isKept) this.append(this.store.channelOf(topic), bytes, undefined);
    else this.publish(`${this.#world.prefix}.t.${this.store.nameOf(topic)}`, bytes);
  }

  /** Stores a message. */
  append(subject: string, data: Uint8Array, id: string | undefined): object {
    if (!this.#hasStream) return { error: { code: 503, description: "no responders" } };
    if (this.isFull) return { error: { code: 503, description: "insufficient resources" } };
    const now = this.#world.clock.now;
    const seen = id === undefined ? undefined : this.#ids.get(id);
    if (seen !== undefined && seen.until > now) return { seq: seen.seq, duplicate: true };
    const seq = ++this.#last;
    if (id !== undefined) this.#ids.set(id, { seq, until: now + DUPLICATE_WINDOW });
    this.#messages.push({ seq, subject, data });
    this.store.append(subject, seq, decoder.decode(data));
    const { most, mostPerTopic } = this.#world.bounds;
    while (most > 0 && this.#messages.length > most) {
      const first = this.#messages.shift()!;
      this.store.trim(first.subject, first.seq);
    }
    const own = this.#messages.filter((message) => message.subject === subject);
    if (mostPerTopic > 0 && own.length > mostPerTopic) {
      const first = own[0]!;
      this.#messages.splice(this.#messages.indexOf(first), 1);
      this.store.trim(first.subject, first.seq);
    }
    for (const consumer of this.#consumers) this.#pump(consumer);
    return { seq, duplicate: false };
  }

  /** Answers a request to JetStream. */
  answer(subject: string, payload: Uint8Array): object {
    const request = JSON.parse(decoder.decode(payload));
    if (!this.#hasStream) return { error: { code: 404, description: "stream not found" } };
    if (subject === `$JS.API.STREAM.INFO.${STREAM}`) {
      const first_seq = this.#messages[0]?.seq ?? this.#last + 1;
      return {
        created: this.#created,
        config: { max_msgs_per_subject: this.#world.bounds.mostPerTopic },
        state: {
          first_seq: this.#last === 0 ? 0 : first_seq,
          last_seq: this.#last,
          ...(request.subjects_filter === undefined ? {} : { subjects: this.#counts() }),
        },
      };
    }
    if (subject === `$JS.API.STREAM.MSG.GET.${STREAM}`) {
      const { last_by_subj, next_by_subj, seq } = request;
      const found = last_by_subj === undefined
        ? this.#messages.find((message) => message.seq >= seq && message.subject === next_by_subj)
        : this.#messages.findLast((message) => message.subject === last_by_subj);
      if (found === undefined) return { error: { code: 404, description: "no message found" } };
      return { message: { seq: found.seq, data: btoa(String.fromCharCode(...found.data)) } };
    }
    if (subject === `$JS.API.CONSUMER.CREATE.${STREAM}`) {
      const { deliver_subject, filter_subject, opt_start_seq } = request.config;
      const consumer: Consumer = {
        subject: deliver_subject,
        filter: filter_subject,
        next: opt_start_seq,
        delivered: 0,
      };
      const pending = this.#pending(consumer);
      this.#consumers.push(consumer);
      this.#pump(consumer);
      return { num_pending: pending, delivered: { consumer_seq: 0 } };
    }
    throw new Error(`The model does not know ${subject}`);
  }

  #counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { subject } of this.#messages) counts[subject] = (counts[subject] ?? 0) + 1;
    return counts;
  }

  /** The number of messages that a consumer has not had. */
  #pending({ next, filter }: Consumer): number {
    return this.#messages.filter(({ seq, subject }) => seq >= next && subject === filter).length;
  }

  /** Delivers what a consumer has not had, while its subject has a subscriber. */
  #pump(consumer: Consumer): void {
    if (!this.#subjects.has(consumer.subject)) return;
    for (const { seq, subject, data } of this.#messages) {
      if (seq < consumer.next || subject !== consumer.filter) continue;
      consumer.next = seq + 1;
      const numbers = `${seq}.${++consumer.delivered}.0.${this.#pending(consumer)}`;
      const reply = `$JS.ACK.${STREAM}.c.1.${numbers}`;
      this.publish(consumer.subject, data, reply);
    }
  }

  /** Each second JetStream reports that its consumers are idle. Those without a subscriber end. */
  #idle(): void {
    this.#world.clock.after(1000, undefined, () => {
      this.#consumers = this.#consumers.filter(({ subject }) => this.#subjects.has(subject));
      for (const { subject, delivered } of this.#consumers) {
        const headers = {
          get: (name: string) => name === "Nats-Last-Consumer" ? String(delivered) : "",
        };
        this.publish(subject, new Uint8Array(0), undefined, headers);
      }
      this.#idle();
    });
  }
}

/** A client. */
export class NatsClient implements BrokerClient, NatsConnection {
  readonly link: Link;
  readonly #server: NatsServer;
  readonly #world: Surroundings;
  readonly #host: Host;
  readonly #subscriptions = new Map<
    number,
    { subject: string; callback: (error: Error | null, message: NatsMessage) => void }
  >();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #buffer: (() => void)[] = [];
  #status: { type: string }[] = [];
  #onStatus: (() => void) | undefined;
  #count = 0;
  isEnded = false;
  readonly all = [this];

  constructor(server: NatsServer, world: Surroundings, host: Host) {
    this.#server = server;
    this.#world = world;
    this.#host = host;
    this.link = new Link(world.clock, world.random, world.delays, host);
    this.link.isUp = server.isUp;
    if (!server.isUp) this.#reconnect();
  }

  /** The connection ends, and a new one begins as soon as it can. */
  cut(): void {
    if (!this.link.isUp) return;
    this.link.cut();
    this.#server.forget(this);
    this.#world.clock.after(this.#world.random.below(50), this.#host, () => {
      this.#tell("disconnect");
    });
    this.#reconnect();
  }

  kill(): void {
    this.end();
  }

  end(): void {
    this.isEnded = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.link.cut();
    this.#server.leave(this);
  }

  publish(subject: string, payload: Uint8Array): void {
    this.#out(() => this.#server.publish(subject, payload));
  }

  subscribe(
    subject: string,
    { callback }: { callback(error: Error | null, message: NatsMessage): void },
  ): { unsubscribe(): void } {
    const id = ++this.#count;
    this.#subscriptions.set(id, { subject, callback });
    if (this.link.isUp) this.link.up(() => this.#server.subscribe(this, subject, id));
    return {
      unsubscribe: () => {
        if (!this.#subscriptions.delete(id) || !this.link.isUp) return;
        this.link.up(() => this.#server.unsubscribe(this, subject, id));
      },
    };
  }

  request(
    subject: string,
    payload: Uint8Array,
    { timeout }: { timeout: number },
  ): Promise<{ data: Uint8Array }> {
    return this.#ask(timeout, () => this.#server.answer(subject, payload))
      .then((answer) => ({ data: encoder.encode(JSON.stringify(answer)) }));
  }

  /** The client of JetStream. */
  readonly jetstream = {
    publish: async (
      subject: string,
      payload: Uint8Array,
      { msgID, timeout = 5000 }: { msgID?: string; timeout?: number } = {},
    ): Promise<{ seq: number; duplicate: boolean }> => {
      const answer = await this.#ask(
        timeout,
        () => this.#server.append(subject, payload, msgID),
      ) as { seq: number; duplicate: boolean; error?: { description: string } };
      if (answer.error !== undefined) throw new Error(answer.error.description);
      return answer;
    },
  };

  async *status(): AsyncIterable<{ type: string }> {
    while (true) {
      const status = this.#status.shift();
      if (status !== undefined) yield status;
      else await new Promise<void>((resolve) => this.#onStatus = resolve);
    }
  }

  deliver(id: number, message: NatsMessage): void {
    this.#subscriptions.get(id)?.callback(null, message);
  }

  #ask(timeout: number, run: () => object): Promise<object> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        reject(new Error("timeout"));
      }, timeout);
      this.#timers.add(timer);
      this.#out(() => {
        const answer = run();
        this.link.down(() => {
          clearTimeout(timer);
          this.#timers.delete(timer);
          resolve(answer);
        });
      });
    });
  }

  #out(run: () => void): void {
    if (this.isEnded) throw new Error("closed connection");
    if (this.link.isUp) this.link.up(run);
    else this.#buffer.push(run);
  }

  #tell(type: string): void {
    this.#status.push({ type });
    this.#onStatus?.();
    this.#onStatus = undefined;
  }

  #reconnect(): void {
    const { clock, random } = this.#world;
    clock.after(100 + random.below(200), this.#host, () => {
      if (this.isEnded) return;
      if (!this.#server.isUp) return this.#reconnect();
      this.link.isUp = true;
      for (const [id, { subject }] of this.#subscriptions) {
        this.link.up(() => this.#server.subscribe(this, subject, id));
      }
      for (const run of this.#buffer.splice(0)) this.link.up(run);
      this.#tell("reconnect");
    });
  }
}
