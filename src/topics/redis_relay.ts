import { getOrCreate } from "../util/maps.ts";
import { Timeouts } from "../util/timeouts.ts";
import { BrokerRelay } from "./broker_relay.ts";
import type { Broker, BrokerEvents } from "./broker.ts";
import { encodeText } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import { checkRelayOptions } from "./relay_options.ts";
import { RedisStore } from "./redis_store.ts";
import type { History, Keep, Position, Relay } from "./types.ts";
import type { RelayOptions } from "./relay_options.ts";

/** The members that {@linkcode redisRelay} uses of a Redis or Valkey client: node-redis, ioredis or Bun's. */
export type RedisClient =
  & {
    /** Creates another client of the same server, for subscriptions. */
    duplicate(): unknown;
  }
  & (
    | { sendCommand(args: string[]): Promise<unknown> }
    | { call(command: string, ...args: string[]): Promise<unknown> }
    | { send(command: string, args: string[]): Promise<unknown> }
  );

/** The timeout for connecting a client for subscriptions, in milliseconds. */
const RENEW_TIMEOUT = 2000;

/**
 * Creates a relay over the publish/subscribe of Redis or Valkey, which delivers at most once; lost messages
 * are counted. The caller owns the client: the relay does not close it. Subscriptions use a second client,
 * created by `duplicate()`, which is replaced if it no longer receives anything.
 *
 * @param client A connected client of the packages `redis` or `ioredis`, or Bun's `RedisClient`.
 * @throws {TypeError} If the client is none of them, there is an unknown option, or the prefix is invalid.
 * @throws {RangeError} If a number is out of range.
 */
export function redisRelay(client: RedisClient, options: RelayOptions): Relay {
  checkRelayOptions("redisRelay()", options);
  return new BrokerRelay(new RedisBroker(client, options.prefix), options);
}

/** The delay before another attempt to replace a client for subscriptions, in milliseconds. */
const RENEW_DELAY = 300;

/** The members for subscriptions that the three clients have in common. */
interface Subscriber {
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): void;
  close(): void;
}

/** The callbacks of a client for subscriptions. */
interface SubscriberEvents {
  message(channel: string, payload: string): void;
  error(error: unknown): void;
  /** The client has reconnected. Messages may have been lost meanwhile. */
  ready(): void;
  /** The client has lost its connection, and its subscriptions with it. */
  lost(): void;
}

/** Any of the clients. Its members show which one it is. */
interface AnyClient {
  duplicate(options?: { autoResubscribe: boolean }): AnyClient | Promise<AnyClient>;
  connect?(): Promise<unknown>;
  subscribe(channel: string, listener?: (message: string, channel: string) => void): unknown;
  unsubscribe(channel: string): unknown;
  on?(event: string, listener: (...args: string[]) => void): unknown;
  call?(command: string, ...args: string[]): Promise<unknown>;
  sendCommand?(args: string[]): Promise<unknown>;
  send?(command: string, args: string[]): Promise<unknown>;
  destroy?(): void;
  disconnect?(): void;
  close?(): void;
  onconnect?: (() => void) | null;
  onclose?: (() => void) | null;
}

/** The callbacks after the end of a relay. */
const NO_EVENTS: BrokerEvents = { message() {}, stored() {}, storeGap() {}, lost() {}, error() {} };

class RedisBroker implements Broker {
  readonly #client: AnyClient;
  /** The channels, each with the promise of its subscription. */
  readonly #channels = new Map<string, PromiseWithResolvers<void>>();
  #events: BrokerEvents | undefined;
  readonly #store: RedisStore;
  #subscriber: Subscriber | undefined;
  #isRenewing = false;
  readonly #timeouts = new Timeouts();
  #stopRenewal: (() => void) | undefined;

  constructor(client: RedisClient, prefix: string) {
    this.#store = new RedisStore(prefix, (name, ...args) => this.#command(name, ...args));
    this.#client = client as unknown as AnyClient;
    const { call, sendCommand, send, duplicate } = this.#client;
    const isClient = [call, sendCommand, send].some((member) => typeof member === "function");
    if (!isClient || typeof duplicate !== "function") {
      throw new TypeError(
        "Cannot use redisRelay(): expected a client with duplicate(), and sendCommand(), call() or send()",
      );
    }
  }

  async start(events: BrokerEvents): Promise<void> {
    this.#events = events;
    await this.#renew();
  }

