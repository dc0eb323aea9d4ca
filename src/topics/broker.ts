import type { WireMessage } from "./relay_wire.ts";
import type { History, Keep, Position } from "./types.ts";

/** A message of a kept topic, as its store delivers it. */
export interface StoredMessage extends WireMessage {
  position: Position;
}

/** The functions that a relay needs from a broker's client. A broker delivers all messages in one order. */
export interface Broker {
  /** Connects to the broker, and calls `events` from then on. */
  start(events: BrokerEvents): Promise<void>;
  /** Subscribes to a channel. Resolves when the broker has confirmed the subscription. */
  subscribe(channel: string): Promise<void>;
  /** Unsubscribes from a channel. */
  unsubscribe(channel: string): void;
  /** Sends a control message. */
  sendControl(channel: string, text: string): void;
  /** Sends a message, after all messages that were sent before it. */
  send(channel: string, message: WireMessage): void;
  /** Replaces subscriptions that no longer receive anything. Resolves when they are, or when that failed. */
  renew(): Promise<void>;
  /** Called before each heartbeat is sent. */
  tick(): void;
  /** Stores a message of a kept topic. */
  store(topic: string, message: WireMessage, keep: Keep): Promise<Position>;
  /** Subscribes to the stored messages of a kept topic. */
  follow(topic: string): Promise<void>;
  /** Unsubscribes from the stored messages of a kept topic. */
  unfollow(topic: string): void;
  /** Reads the stored messages of a kept topic. */
  read(topic: string, since: Position | undefined, limit: number): Promise<History>;
  stop(): Promise<void>;
}

/** The callbacks of a broker's client. */
export interface BrokerEvents {
  /** A message on a channel. */
  message(channel: string, payload: string | Uint8Array): void;
  /** A message of a kept topic. */
  stored(topic: string, message: StoredMessage): void;
  /** Messages of a kept topic are lost, the last one at most at `until`. `count` is `undefined` if their number is unknown. */
  storeGap(topic: string, count: number | undefined, until: Position | undefined): void;
  /** The connection was lost: messages that were sent may not have arrived. */
  lost(): void;
  error(error: unknown): void;
}
