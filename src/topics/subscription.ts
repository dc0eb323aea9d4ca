import { encodeWith } from "./options.ts";
import { callGuarded, onRejected } from "../util/promises.ts";
import type {
  Position,
  Publication,
  SubscribeOptions,
  Subscription,
  SubscriptionStart,
} from "./types.ts";
import type { Gap, Message } from "./types.ts";
import type { Subscriber } from "./subscriber.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import type { GapCount } from "./gap_count.ts";
import { encodingsOf } from "./replay_cache.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** The result of delivering a message to one subscription: a field of `Published`. */
export type Outcome = "sent" | "waiting" | "dropped" | "closed";

/** The options of a subscription that have defaults. */
export const DEFAULTS = { whenSlow: "close", maxWaiting: 64 } as const;

/** The state that all subscriptions of a `topics()` share. */
export interface SubscriptionContext {
  /** Totals since the start, and the number of messages that wait now. */
  readonly counts: { sent: number; waiting: number; dropped: number; closed: number };
  /** Called with each gap, after the subscription's own callback. */
  readonly onGap: ((gap: Gap) => void) | undefined;
  /** Reports an exception of a callback. */
  reportError(error: unknown): void;
  /** Removes a subscription from its topic. */
  remove(subscription: TopicSubscription): void;
}

/** A message that arrived before the start of a subscription, or the number of lost messages. */
type Early =
  | { publication: Publication; data: SharedMessage }
  | { lost: number | undefined; until: Position | undefined };

/** The subscription of one subscriber to one topic. */
export class TopicSubscription implements Subscription {
  readonly topic: string;
  readonly subscriber: Subscriber;
  readonly encode: ((publication: Publication) => Message) | undefined;
  /** Its index among the subscriptions of its topic. */
  place = -1;
  sent = 0;
  dropped = 0;
  readonly #context: SubscriptionContext;
  readonly #options: SubscribeOptions;
  #queue: WaitingQueue | undefined;
  /** Messages, and numbers of lost ones, of before the subscription started; `undefined` once it has. */
  #early: Early[] | undefined;
  #earlyMessages = 0;
  #isActive = true;
  #start: SubscriptionStart | undefined;
  #ready: PromiseWithResolvers<SubscriptionStart> | undefined;
  #unlisten: (() => void) | undefined;