  subscribe(channel: string): Promise<void> {
    return getOrCreate(this.#channels, channel, () => {
      const subscribed = Promise.withResolvers<void>();
      this.#subscriber?.subscribe(channel).then(subscribed.resolve, () => {});
      return subscribed;
    }).promise;
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#subscriber?.unsubscribe(channel);
  }

  sendControl(channel: string, text: string): void {
    this.#publish(channel, text);
  }

  send(channel: string, message: WireMessage): void {
    this.#publish(channel, encodeText(message));
  }

  async renew(): Promise<void> {
    await this.#renew();
  }

  tick(): void {
    if (this.#events !== undefined) this.#store.catchUp(this.#events, false);
  }

  store(topic: string, message: WireMessage, keep: Keep): Promise<Position> {
    return this.#store.store(topic, message, keep);
  }

  async follow(topic: string): Promise<void> {
    await this.subscribe(this.#store.channelOf(topic));
    if (this.#events !== undefined) await this.#store.follow(topic, this.#events);
  }

  unfollow(topic: string): void {
    this.#store.unfollow(topic);
    this.unsubscribe(this.#store.channelOf(topic));
  }

  read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return this.#store.read(topic, since, limit, this.#events ?? NO_EVENTS);
  }

  stop(): Promise<void> {
    this.#events = undefined;
    this.#timeouts.clear();
    this.#subscriber?.close();
    this.#subscriber = undefined;
    return Promise.resolve();
  }

  #publish(channel: string, payload: string): void {
    const events = this.#events;
    this.#command("PUBLISH", channel, payload).catch((error) => {
      events?.lost();
      events?.error(error);
    });
  }

  // Not `async`, so that the commands have the order of the calls.
  #command(name: string, ...args: string[]): Promise<unknown> {
    const client = this.#client;
    try {
      // ioredis also has a sendCommand(), with other arguments.
      if (typeof client.call === "function") return client.call(name, ...args);
      if (typeof client.sendCommand === "function") return client.sendCommand([name, ...args]);
      return client.send!(name, args);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Subscribes to all channels, and reads the messages that were stored meanwhile. */
  async #resubscribe(events: BrokerEvents): Promise<void> {
    const subscriber = this.#subscriber;
    const all = [...this.#channels].map(async ([channel, { resolve }]) => {
      await subscriber?.subscribe(channel);
      if (this.#subscriber === subscriber) resolve();
    });
    await Promise.allSettled(all);
    if (this.#subscriber === subscriber) this.#store.catchUp(events, true);
  }

  /** Replaces the client for subscriptions after a delay in milliseconds, and tries until that succeeds. */
  #renewAfter(delay: number): void {
    this.#stopRenewal?.();
    if (this.#events === undefined) return;
    this.#stopRenewal = this.#timeouts.after(delay, async () => {
      if (!await this.#renew()) this.#renewAfter(RENEW_DELAY);
    });
  }

  /** Replaces the client for subscriptions. @returns Whether that succeeded. */
  async #renew(): Promise<boolean> {
    const events = this.#events;
    if (this.#isRenewing || events === undefined) return false;
    this.#isRenewing = true;
    try {
      const subscriber = await subscriberOf(this.#client, {
        message: (channel, payload) => {
          if (!this.#store.take(channel, payload, events)) events.message(channel, payload);
        },
        error: (error) => events.error(error),
        ready: () => this.#resubscribe(events),
        lost: () => this.#renewAfter(0),
      }, this.#timeouts);
      if (this.#events !== events) {
        subscriber.close();
        return false;
      }
      this.#subscriber?.close();
      this.#subscriber = subscriber;
      // Without a limit, a connection that is silent from its start would never be replaced.
      await this.#timeouts.withTimeout(RENEW_TIMEOUT, this.#resubscribe(events));
      return true;
    } catch (error) {
      if (this.#events === events) events.error(error);
      return false;
    } finally {
      this.#isRenewing = false;
    }
  }
}

/** Creates a client for subscriptions. */
async function subscriberOf(
  client: AnyClient,
  events: SubscriberEvents,
  timeouts: Timeouts,
): Promise<Subscriber> {
  const isIoredis = typeof client.call === "function";
  const isNodeRedis = !isIoredis && typeof client.sendCommand === "function";
  // ioredis rejects unhandled promises if it loses the connection while it resubscribes.
  const own = await (isIoredis ? client.duplicate({ autoResubscribe: false }) : client.duplicate());
  const close = () => ignoreErrors(() => (own.destroy ?? own.disconnect ?? own.close)?.call(own));
  // Without a listener, an error of the connection would end the process.
  own.on?.("error", (error) => events.error(error));
  own.on?.("ready", () => events.ready());
  if (isIoredis) own.on?.("message", (channel, payload) => events.message(channel!, payload!));
  const isReady = new Promise<void>((resolve) => own.on?.("ready", () => resolve()));
  try {
    // ioredis connects by itself.
    const connected = Promise.resolve(isIoredis ? isReady : own.connect?.()).then(() => true);
    const isConnected = await timeouts.withTimeout(RENEW_TIMEOUT, connected);
    if (!isConnected) throw new Error("no connection within 2 s");
  } catch (error) {
    close();
    throw error;
  }
  const pass = (message: string, channel: string) => events.message(channel, message);
  const isBun = !isIoredis && !isNodeRedis;
  const { listener, flush } = isBun ? gathered(pass) : { listener: pass, flush: () => {} };
  // Bun's client connects again, but its subscriptions do not receive again (oven-sh/bun#33450).
  if (isBun) {
    own.onconnect = own.onclose = () => {
      flush();
      events.lost();
    };
  }
  return {
    async subscribe(channel) {
      await (isIoredis ? own.subscribe(channel) : own.subscribe(channel, listener));
    },
    unsubscribe: (channel) => ignoreErrors(() => own.unsubscribe(channel)),
    close: !isBun ? close : () => {
      own.onconnect = own.onclose = null;
      flush();
      ignoreErrors(() => own.close?.());
    },
  };
}

type Listener = (message: string, channel: string) => void;

/**
 * Returns a listener that passes the messages of an event-loop turn on together. Bun's client drains the
 * microtasks after each message, so that each would be written to the connections by itself.
 */
function gathered(pass: Listener): { listener: Listener; flush: () => void } {
  const { setImmediate } = globalThis as unknown as { setImmediate(run: () => void): unknown };
  let all: Parameters<Listener>[] = [];
  const flush = () => {
    const messages = all;
    all = [];
    for (const message of messages) pass(...message);
  };
  return {
    listener: (...message) => {
      if (all.push(message) === 1) setImmediate(flush);
    },
    flush,
  };
}

/** Runs an action and ignores its errors, which missing heartbeats report. */
function ignoreErrors(action: () => unknown): void {
  try {
    const result = action() as Promise<unknown> | undefined;
    result?.catch?.(() => {});
  } catch {
    // As above.
  }
}
