import type { Message } from "../protocol/message.ts";

export type { Message };

/**
 * A connection that can subscribe: a `WebSocketConnection`, or a WebSocket of the platform, for example from
 * `Deno.upgradeWebSocket()`.
 */
export interface Peer {
  /** 1 while messages can be sent; see {@link https://websockets.spec.whatwg.org/#dom-websocket-readystate}. */
  readonly readyState: number;
  /** The number of bytes in the send queue. A peer without this property is never slow. */
  readonly bufferedAmount?: number;
  /** Sends a message. */
  send(data: Message): unknown;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): unknown;
}

/** The position of a message in the history of its topic. Offsets of different epochs can't be compared. */
export interface Position {
  /** The name of one history of the topic. After the history is lost, a new epoch starts. */
  readonly epoch: string;
  /** The number of the message in that history, from 1. */
  readonly offset: number;
}

/** A message of a topic. */
export interface Publication {
  /** The name of the topic. */
  readonly topic: string;
  /** The message. */
  readonly data: Message;
  /** The position in the history. Only messages of kept topics have one. */
  readonly position?: Position;
}

/** The limits of a topic's history. The one that is reached first applies. */
export interface Keep {
  /** The number of messages, at least 1. */
  messages: number;
  /** The total size of their data, in bytes. @default {Infinity} */
  bytes?: number;
  /** The time for which a message is kept, in milliseconds. */
  age: number;
}

/**
 * The treatment of a new message if `maxWaiting` messages of the topic already wait for a slow peer:
 * - `"close"`: the peer is closed with 1013;
 * - `"drop-oldest"`: the oldest waiting message is dropped;
 * - `"drop-newest"`: the new message is dropped;
 * - `"latest"`: the new message replaces a waiting message with the same key, even if fewer than
 *   `maxWaiting` wait. If no key matches and the queue is full, the oldest waiting message is dropped.
 *   Messages of different keys may change their order, so a position says nothing about earlier messages.
 */
export type WhenSlow = "close" | "drop-oldest" | "drop-newest" | "latest";

/** Options of {@linkcode Topics.subscribe}. */
export interface SubscribeOptions {
  /**
   * The treatment of messages while the peer is slow. A peer is slow if its `bufferedAmount` is over 64 KiB,
   * or if earlier messages of the topic wait.
   *
   * @default {"close"} The peer gets every message, or it is closed.
   */
  whenSlow?: WhenSlow;
  /** The maximum number of messages of the topic that wait for a slow peer, at least 1. @default {64} */
  maxWaiting?: number;
  /** Returns the key of a message, for `"latest"`. @default {undefined} All messages have the same key. */
  key?: (data: Message) => unknown;
  /** The position of the last message that the peer has received. Later kept messages are sent first. */
  since?: Position;
  /**
   * Returns the encoded form of a message. It is called once per message for all subscriptions that have
   * the same function.
   *
   * @default {undefined} The message is sent as it is.
   */
  encode?: (publication: Publication) => Message;
  /**
   * Called when the subscription begins, before its first message is sent. With a relay, messages that this
   * node publishes to a topic that is not kept may be sent before it.
   */
  onStart?: (start: SubscriptionStart) => void;
  /** Called with each gap, before the first message after the gap is sent. */
  onGap?: (gap: Gap) => void;
  /** Ends the subscription when it is aborted. */
  signal?: AbortSignal;
}

/** Messages of a topic that a peer does not receive. */
export interface Gap {
  /** The name of the topic. */
  readonly topic: string;
  /** The number of missing messages, or `undefined` if it is unknown. */
  readonly count: number | undefined;
  /** `"slow"`: dropped for a slow peer; `"relay"`: lost between nodes; `"history"`: no longer kept. */
  readonly why: "slow" | "relay" | "history";
}

/** The start of a subscription. */
export interface SubscriptionStart {
  /** Whether the peer gets all messages after `since`; `false` if there was no `since`. */
  readonly recovered: boolean;
  /** The position of the topic's last message at that time; `undefined` if the topic is not kept. */
  readonly position: Position | undefined;
  /** The number of kept messages that are sent before new ones. */
  readonly replayed: number;
}

