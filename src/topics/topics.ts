import { callGuarded, callReporter, onRejected } from "../util/promises.ts";
import { Delivery } from "./delivery.ts";
import { HistoryStore } from "./history.ts";
import { RelayLink } from "./relay_link.ts";
import { hasRelay, Topic } from "./topic.ts";
import { Poll, Subscriber } from "./subscriber.ts";
import type { SubscriptionContext } from "./subscriber.ts";
import { TopicSubscription } from "./subscription.ts";
import type { Outcome } from "./subscription.ts";
import {
  checkHistoryOptions,
  checkKeep,
  checkMessage,
  checkPublishOptions,
  checkSubscribeOptions,
  checkTopic,
  checkTopicsOptions,
} from "./options.ts";
import type {
  History,
  Keep,
  Peer,
  Position,
  Publication,
  Published,
  PublishOptions,
  SubscribeOptions,
  Subscription,
  Topics,
  TopicsOptions,
  TopicsStats,
} from "./types.ts";

/** The result of publishing a message. */
class PublishedMessage implements Published {
  #settled: Promise<Position | undefined> | (() => Promise<Position | undefined>);
  subscribers = 0;
  sent = 0;
  waiting = 0;
  dropped = 0;
  closed = 0;

  /** @param settled The promise, or a function that creates it on the first access. */
  constructor(settled: Promise<Position | undefined> | (() => Promise<Position | undefined>)) {
    this.#settled = settled;
  }

  get settled(): Promise<Position | undefined> {
    if (typeof this.#settled === "function") {
      this.#settled = this.#settled();
      this.#settled.catch(() => {}); // Ignoring it is safe.
    }
    return this.#settled;
  }

  count(outcome: Outcome, count: number): void {
    this.subscribers += count;
    this[outcome] += count;
  }
}

class LocalTopics implements Topics {
  readonly #options: TopicsOptions;
  readonly #topics = new Map<string, Topic<TopicSubscription>>();
  readonly #subscribers = new Map<Peer, Subscriber>();
  readonly #store: HistoryStore;
  readonly #poll = new Poll();
  readonly #context: SubscriptionContext;
  readonly #link: RelayLink | undefined;
  #published = 0;
  #subscriptions = 0;
  #isDisposed = false;

