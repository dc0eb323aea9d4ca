/** A message: text, or bytes. */
export type Message = string | Uint8Array<ArrayBuffer>;

/**
 * A connection that can subscribe: a `WebSocketConnection`, or any WebSocket of the platform, as
 * `Deno.upgradeWebSocket()` makes them.
 */
export interface Peer {
  /** 1 while messages can be sent; see {@link https://websockets.spec.whatwg.org/#dom-websocket-readystate}. */
  readonly readyState: number;
  /** The number of bytes that wait to be sent. A peer without it is never slow. */
  readonly bufferedAmount?: number;
  /** Sends a message. */
  send(data: Message): unknown;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): unknown;
}

/** The place of a message in the history of its topic. Offsets of two epochs can't be compared. */
export interface Position {
  /** Names one history of the topic. A history that was lost is followed by another epoch. */
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
  /** Where it is in the history. Only messages of kept topics have it. */
  readonly position?: Position;
}

/** How much of a topic is kept: the bound that is reached first counts. */
export interface Keep {
  /** The number of messages, at least 1. */
  messages: number;
  /** The bytes of their data. @default {Infinity} */
  bytes?: number;
  /** The time for which a message is kept, in milliseconds. */
  age: number;
}

/**
 * What happens to a message for a slow peer for which `maxWaiting` messages of the topic wait already:
 * - `"close"`: the peer is closed with 1013;
 * - `"drop-oldest"`: the oldest that waits is dropped for it;
 * - `"drop-newest"`: it is dropped itself;
 * - `"latest"`: it takes the place of the message with the same key that waits, at any number; without
 *   one, the oldest that waits is dropped for it. The messages of different keys may change their order,
 *   so that the position of the last one that was sent says nothing of the others.
 */
export type WhenSlow = "close" | "drop-oldest" | "drop-newest" | "latest";

/** Options of {@linkcode Topics.subscribe}. */
export interface SubscribeOptions {
  /**
   * What happens to messages while the peer is slow: its `bufferedAmount` is over 64 KiB, or earlier
   * messages of the topic wait.
   *
   * @default {"close"} The peer gets a stream without a hole, or none.
   */
  whenSlow?: WhenSlow;
  /** The number of messages of the topic that wait for a slow peer, at least 1. @default {64} */
  maxWaiting?: number;
  /** Returns the key of a message, for `"latest"`. @default {undefined} All messages have the same. */
  key?: (data: Message) => unknown;
  /** The position of the last message that the peer has got: later ones that are kept are sent first. */
  since?: Position;
  /**
   * Makes what is sent for a message. It is called once for a message and all subscriptions that have
   * the same function.
   *
   * @default {undefined} The message is sent as it is.
   */
  encode?: (publication: Publication) => Message;
  /** Called when the subscription begins, before its first message is sent. */
  onStart?: (start: SubscriptionStart) => void;
  /** Called with each hole in what the peer gets, before the first message after it is sent. */
  onGap?: (gap: Gap) => void;
  /** Ends the subscription when it is aborted. */
  signal?: AbortSignal;
}

/** Messages of a topic that a peer does not get. */
export interface Gap {
  /** The name of the topic. */
  readonly topic: string;
  /** Their number; `undefined` if it can't be known. */
  readonly count: number | undefined;
  /** `"slow"`: dropped for a slow peer; `"relay"`: lost between nodes; `"history"`: no longer kept. */
  readonly why: "slow" | "relay" | "history";
}

/** How a subscription began. */
export interface SubscriptionStart {
  /** Whether the peer misses no message since `since`; `false` if there was no `since`. */
  readonly recovered: boolean;
  /** The position of the topic's last message at that time; `undefined` if the topic is not kept. */
  readonly position: Position | undefined;
  /** The number of kept messages that are sent before new ones. */
  readonly replayed: number;
}

/** A subscription of one peer to one topic. Its messages are `sent + waiting + dropped` at any moment. */
export interface Subscription {
  /** The name of the topic. */
  readonly topic: string;
  /**
   * Resolves when the subscription has begun, to how. With a relay, messages that are published from then
   * on are received or counted. Rejects with an `AbortError` if the subscription ends before.
   */
  readonly ready: Promise<SubscriptionStart>;
  /** The number of messages given to the peer's `send()`. */
  readonly sent: number;
  /** The number of messages that wait for a slow peer. */
  readonly waiting: number;
  /** The number of messages that the peer does not get. */
  readonly dropped: number;
  /** Ends the subscription. Messages that wait are dropped. */
  unsubscribe(): void;
}

/** Options of {@linkcode Topics.publish}. */
export interface PublishOptions {
  /** A subscriber that does not get the message, as its sender. */
  except?: Peer;
  /** With a relay, a message of a kept topic with the same `id` is stored once. At most 256 UTF-16 units. */
  id?: string;
}

/** What became of a message: `subscribers` is `sent + waiting + dropped + closed`. */
export interface Published {
  /** The number of subscriptions of the topic, without that of `except`. */
  readonly subscribers: number;
  /** The number of peers to which it was sent. */
  readonly sent: number;
  /** The number of slow peers for which it waits. */
  readonly waiting: number;
  /** The number of peers that don't get it. */
  readonly dropped: number;
  /** The number of peers that had closed, or were closed because they are slow. */
  readonly closed: number;
  /**
   * Resolves when the relay's broker has the message, to its position if the topic is kept; without a relay,
   * at once. Rejects with a `NetworkError` if it is not known whether the broker has it: with an `id`, a
   * message of a kept topic can be published again. Ignoring the promise is safe.
   */
  readonly settled: Promise<Position | undefined>;
}