/** A subscription of one peer to one topic. The number of its messages is `sent + waiting + dropped`. */
export interface Subscription {
  /** The name of the topic. */
  readonly topic: string;
  /**
   * Resolves when the subscription has started. With a relay, all messages that are published after this
   * are either received or counted. Rejects with an `AbortError` if the subscription ends first.
   */
  readonly ready: Promise<SubscriptionStart>;
  /** The number of messages given to the peer's `send()`. */
  readonly sent: number;
  /** The number of messages that wait for a slow peer. */
  readonly waiting: number;
  /** The number of messages that were dropped. */
  readonly dropped: number;
  /** Ends the subscription. Messages that wait are dropped. */
  unsubscribe(): void;
}

/** Options of {@linkcode Topics.publish}. */
export interface PublishOptions {
  /**
   * A subscriber that does not get the message, for example its sender. A subscription that starts later gets
   * the message of a kept topic.
   */
  except?: Peer;
  /** With a relay, a message of a kept topic with the same `id` is stored once. At most 256 UTF-16 units. */
  id?: string;
}

/** The result of publishing a message: `subscribers` is `sent + waiting + dropped + closed`. */
export interface Published {
  /** The number of subscriptions of the topic, without the subscription of `except`. */
  readonly subscribers: number;
  /** The number of peers to which the message was sent. */
  readonly sent: number;
  /** The number of slow peers for which the message waits. */
  readonly waiting: number;
  /** The number of peers for which the message was dropped. */
  readonly dropped: number;
  /** The number of peers that were closed already, or are closed because they are slow. */
  readonly closed: number;
  /**
   * Resolves when the relay's broker has the message: to the position if the topic is kept. Without a relay
   * it resolves at once. Rejects with a `NetworkError` if the broker may not have the message; a message of a
   * kept topic that has an `id` can then be published again. Ignoring the promise is safe.
   */
  readonly settled: Promise<Position | undefined>;
}

/** Options of {@linkcode topics}. */
export interface TopicsOptions {
  /** The kept topics and their limits. @default {undefined} No topic is kept. */
  keep?: Keep | ((topic: string) => Keep | undefined);
  /**
   * The maximum memory of all histories, in bytes. If it is exceeded, the oldest messages are dropped.
   *
   * @default {67108864} 64 MiB
   */
  maxHistoryMemory?: number;
  /** Connects the topics with those of other nodes. Each `topics()` needs a relay of its own. */
  relay?: Relay;
  /** The maximum number of subscriptions per peer. @default {128} */
  maxSubscriptions?: number;
  /** Called with each gap of each subscription, after the subscription's own `onGap`. */
  onGap?: (gap: Gap) => void;
  /**
   * Called with each exception of a callback or of a peer's `send()`.
   *
   * @default {undefined} Exceptions are printed.
   */
  onError?: (error: unknown) => void;
}

/** The kept messages of a topic. */
export interface History {
  /** The kept messages, the oldest first. */
  publications: Publication[];
  /** The position of the topic's last message. */
  position: Position;
  /** Whether no message is missing after `since`, or, without `since`, from the start of the topic. */
  complete: boolean;
}

/** Publish and subscribe within one process. */
export interface Topics extends AsyncDisposable {
  /**
   * Subscribes a peer to a topic. The subscription ends with the connection.
   *
   * @throws {TypeError} If an option is invalid, or the topic is not a string of 1 to 1,024 UTF-16 units.
   * @throws {RangeError} If `maxWaiting` is not an integer of at least 1.
   * @throws {DOMException} An `InvalidStateError` if the peer is not open or is subscribed already, or a
   * `QuotaExceededError` if it has `maxSubscriptions` subscriptions.
   */
  subscribe(peer: Peer, topic: string, options?: SubscribeOptions): Subscription;
  /** Ends the subscription of a peer. @returns Whether there was one. */
  unsubscribe(peer: Peer, topic: string): boolean;
  /**
   * Sends a message to the subscribers of a topic, in the order of the calls.
   *
   * @returns The numbers of peers that get the message, now or later, or do not get it.
   * @throws {TypeError} If the message is neither a string nor a `Uint8Array`, or the topic's name is invalid.
   * @throws {DOMException} An `InvalidStateError` if a callback of a message publishes to the same topic.
   */
  publish(topic: string, data: string | Uint8Array, options?: PublishOptions): Published;
  /** Returns the number of subscriptions of a topic. */
  size(topic: string): number;
  /** Returns the kept messages of a topic: those after `since`, and at most `limit`. */
  history(topic: string, options?: { since?: Position; limit?: number }): Promise<History>;
  /** Totals since the start, and current sizes. */
  readonly stats: Readonly<TopicsStats>;
}

