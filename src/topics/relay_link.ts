import { sleep } from "../util/abort.ts";
import { ExceptedPeers } from "./excepted_peers.ts";
import { isWithin } from "./position.ts";
import type { RelayedTopic } from "./topic.ts";
import { ReplayCache } from "./replay_cache.ts";
import type { TopicSubscription } from "./subscription.ts";
import type {
  Gap,
  History,
  Message,
  Position,
  PublishOptions,
  Relay,
  RelayedMessage,
} from "./types.ts";

/** The delay before a request to the broker is repeated after an error, in milliseconds. */
const RETRY_DELAY = 500;

/**
 * The least time between two reads of a topic, in milliseconds. Subscribers that a read does not serve share
 * the next one, so that the number of reads does not grow with the clients that return after a restart.
 */
const READ_INTERVAL = 200;

/**
 * The number of offsets by which a read begins before the earliest position of its subscribers. The positions
 * of clients that lost the same server differ by little, so that one read serves those that return later.
 */
const MARGIN = 256;

/** The callbacks of a {@linkcode RelayLink}. */
export interface RelayTarget {
  /** Delivers a message of another node, or of a kept topic. @param isOwn Whether this node has sent it. */
  receive(message: RelayedMessage, isOwn: boolean): void;
  /** Called when this node has lost messages of a topic, of a kept one those up to a position. */
  lost(gap: Gap, until: Position | undefined): void;
  /** Reports an error of the broker. */
  readonly reportError: (error: unknown) => void;
}

/** A subscription that waits for the stored messages of its topic. */
interface Asker {
  readonly subscription: TopicSubscription;
  readonly since: Position | undefined;
}

/** Connects the topics of this node to a relay. */
export class RelayLink {
  readonly #relay: Relay;
  readonly #target: RelayTarget;
  readonly #id = crypto.randomUUID();
  /** Resolves when the relay has started. */
  readonly #started: Promise<void>;
  /** The subscriptions that wait for the next read of the store, by topic. It serves them all. */
  readonly #asking = new Map<RelayedTopic, Asker[]>();
  readonly #cache: ReplayCache;
  readonly #ends = new AbortController();
  #number = 0;