  constructor(options: TopicsOptions) {
    checkTopicsOptions(options);
    this.#options = options;
    const { maxHistoryMemory = 64 * 1024 * 1024 } = options;
    this.#store = new HistoryStore(
      maxHistoryMemory,
      ({ topic }) => this.#forgetUnused(this.#topics.get(topic)),
    );
    const { onGap, onError = console.error } = options;
    const reportError = (error: unknown) => callReporter(() => onError(error));
    this.#context = {
      counts: { sent: 0, waiting: 0, dropped: 0, closed: 0 },
      onGap,
      reportError,
      removed: (topic) => this.#removed(topic),
      left: (peer) => this.#subscribers.delete(peer),
    };
    this.#link = options.relay === undefined ? undefined : new RelayLink(options.relay, {
      receive: ({ topic, data, position, number = 0 }, isOwn) => {
        const found = this.#topics.get(topic);
        if (found === undefined) return;
        const except = isOwn ? found.relayed?.excepted?.delivered(number, position) : undefined;
        const publication = position === undefined ? { topic, data } : { topic, data, position };
        this.#deliver(found, publication, except, undefined);
      },
      lost: ({ topic, count, why }, until) => {
        callGuarded(() => onGap?.({ topic, count, why }), reportError);
        for (const subscription of [...this.#topics.get(topic)?.subscriptions ?? []]) {
          subscription.skipLost(count, until);
        }
      },
      reportError,
    }, maxHistoryMemory);
  }

  subscribe(peer: Peer, topic: string, options?: SubscribeOptions): Subscription {
    checkTopic(topic, "subscribe");
    if (options !== undefined) {
      checkSubscribeOptions(options);
      options.signal?.throwIfAborted();
    }
    let subscriber = this.#subscribers.get(peer);
    this.#checkPeer(peer, topic, subscriber);
    const found = this.#topic(topic);
    if (subscriber === undefined) {
      subscriber = new Subscriber(peer, this.#poll, this.#context);
      this.#subscribers.set(peer, subscriber);
    }
    const isPlain = this.#link === undefined && found.history === undefined;
    const subscription = new TopicSubscription(found, subscriber, options, isPlain);
    subscriber.add(subscription);
    if (options?.whenSlow === "latest") subscriber.limitWindow();
    this.#subscriptions++;
    found.add(subscription);
    const since = options?.since;
    if (this.#link !== undefined && hasRelay(found)) {
      if (found.relayed.live === undefined) this.#link.subscribe(found);
      this.#link.begin(found, subscription, since);
    } else if (found.history !== undefined) {
      const { publications, position, complete } = found.history.read(since);
      const recovered = since !== undefined && complete;
      subscription.begin(position, recovered, recovered ? publications : []);
    } else if (options !== undefined) subscription.begin(undefined, false, []);
    return subscription;
  }

  unsubscribe(peer: Peer, topic: string): boolean {
    const found = this.#topics.get(topic);
    const subscription = found && this.#subscribers.get(peer)?.find(found);
    subscription?.unsubscribe();
    return subscription !== undefined;
  }

  publish(topic: string, data: string | Uint8Array, options?: PublishOptions): Published {
    checkTopic(topic, "publish");
    checkMessage(data);
    if (options !== undefined) checkPublishOptions(options);
    this.#checkOpen("publish");
    const keep = this.#keepOf(topic);
    const found = keep === undefined ? this.#topics.get(topic) : this.#topic(topic);
    if (found?.isPublishing) {
      throw new DOMException(
        `Cannot publish: a message of the topic ${quote(topic)} is being delivered by this call`,
        "InvalidStateError",
      );
    }
    this.#published++;
    // The caller may reuse its buffer.
    const own = typeof data === "string" ? data : new Uint8Array(data);
    if (this.#link !== undefined && keep !== undefined && hasRelay(found)) {
      const position = this.#link.store(found, own, options ?? {});
      position.catch(() => {}); // Ignoring it is safe.
      this.#forgetUnused(found);
      return new PublishedMessage(position);
    }
    const publication = found?.history === undefined
      ? { topic, data: own }
      : this.#store.append(found.history, own);
    const settled = this.#link?.send(topic, own) ?? (() => Promise.resolve(publication.position));
    const published = new PublishedMessage(settled);
    if (found !== undefined) this.#deliver(found, publication, options?.except, published);
    return published;
  }

  size(topic: string): number {
    return this.#topics.get(topic)?.subscriptions.length ?? 0;
  }

  history(
    topic: string,
    options: { since?: Position; limit?: number } = {},
  ): Promise<History> {
    checkTopic(topic, "read a history");
    checkHistoryOptions(options);
    const { since, limit } = options;
    if (this.#link !== undefined && this.#keepOf(topic) !== undefined) {
      return this.#link.read(topic, since, limit ?? Infinity);
    }
    const history = this.#topics.get(topic)?.history;
    const nothing: History = {
      publications: [],
      position: { epoch: "", offset: 0 },
      complete: false,
    };
    return Promise.resolve(history?.read(since, limit) ?? nothing);
  }

  get stats(): TopicsStats {
    return {
      topics: this.#topics.size,
      subscriptions: this.#subscriptions,
      published: this.#published,
      ...this.#context.counts,
      historyMessages: this.#store.messages,
      historyBytes: this.#store.bytes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const subscriber of [...this.#subscribers.values()]) subscriber.leave();
    this.#topics.clear();
    this.#store.close();
    this.#poll.close();
    await this.#link?.dispose();
  }

  #deliver(
    topic: Topic<TopicSubscription>,
    publication: Publication,
    except: Peer | undefined,
    published: PublishedMessage | undefined,
  ): void {
    const isNew = this.#link === undefined || publication.position === undefined;
    new Delivery(publication, published, this.#context).deliver(topic, except, isNew);
    if (hasRelay(topic) && topic.relayed.live !== undefined && topic.subscriptions.length === 0) {
      this.#link?.unsubscribe(topic);
    }
    this.#forgetUnused(topic);
  }

  #removed(topic: Topic): void {
    this.#subscriptions--;
    const { subscriptions, isPublishing, history } = topic;
    if (subscriptions.length > 0) return;
    if (hasRelay(topic) && topic.relayed.live !== undefined && !isPublishing) {
      this.#link?.unsubscribe(topic);
    }
    if (history?.isEmpty) this.#store.linger(history);
    else this.#forgetUnused(topic);
  }

  /** Removes a topic that has neither subscribers nor a history that is still needed. */
  #forgetUnused(topic: Topic | undefined): void {
    if (topic === undefined || topic.isPublishing || topic.subscriptions.length > 0) return;
    const { history } = topic;
    if (history !== undefined && (!history.isEmpty || history.until > performance.now())) return;
    this.#topics.delete(topic.name);
  }

  #topic(name: string): Topic<TopicSubscription> {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      this.#topics.set(name, topic = new Topic(name, this.#keepOf(name), this.#link !== undefined));
    }
    return topic;
  }

  #keepOf(topic: string): Keep | undefined {
    const { keep } = this.#options;
    if (typeof keep !== "function") return keep;
    const found = this.#topics.get(topic);
    if (found !== undefined) return found.keep;
    const answer = keep(topic);
    onRejected(answer, () => {}); // A promise is no answer: the check throws.
    if (answer !== undefined) checkKeep(answer);
    return answer;
  }

  #checkPeer(peer: Peer, topic: string, subscriber: Subscriber | undefined): void {
    this.#checkOpen("subscribe");
    const { maxSubscriptions = 128 } = this.#options;
    if (peer.readyState !== 1) {
      throw new DOMException("Cannot subscribe: the peer is not open", "InvalidStateError");
    }
    if (subscriber === undefined) return;
    const found = this.#topics.get(topic);
    if (found !== undefined && subscriber.find(found) !== undefined) {
      throw new DOMException(
        `Cannot subscribe: the peer is subscribed to ${quote(topic)} already`,
        "InvalidStateError",
      );
    }
    if (subscriber.size >= maxSubscriptions) {
      throw new DOMException(
        `Cannot subscribe: the peer has ${maxSubscriptions} subscriptions (maxSubscriptions)`,
        "QuotaExceededError",
      );
    }
  }

  #checkOpen(what: string): void {
    if (!this.#isDisposed) return;
    throw new DOMException(`Cannot ${what}: the topics are disposed`, "InvalidStateError");
  }
}

function quote(topic: string): string {
  return JSON.stringify(topic);
}

/**
 * Creates an independent set of topics: rooms, channels, feeds.
 *
 * A topic exists while it has subscribers or kept messages. There are no wildcards. `publish()` sends to
 * all subscribers before it returns, so they get messages in the order of the calls.
 *
 * @example
 * ```ts
 * import { topics } from "@sluice/websocket/topics";
 * import type { Peer } from "@sluice/websocket/topics";
 *
 * await using rooms = topics();
 * const received: unknown[] = [];
 * const peer: Peer = { readyState: 1, send: (data) => received.push(data), close() {} };
 * rooms.subscribe(peer, "chat");
 * const { subscribers, sent } = rooms.publish("chat", "hello");
 * console.log(subscribers, sent, received); // 1 1 [ "hello" ]
 * ```
 *
 * @throws {TypeError} If there is an unknown option, or a value has the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function topics(options: TopicsOptions = {}): Topics {
  return new LocalTopics(options);
}