/** The numbers of {@linkcode Topics.stats}. */
export interface TopicsStats {
  /** Topics that have subscribers or a history. */
  topics: number;
  /** Subscriptions. */
  subscriptions: number;
  /** The number of messages published since the start. */
  published: number;
  /** The number of messages passed to a peer's `send()` since the start. */
  sent: number;
  /** Messages that wait for slow peers. */
  waiting: number;
  /** The number of messages that were dropped since the start. */
  dropped: number;
  /** The number of messages for closed peers since the start. */
  closed: number;
  /** Messages in histories. */
  historyMessages: number;
  /** The memory usage of the histories, in bytes. */
  historyBytes: number;
}

/** A message that a relay carries, from the node that published it to all nodes. */
export interface RelayedMessage {
  /** The name of the topic. */
  readonly topic: string;
  /** The message. */
  readonly data: Message;
  /** The position in the history, if the topic is kept. The relay's store assigns it. */
  readonly position?: Position;
  /** The node that published the message. */
  readonly node: string;
  /** The number that the publishing node has assigned. */
  readonly number?: number;
  /** A message with the same `id` is stored once, if the topic is kept. */
  readonly id?: string;
}

/** The callbacks of a relay. */
export interface RelayNode {
  /** The unique name of this node. */
  readonly id: string;
  /** Called with each message of another node, and each of this node if its topic is kept, in broker order. */
  receive(message: RelayedMessage): void;
  /**
   * Called when this node has lost messages of a topic. For a kept topic it is called before the next message
   * of the topic is received: subscribers that come later are served with the messages received so far.
   *
   * @param until The position of the last lost message, or a later one, if the topic is kept.
   */
  gap(gap: Gap, until?: Position): void;
  /** Called when the broker becomes reachable or unreachable. */
  state(up: boolean): void;
  /** Reports an error of the broker or of its client. */
  error(error: unknown): void;
}

/** Connects the topics of several nodes. Applications can implement it for other brokers. */
export interface Relay extends AsyncDisposable {
  /** Starts the relay. Resolves when the broker has answered; `store()` and `read()` are called before that. */
  start(node: RelayNode): Promise<void>;
  /**
   * Starts to receive a topic, for its first subscriber on this node. It is called again for each later
   * subscriber of a topic that is not kept.
   *
   * @returns A promise that resolves when messages published from now on are received or counted, and losses
   * of earlier ones have been reported.
   */
  subscribe(topic: string, isKept: boolean): Promise<void>;
  /** Stops receiving a topic, after its last subscriber has left. */
  unsubscribe(topic: string, isKept: boolean): void;
  /**
   * Sends a message of a topic that is not kept. The caller has sent it to the node's own subscribers.
   *
   * @returns A function that confirms the message. Its promise rejects with a `NetworkError` if the broker may
   * not have the message.
   */
  send(message: RelayedMessage): () => Promise<void>;
  /**
   * Stores a message of a kept topic, and sends it to all nodes, this one included.
   *
   * @returns A promise of its position. It rejects with a `NetworkError` if the message may not be stored.
   * Sending it again with the same `id` is safe.
   */
  store(message: RelayedMessage, keep: Keep): Promise<Position>;
  /** Reads the stored messages of a topic: those after a position, or all. */
  read(topic: string, since: Position | undefined, limit: number): Promise<History>;
}