/** Options of {@linkcode topics}. */
export interface TopicsOptions {
  /** Which topics are kept, and how much of them. @default {undefined} None. */
  keep?: Keep | ((topic: string) => Keep | undefined);
  /** The bytes that all histories may take. The oldest messages are dropped above it. @default {67108864} */
  maxHistoryMemory?: number;
  /** Connects the topics with those of other nodes; one relay for one `topics()`. */
  relay?: Relay;
  /** The number of topics to which one peer may subscribe. @default {128} */
  maxSubscriptions?: number;
  /** Called with each gap of each subscription, after the subscription's own `onGap`. */
  onGap?: (gap: Gap) => void;
  /** Called with what a callback or a peer's `send()` throws. @default {undefined} It is printed. */
  onError?: (error: unknown) => void;
}

/** What is kept of a topic. */
export interface History {
  /** The kept messages, the oldest first. */
  publications: Publication[];
  /** The position of the topic's last message. */
  position: Position;
  /** Whether no message is missing: after `since`, or without it, at all. */
  complete: boolean;
}

/** Publish and subscribe within one process. */
export interface Topics extends AsyncDisposable {
  /**
   * Subscribes a peer to a topic. The subscription ends with the connection.
   *
   * @throws {TypeError} If an option is none, or the topic's name is no string of 1 to 1,024 UTF-16 units.
   * @throws {RangeError} If `maxWaiting` is no integer of at least 1.
   * @throws {DOMException} An `InvalidStateError` if the peer is not open or is subscribed already, or a
   * `QuotaExceededError` if it has `maxSubscriptions` subscriptions.
   */
  subscribe(peer: Peer, topic: string, options?: SubscribeOptions): Subscription;
  /** Ends the subscription of a peer. @returns Whether there was one. */
  unsubscribe(peer: Peer, topic: string): boolean;
  /**
   * Sends a message to the subscribers of a topic, in the order of the calls.
   *
   * @returns What became of it.
   * @throws {TypeError} If the message is no string and no `Uint8Array`, or the topic's name is none.
   * @throws {DOMException} An `InvalidStateError` if it is called by a callback of a message of the same topic.
   */
  publish(topic: string, data: string | Uint8Array, options?: PublishOptions): Published;
  /** Returns the number of subscriptions of a topic. */
  size(topic: string): number;
  /** Returns what is kept of a topic: after `since`, and at most `limit` messages. */
  history(topic: string, options?: { since?: Position; limit?: number }): Promise<History>;
  /** Counts since the beginning, and sizes of now. */
  readonly stats: Readonly<TopicsStats>;
}

/** The numbers of {@linkcode Topics.stats}. */
export interface TopicsStats {
  /** Topics that have subscribers or a history. */
  topics: number;
  /** Subscriptions. */
  subscriptions: number;
  /** Messages published, since the beginning. */
  published: number;
  /** Messages given to a peer's `send()`, since the beginning. */
  sent: number;
  /** Messages that wait for slow peers. */
  waiting: number;
  /** Messages that a peer did not get, since the beginning. */
  dropped: number;
  /** Messages for peers that had closed, since the beginning. */
  closed: number;
  /** Messages in histories. */
  historyMessages: number;
  /** Bytes that the histories take. */
  historyBytes: number;
}

/** A message that a relay carries, from the node that published it to all nodes. */
export interface RelayedMessage {
  /** The name of the topic. */
  readonly topic: string;
  /** The message. */
  readonly data: Message;
  /** Where it is in the history, if the topic is kept: the relay's store decides. */
  readonly position?: Position;
  /** The node that has published it. */
  readonly node: string;
  /** The number that the node has given it. */
  readonly number?: number;
  /** A message with the same `id` is stored once, if the topic is kept. */
  readonly id?: string;
}

/** What a relay reports to its node. */
export interface RelayNode {
  /** The name of this node, which no other has. */
  readonly id: string;
  /** Takes a message of another node, or of this one if its topic is kept, in the broker's order. */
  receive(message: RelayedMessage): void;
  /** Takes messages that this node does not get. */
  gap(gap: Gap): void;
  /** Takes whether the broker is in reach. */
  state(up: boolean): void;
  /** Reports an error of the broker or of its client. */
  error(error: unknown): void;
}

/** Connects the topics of several nodes. An application can write one for a broker of its own. */
export interface Relay extends AsyncDisposable {
  /** Begins. Resolves when the broker has answered. */
  start(node: RelayNode): Promise<void>;
  /**
   * Begins to receive a topic, for its first subscriber on this node.
   *
   * @returns A promise that resolves when messages published from now on are received or counted.
   */
  want(topic: string, isKept: boolean): Promise<void>;
  /** Ends to receive a topic, when its last subscriber has left. */
  unwant(topic: string, isKept: boolean): void;
  /**
   * Sends a message of a topic that is not kept. The node's own subscribers have got it.
   *
   * @returns A function that asks whether the broker has it: its promise rejects with a `NetworkError` if
   * that is not known.
   */
  send(message: RelayedMessage): () => Promise<void>;
  /**
   * Stores a message of a kept topic, and sends it to all nodes, this one included.
   *
   * @returns A promise of its position. It rejects with a `NetworkError` if it is not known whether the
   * message is stored: to send it again with the same `id` is safe.
   */
  store(message: RelayedMessage, keep: Keep): Promise<Position>;
  /** Reads what is stored of a topic after a position, or without one, all of it. */
  read(topic: string, since: Position | undefined, limit: number): Promise<History>;
}
