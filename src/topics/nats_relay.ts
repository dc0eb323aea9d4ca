import { BrokerRelay } from "./broker_relay.ts";
import type { Broker, BrokerEvents } from "./broker_relay.ts";
import { encodeBytes } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import { checkRelayOptions } from "./relay_options.ts";
import type { History, Position, Relay } from "./types.ts";
import type { RelayOptions } from "./relay_options.ts";

/** The members of a NATS connection that {@linkcode natsRelay} uses. */
export interface NatsConnection {
  /** Sends a message. The payload must not be changed until it has been written. */
  publish(subject: string, payload: Uint8Array): void;
  /** Receives messages. */
  subscribe(
    subject: string,
    options: {
      callback(error: Error | null, message: { subject: string; data: Uint8Array }): void;
    },
  ): { unsubscribe(): void };
  /** Reports changes of the connection: `disconnect` among them. */
  status(): AsyncIterable<{ type: string }>;
}

/**
 * Makes a relay over NATS core: at most once, and what is lost is counted. The connection stays the
 * caller's: it is not closed, and it is used by one relay alone.
 *
 * @param connection A connection of `@nats-io/transport-node`, or of another client of NATS 3.
 * @throws {TypeError} If an option is none, or the prefix can't be used.
 * @throws {RangeError} If a number is out of its range.
 */
export function natsRelay(connection: NatsConnection, options: RelayOptions): Relay {
  checkRelayOptions(options);
  return new BrokerRelay(new NatsBroker(connection), options);
}

const encoder = new TextEncoder();

class NatsBroker implements Broker {
  readonly #connection: NatsConnection;
  readonly #subscriptions = new Map<string, { unsubscribe(): void }>();
  #events: BrokerEvents | undefined;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
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
    // What is sent behind it, on the same connection, finds it.
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

  /** The client renews its subscriptions itself when it has reconnected. */
  renew(): void {}

  store(): Promise<Position> {
    return Promise.reject(noStore());
  }

  follow(): Promise<void> {
    return Promise.reject(noStore());
  }

  unfollow(): void {}

  read(): Promise<History> {
    return Promise.reject(noStore());
  }

  stop(): Promise<void> {
    for (const channel of [...this.#subscriptions.keys()]) this.unsubscribe(channel);
    this.#events = undefined;
    return Promise.resolve();
  }

  async #watch(events: BrokerEvents): Promise<void> {
    try {
      for await (const { type } of this.#connection.status()) {
        if (this.#events !== events) return;
        if (type === "disconnect") events.lost();
      }
    } catch (error) {
      events.error(error);
    }
  }

  /** A connection that is closed throws at each call: the heartbeats that are missing report it. */
  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#events?.lost();
      this.#events?.error(error);
    }
  }
}

function noStore(): DOMException {
  return new DOMException("NATS core keeps no topics", "NotSupportedError");
}
