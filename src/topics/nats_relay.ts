import { unusable } from "../protocol/options.ts";
import { BrokerRelay } from "./broker_relay.ts";
import type { Broker, BrokerEvents } from "./broker.ts";
import { NatsStore } from "./nats_store.ts";
import type { JetStream, NatsConnection } from "./nats_types.ts";
import { encodeBytes } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import { checkRelayOptions } from "./relay_options.ts";
import type { History, Position, Relay } from "./types.ts";
import type { RelayOptions } from "./relay_options.ts";

/** Options of {@linkcode natsRelay}. */
export interface NatsRelayOptions extends RelayOptions {
  /** The JetStream client for kept topics. @default {undefined} Topics can't be kept. */
  jetstream?: JetStream;
  /**
   * The name of the stream for kept topics. It must have the subject `<prefix>.k.>`. Its own limits decide
   * how much is kept; `keep` selects the topics that are kept.
   */
  stream?: string;
}

/**
 * Creates a relay over NATS. Topics that are not kept use NATS core, which delivers at most once; lost
 * messages are counted. JetStream stores kept topics. The caller owns the connection: the relay does not
 * close it. Each relay needs a connection of its own.
 *
 * @param connection A connection of `@nats-io/transport-node`, or of another client of NATS 3.
 * @throws {TypeError} If there is an unknown option, or the prefix or the stream is invalid.
 * @throws {RangeError} If a number is out of range.
 */
export function natsRelay(connection: NatsConnection, options: NatsRelayOptions): Relay {
  checkRelayOptions("natsRelay()", options, ["jetstream", "stream"]);
  const { jetstream, stream, prefix } = options;
  if ((jetstream === undefined) !== (stream === undefined)) {
    throw new TypeError("Cannot use natsRelay(): expected both jetstream and stream, or none");
  }
  if (stream !== undefined && !/^[\w-]{1,255}$/.test(stream)) {
    throw unusable("option stream of natsRelay()", stream, "the name of a stream");
  }
  const store = jetstream === undefined
    ? undefined
    : new NatsStore(connection, jetstream, stream!, prefix);
  return new BrokerRelay(new NatsBroker(connection, store), options);
}

const encoder = new TextEncoder();

class NatsBroker implements Broker {
  readonly #connection: NatsConnection;
  readonly #store: NatsStore | undefined;
  readonly #subscriptions = new Map<string, { unsubscribe(): void }>();
  #events: BrokerEvents | undefined;

  constructor(connection: NatsConnection, store: NatsStore | undefined) {
    this.#connection = connection;
    this.#store = store;
  }

  start(events: BrokerEvents): Promise<void> {
    this.#events = events;
    this.#watch(events);
    return Promise.resolve();
  }

  subscribe(channel: string): Promise<void> {
    const callback = (error: Error | null, { data }: { data: Uint8Array }) => {
      if (error === null) this.#events?.message(channel, data);
      else this.#events?.error(error);
    };
    this.#try(() => {
      this.#subscriptions.set(channel, this.#connection.subscribe(channel, { callback }));
    });
    // NATS handles a connection's commands in order, so later messages reach this subscription.
    return Promise.resolve();
  }

  unsubscribe(channel: string): void {
    this.#try(() => this.#subscriptions.get(channel)?.unsubscribe());
    this.#subscriptions.delete(channel);
  }

  sendControl(channel: string, text: string): void {
    this.#try(() => this.#connection.publish(channel, encoder.encode(text)));
  }

  send(channel: string, message: WireMessage): void {
    this.#try(() => this.#connection.publish(channel, encodeBytes(message)));
  }

  /** Does nothing: the client renews its subscriptions after a reconnect. */
  renew(): Promise<void> {
    return Promise.resolve();
  }

  tick(): void {
    if (this.#events !== undefined) this.#store?.renew(this.#events, false);
  }

  async store(topic: string, message: WireMessage): Promise<Position> {
    return await this.#stored().store(topic, message);
  }

  async follow(topic: string): Promise<void> {
    await this.#stored().follow(topic, this.#events!);
  }

  unfollow(topic: string): void {
    this.#store?.unfollow(topic);
  }

  async read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return await this.#stored().read(topic, since, limit);
  }

  #stored(): NatsStore {
    if (this.#store !== undefined) return this.#store;
    throw new DOMException("NATS core keeps no topics: expected jetstream", "NotSupportedError");
  }

  stop(): Promise<void> {
    for (const channel of [...this.#subscriptions.keys()]) this.unsubscribe(channel);
    this.#store?.stop();
    this.#events = undefined;
    return Promise.resolve();
  }

  async #watch(events: BrokerEvents): Promise<void> {
    try {
      for await (const { type } of this.#connection.status()) {
        if (this.#events !== events) return;
        if (type === "disconnect") {
          events.lost();
          this.#store?.disconnect();
        }
        if (type === "reconnect") this.#store?.renew(events, true);
      }
    } catch (error) {
      events.error(error);
    }
  }

  /** Ignores the exceptions of a closed connection, which missing heartbeats report. */
  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#events?.lost();
      this.#events?.error(error);
    }
  }
}