  /** @param maxCached The maximum size of the messages that serve later subscribers, in bytes. */
  constructor(relay: Relay, target: RelayTarget, maxCached: number) {
    this.#relay = relay;
    this.#cache = new ReplayCache(maxCached);
    this.#target = target;
    this.#started = relay.start({
      id: this.#id,
      receive: (message) => this.#receive(message),
      gap: (gap, until) => {
        this.#cache.drop(gap.topic);
        target.lost(gap, until);
      },
      state: () => {},
      error: target.reportError,
    });
    this.#started.catch(target.reportError);
  }

  /** Starts to receive a topic, for a subscriber. */
  subscribe(topic: RelayedTopic): void {
    const { name, keep } = topic;
    this.#cache.drop(name);
    topic.relayed.live = this.#started.then(() => {
      this.#ends.signal.throwIfAborted();
      return this.#relay.subscribe(name, keep !== undefined);
    });
    topic.relayed.live.catch((error) => this.#report(error));
  }

  /** Stops receiving a topic. */
  unsubscribe(topic: RelayedTopic): void {
    const { name, keep, relayed } = topic;
    relayed.live = undefined;
    relayed.excepted?.clear();
    this.#cache.drop(name);
    this.#started.then(() => {
      if (!this.#isDisposed && relayed.live === undefined) {
        this.#relay.unsubscribe(name, keep !== undefined);
      }
    }, () => {});
  }

  /** Starts a subscription when the topic is live: stored messages come first. */
  begin(topic: RelayedTopic, subscription: TopicSubscription, since: Position | undefined): void {
    if (topic.keep === undefined) {
      // For a later subscriber, losses of before it are reported first.
      if (topic.subscriptions.length > 1) this.subscribe(topic);
      topic.relayed.live!.then(() => subscription.begin(undefined, false, []), () => {});
      return;
    }
    const asker = { subscription, since };
    if (this.#serve(topic, asker)) return;
    subscription.queueUntilBegin();
    this.#ask(topic, asker);
  }

  /** Sends a message of a topic that is not kept. @returns A function that asks whether the broker has it. */
  send(topic: string, data: Message): () => Promise<undefined> {
    const confirm = this.#relay.send({ topic, data, node: this.#id });
    return () => confirm().then(() => undefined);
  }

  /** Stores a message of a kept topic. @returns A promise of its position. */
  store(topic: RelayedTopic, data: Message, { except, id }: PublishOptions): Promise<Position> {
    const number = ++this.#number;
    const message = { topic: topic.name, data, node: this.#id, number };
    const stored = this.#relay.store(id === undefined ? message : { ...message, id }, topic.keep!);
    const { relayed, subscriptions } = topic;
    if (except !== undefined && subscriptions.length > 0) {
      (relayed.excepted ??= new ExceptedPeers()).add(number, except);
    }
    stored.then((position) => {
      relayed.settled = position;
      relayed.excepted?.stored(number, position);
    }, () => {});
    return stored;
  }

  read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return this.#relay.read(topic, since, limit);
  }

  async dispose(): Promise<void> {
    this.#ends.abort();
    this.#cache.close();
    await this.#relay[Symbol.asyncDispose]();
  }

  /** Reports an error of the broker, unless it is one of the end. */
  #report(error: unknown): void {
    if (!this.#isDisposed) this.#target.reportError(error);
  }

  #receive(message: RelayedMessage): void {
    // A subscription that begins while the message is delivered begins after it.
    this.#cache.receive(message);
    this.#target.receive(message, message.node === this.#id);
  }

  #ask(topic: RelayedTopic, asker: Asker): void {
    const askers = this.#asking.get(topic);
    if (askers !== undefined) {
      askers.push(asker);
      return;
    }
    this.#asking.set(topic, [asker]);
    this.#answer(topic);
  }

  /** Starts a subscription with the messages of an earlier read. @returns Whether they are sufficient. */
  #serve(topic: RelayedTopic, { subscription, since }: Asker): boolean {
    const history = this.#cache.read(topic.name, since);
    if (history === undefined) return false;
    // A message that this node has stored may not have been delivered yet.
    const { settled } = topic.relayed;
    if (settled !== undefined && !isWithin(settled, 0, history.position)) return false;
    subscription.begin(history.position, since !== undefined, history.publications);
    return true;
  }

  /** Reads the store until all subscriptions of a topic that wait have begun: one read at a time. */
  async #answer(topic: RelayedTopic): Promise<void> {
    let waiting: Asker[] = [];
    while (true) {
      // Subscriptions of the same turn share a read.
      await Promise.resolve();
      const { live } = topic.relayed;
      const isLive = await live?.then(() => true, () => false);
      const wait = topic.relayed.readAt + READ_INTERVAL - performance.now();
      if (isLive && wait > 0) await sleep(wait, this.#ends.signal);
      waiting = waiting.concat(this.#asking.get(topic)!)
        .filter((asker) => asker.subscription.isActive && !this.#serve(topic, asker));
      if (this.#isDisposed || waiting.length === 0) break;
      this.#asking.set(topic, []);
      try {
        if (isLive) {
          await this.#read(topic, waiting);
          waiting = [];
          continue;
        }
      } catch (error) {
        this.#report(error);
      }
      await sleep(RETRY_DELAY, this.#ends.signal);
      // A topic that is received already must not be begun again: messages would be missing.
      const isWanted = !this.#isDisposed && topic.subscriptions.length > 0;
      if (!isLive && topic.relayed.live === live && isWanted) this.subscribe(topic);
    }
    this.#asking.delete(topic);
  }

  /** Reads the store once for all subscriptions, if it has the messages of the earliest position. */
  async #read(topic: RelayedTopic, askers: Asker[]): Promise<void> {
    const { name } = topic;
    const { live, settled } = topic.relayed;
    topic.relayed.readAt = performance.now();
    const recording = this.#cache.record(name);
    try {
      const [history, from] = await this.#readFrom(name, askers);
      // What was stored before the read is in it, or in an earlier history.
      if (topic.relayed.settled === settled) topic.relayed.settled = undefined;
      if (!this.#isDisposed && topic.relayed.live === live) {
        this.#cache.finish(recording, name, history, from, topic.keep!);
      }
      for (const asker of askers) begin(asker, history, from);
    } finally {
      this.#cache.stop(recording, name);
    }
  }

  /** Returns what is stored for subscriptions, and the offset after which it is complete. */
  async #readFrom(name: string, askers: Asker[]): Promise<[History, number]> {
    const asked = askers.flatMap(({ since }) => since ?? []);
    asked.sort((a, b) => a.offset - b.offset);
    const since = before(asked[0]);
    const history = await this.#relay.read(name, since, since === undefined ? 0 : Infinity);
    const { position, complete } = history;
    if (complete || since === undefined) return [history, (since ?? position).offset];
    // Messages that are missing for the earliest position may be stored for later positions.
    if (asked.some((since) => isWithin(since, 0, position))) {
      const all = await this.#relay.read(name, undefined, Infinity);
      return [all, (all.publications[0]?.position?.offset ?? all.position.offset + 1) - 1];
    }
    return [{ ...history, publications: [] }, position.offset];
  }

  get #isDisposed(): boolean {
    return this.#ends.signal.aborted;
  }
}

/** Returns a position before another one, or the same for one that no store has given. */
function before(position: Position | undefined): Position | undefined {
  if (position === undefined || !Number.isSafeInteger(position.offset)) return position;
  return { epoch: position.epoch, offset: Math.max(0, position.offset - MARGIN) };
}

/**
 * Starts a subscription with the stored messages.
 *
 * @param history The result of reading the store.
 * @param from The offset after which it is complete.
 */
function begin({ subscription, since }: Asker, history: History, from: number): void {
  const { publications, position } = history;
  const isKnown = since !== undefined && isWithin(since, from, position);
  const replay = isKnown
    ? publications.filter(({ position }) => position!.offset > since.offset)
    : [];
  subscription.begin(position, isKnown, replay);
}