  constructor(
    topic: string,
    subscriber: Subscriber,
    options: SubscribeOptions,
    context: SubscriptionContext,
  ) {
    this.topic = topic;
    this.subscriber = subscriber;
    this.encode = options.encode;
    this.#options = options;
    this.#context = context;
    const { signal } = options;
    if (signal !== undefined) {
      const abort = () => this.unsubscribe();
      signal.addEventListener("abort", abort);
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  get waiting(): number {
    return (this.#queue?.length ?? 0) + this.#earlyMessages;
  }

  get ready(): Promise<SubscriptionStart> {
    if (this.#start !== undefined) return Promise.resolve(this.#start);
    this.#ready ??= Promise.withResolvers();
    return this.#ready.promise;
  }

  /** Whether the subscription has not ended. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Queues messages until `begin()`. */
  queueUntilBegin(): void {
    this.#early = [];
  }

  /** Starts the subscription. Kept messages are sent before all others. */
  begin(position: Position | undefined, recovered: boolean, replay: Publication[]): void {
    if (!this.#isActive) return;
    const start = { recovered, position, replayed: replay.length };
    this.#start = start;
    this.#call(() => this.#options.onStart?.(start));
    this.#ready?.resolve(start);
    this.#replay(replay);
    const early = this.#early ?? [];
    this.#context.counts.waiting -= this.#earlyMessages;
    this.#earlyMessages = 0;
    this.#early = undefined;
    // Before the start, messages of another epoch are those of an earlier history.
    const isEarlier = (one: Position | undefined, start: Position | undefined) =>
      one !== undefined && start !== undefined && start.epoch !== "" && one.epoch !== start.epoch ||
      this.hasHad(one);
    for (const one of early) {
      if (!this.#isActive) return;
      if ("lost" in one) this.skipLost(one.lost, one.until);
      else if (!isEarlier(one.publication.position, position)) {
        this.#wait(one.publication, one.data);
      }
    }
  }

  /** Whether a kept message came before the start: the store can be read before it delivers. */
  hasHad(position: Position | undefined): boolean {
    const start = this.#start?.position;
    return position !== undefined && start !== undefined && position.epoch === start.epoch &&
      position.offset <= start.offset;
  }

  #replay(replay: Publication[]): void {
    if (replay.length === 0 || !this.#isActive) return;
    if (this.#options.whenSlow === "latest") {
      for (const publication of replay) this.#wait(publication, publication);
      return;
    }
    this.#waitingQueue.replay(replay);
    this.#context.counts.waiting += replay.length;
    this.subscriber.drain(this);
  }

  /** Sends a message, queues it or drops it. @param data The encoded message. */
  deliver(publication: Publication, data: SharedMessage): Outcome {
    if (this.#early !== undefined) {
      this.#early.push({ publication, data });
      this.#earlyMessages++;
      this.#context.counts.waiting++;
      return "waiting";
    }
    if (this.#queue !== undefined) {
      if (this.#queue.length > 0) return this.#wait(publication, data);
      if (!this.subscriber.isSlow) this.#tellGap(this.#queue.takeGapAtEnd());
      // The callback may have ended the subscription, and with it this message.
      if (!this.#isActive) {
        this.#drop(1);
        return "dropped";
      }
    }
    switch (this.#send(data)) {
      case "sent":
        return "sent";
      case "full":
        return this.#wait(publication, data);
      case "closed":
        this.subscriber.leave();
        this.#context.counts.closed++;
        return "closed";
      default:
        this.skip();
        return "dropped";
    }
  }

  /** Drops a message that can't be sent. The gap is reported before the next message. */
  skip(): void {
    this.#drop(1);
    this.#waitingQueue.skip();
    this.subscriber.drain(this);
  }

  /**
   * Counts messages that a relay has lost. The gap is reported after the waiting messages.
   *
   * @param until The position of the last one, if the topic is kept.
   */
  skipLost(count: number | undefined, until: Position | undefined): void {
    if (this.#early !== undefined) {
      this.#early.push({ lost: count, until });
      return;
    }
    // What was lost before the start is not missing.
    if (this.#start === undefined || this.hasHad(until)) return;
    const { position } = this.#start;
    if (count !== undefined && until !== undefined && position?.epoch === until.epoch) {
      count = Math.min(count, until.offset - position.offset);
    }
    this.#waitingQueue.skipLost(count);
    this.subscriber.drain(this);
  }

  /** Sends messages that wait, until the peer is slow. @returns Whether none is left. */
  flush(): boolean {
    const queue = this.#queue;
    while (queue !== undefined && queue.length > 0) {
      if (!this.subscriber.isOpen) return true;
      if (this.subscriber.isSlow) return false;
      const { message, gap } = queue.shift()!;
      this.#context.counts.waiting--;
      this.#tellGap(gap);
      // The callback may have ended the subscription, and with it this message.
      if (!this.#isActive) {
        this.#drop(1);
        return true;
      }
      const data = message instanceof SharedMessage ? message : this.#encode(message);
      if (data === undefined || this.#send(data) !== "sent") {
        this.#drop(1);
        queue.skip();
      }
    }
    this.#tellGap(queue?.takeGapAtEnd());
    // Messages that arrived before the start are none of the queue: they wait for the store.
    return (queue?.length ?? 0) === 0;
  }

  unsubscribe(): void {
    if (!this.#isActive) return;
    this.end();
    this.#context.remove(this);
    this.subscriber.forget(this);
  }

  /** Ends the subscription, without removing it from its topic. */
  end(): void {
    this.#isActive = false;
    this.#unlisten?.();
    this.#context.counts.waiting -= this.waiting;
    this.#drop(this.waiting);
    this.#queue = undefined;
    this.#early = undefined;
    this.#earlyMessages = 0;
    this.#ready?.reject(new DOMException("The subscription has ended", "AbortError"));
    this.#ready?.promise.catch(() => {});
  }

  get #waitingQueue(): WaitingQueue {
    const { whenSlow, maxWaiting } = { ...DEFAULTS, ...this.#options };
    return this.#queue ??= new WaitingQueue(whenSlow, maxWaiting);
  }

  #wait(publication: Publication, message: SharedMessage | Publication): Outcome {
    const { counts } = this.#context;
    let key: unknown;
    try {
      key = this.#options.key?.(publication.data);
      onRejected(key, (error) => this.#context.reportError(error));
    } catch (error) {
      this.#context.reportError(error);
      this.skip();
      return "dropped";
    }
    if (!this.subscriber.isOpen) {
      this.subscriber.leave();
      counts.closed++;
      return "closed";
    }
    const { added, displaced } = this.#waitingQueue.add(message, key);
    if (added === "full") {
      counts.closed++;
      this.subscriber.closeSlow();
      return "closed";
    }
    if (added === "dropped") {
      this.#drop(1);
      return "dropped";
    }
    this.#drop(displaced);
    counts.waiting += 1 - displaced;
    this.subscriber.drain(this);
    return "waiting";
  }

  #send(data: SharedMessage): "sent" | "full" | "closed" | "failed" {
    try {
      const result = this.subscriber.send(data);
      if (result !== "sent") return result;
    } catch (error) {
      this.#context.reportError(error);
      return "failed";
    }
    this.sent++;
    this.#context.counts.sent++;
    return "sent";
  }

  /** Returns the encoded form of a kept message, or `undefined` if `encode` throws. */
  #encode(publication: Publication): SharedMessage | undefined {
    const encodings = encodingsOf(publication);
    const encoded = encodings?.get(this.encode);
    if (encoded !== undefined) return encoded;
    try {
      const message = new SharedMessage(encodeWith(this.encode, publication));
      encodings?.set(this.encode, message);
      return message;
    } catch (error) {
      this.#context.reportError(error);
      return undefined;
    }
  }

  #drop(count: number): void {
    this.dropped += count;
    this.#context.counts.dropped += count;
  }

  #tellGap(gap: GapCount | undefined): void {
    for (const told of gap?.of(this.topic) ?? []) {
      this.#call(() => this.#options.onGap?.(told));
      // The node reports messages that a relay has lost once, not for each subscription.
      if (told.why === "slow") this.#call(() => this.#context.onGap?.(told));
    }
  }

  #call(callback: () => void): void {
    callGuarded(callback, (error) => this.#context.reportError(error));
  }
}
