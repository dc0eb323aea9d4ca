import { encodeShared } from "./options.ts";
import { callGuarded, onRejected } from "../util/promises.ts";
import type {
  Message,
  Position,
  Publication,
  SubscribeOptions,
  Subscription,
  SubscriptionStart,
} from "./types.ts";
import type { Subscriber, SubscriptionContext } from "./subscriber.ts";
import type { Topic } from "./topic.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import type { SharedRun } from "../connection/shared_run.ts";
import type { GapCount } from "./gap_count.ts";
import { encodingsOf } from "./replay_cache.ts";
import { WaitingQueue } from "./waiting_queue.ts";

/** The result of delivering a message to one subscription: a field of `Published`. */
export type Outcome = "sent" | "waiting" | "dropped" | "closed";

/** The start of a subscription to a topic that is not kept. */
const PLAIN_START: SubscriptionStart = /* @__PURE__ */ Object.freeze({
  recovered: false,
  position: undefined,
  replayed: 0,
});

/** Options of which none is set. */
const NO_OPTIONS: SubscribeOptions = /* @__PURE__ */ Object.freeze({});

/** A message that arrived before the start of a subscription, or the number of lost messages. */
type Early =
  | { publication: Publication; data: SharedMessage }
  | { lost: number | undefined; until: Position | undefined };

/** What only some subscriptions have: those with options, of kept topics, with a relay or a slow peer. */
class SubscriptionState {
  queue: WaitingQueue | undefined;
  /** Messages, and numbers of lost ones, of before the subscription started; `undefined` once it has. */
  early: Early[] | undefined;
  earlyMessages = 0;
  ready: PromiseWithResolvers<SubscriptionStart> | undefined;
  unlisten: (() => void) | undefined;
  dropped = 0;

  /** @param start The start; `undefined` until then. */
  constructor(
    readonly options: SubscribeOptions,
    public start: SubscriptionStart | undefined,
  ) {}
}

/**
 * The subscription of one subscriber to one topic. A process may have a million of them, so the fields are
 * few, and the others are in a state that most do not need.
 */
export class TopicSubscription implements Subscription {
  readonly parent: Topic<TopicSubscription>;
  readonly subscriber: Subscriber;
  place = -1;
  /**
   * The number of messages it has sent. While it is active, less by the number of those that the topic's fanout
   * has added to the send queues of many at once: they need not be counted by each subscription.
   */
  #sent: number;
  #state: SubscriptionState | undefined;

  /** @param isPlain Whether it starts at once, with no messages before it. */
  constructor(
    topic: Topic<TopicSubscription>,
    subscriber: Subscriber,
    options: SubscribeOptions | undefined,
    isPlain: boolean,
  ) {
    this.parent = topic;
    this.subscriber = subscriber;
    this.#sent = 0 - this.#fannedOut; // Not -0, which V8 keeps in an object of its own.
    this.#state = options === undefined && isPlain
      ? undefined
      : new SubscriptionState(options ?? NO_OPTIONS, undefined);
    const signal = options?.signal;
    if (signal === undefined) return;
    const abort = () => this.unsubscribe();
    signal.addEventListener("abort", abort);
    this.#state!.unlisten = () => signal.removeEventListener("abort", abort);
  }

  get topic(): string {
    return this.parent.name;
  }

  get sent(): number {
    return this.isActive ? this.#sent + this.#fannedOut : this.#sent;
  }

  get dropped(): number {
    return this.#state?.dropped ?? 0;
  }

  get waiting(): number {
    const state = this.#state;
    return state === undefined ? 0 : (state.queue?.length ?? 0) + state.earlyMessages;
  }

  get ready(): Promise<SubscriptionStart> {
    const start = this.#start;
    if (start !== undefined) return Promise.resolve(start);
    return (this.#state!.ready ??= Promise.withResolvers()).promise;
  }

  /** The function that encodes messages, if there is one. */
  get encode(): ((publication: Publication) => Message) | undefined {
    return this.#state?.options.encode;
  }

  /** Whether the subscription has not ended. */
  get isActive(): boolean {
    return this.place >= 0;
  }

  get #start(): SubscriptionStart | undefined {
    return this.#state === undefined ? PLAIN_START : this.#state.start;
  }

  get #fannedOut(): number {
    return this.parent.fanout?.extensions ?? 0;
  }

  get #context(): SubscriptionContext {
    return this.subscriber.context;
  }

  /** The state, which this creates if there is none. */
  get #own(): SubscriptionState {
    return this.#state ??= new SubscriptionState(NO_OPTIONS, PLAIN_START);
  }

  /** The fanout has added a message to the send queues of others: it is none that this one has sent. */
  notAMember(): void {
    this.#sent--;
  }

  /** Queues messages until `begin()`. */
  queueUntilBegin(): void {
    this.parent.fanout?.reset();
    this.#own.early = [];
  }

  /** Starts the subscription. Kept messages are sent before all others. */
  begin(position: Position | undefined, recovered: boolean, replay: Publication[]): void {
    if (!this.isActive) return;
    this.parent.fanout?.reset();
    const state = this.#own;
    const start = { recovered, position, replayed: replay.length };
    state.start = start;
    this.#call(() => state.options.onStart?.(start));
    state.ready?.resolve(start);
    this.#replay(replay);
    const early = state.early ?? [];
    this.#context.counts.waiting -= state.earlyMessages;
    state.earlyMessages = 0;
    state.early = undefined;
    // Before the start, messages of another epoch are those of an earlier history.
    const isEarlier = (one: Position | undefined, start: Position | undefined) =>
      one !== undefined && start !== undefined && start.epoch !== "" && one.epoch !== start.epoch ||
      this.hasHad(one);
    for (const one of early) {
      if (!this.isActive) return;
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
    if (replay.length === 0 || !this.isActive) return;
    if (this.#own.options.whenSlow === "latest") {
      for (const publication of replay) this.#wait(publication, publication);
      return;
    }
    this.#waitingQueue.replay(replay);
    this.#context.counts.waiting += replay.length;
    this.subscriber.drain(this);
  }

  /**
   * Sends a message, queues it or drops it.
   *
   * @param data The encoded message.
   * @param run The run that the message begins.
   */
  deliver(publication: Publication, data: SharedMessage, run?: SharedRun): Outcome {
    const state = this.#state;
    if (state?.early !== undefined) {
      state.early.push({ publication, data });
      state.earlyMessages++;
      this.#context.counts.waiting++;
      return "waiting";
    }
    if (state?.queue !== undefined) {
      if (state.queue.length > 0) return this.#wait(publication, data);
      if (!this.subscriber.isSlow) this.#tellGap(state.queue.takeGapAtEnd());
      // The callback may have ended the subscription, and with it this message.
      if (!this.isActive) {
        this.#drop(1);
        return "dropped";
      }
    }
    switch (this.#send(data, run)) {
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
    this.parent.fanout?.reset();
    const early = this.#state?.early;
    if (early !== undefined) {
      early.push({ lost: count, until });
      return;
    }
    // What was lost before the start is not missing.
    const start = this.#start;
    if (start === undefined || this.hasHad(until)) return;
    const { position } = start;
    if (count !== undefined && until !== undefined && position?.epoch === until.epoch) {
      count = Math.min(count, until.offset - position.offset);
    }
    this.#waitingQueue.skipLost(count);
    this.subscriber.drain(this);
  }

  /** Sends messages that wait, until the peer is slow. @returns Whether none is left. */
  flush(): boolean {
    const queue = this.#state?.queue;
    while (queue !== undefined && queue.length > 0) {
      if (!this.subscriber.isOpen) return true;
      if (this.subscriber.isSlow) return false;
      const { message, gap } = queue.shift()!;
      this.#context.counts.waiting--;
      this.#tellGap(gap);
      // The callback may have ended the subscription, and with it this message.
      if (!this.isActive) {
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
    if (!this.isActive) return;
    this.#sent = this.sent;
    this.parent.remove(this);
    const state = this.#state;
    if (state !== undefined) this.#end(state);
    this.#context.removed(this.parent);
    this.subscriber.forget(this);
  }

  #end(state: SubscriptionState): void {
    state.unlisten?.();
    const { waiting } = this;
    this.#context.counts.waiting -= waiting;
    this.#drop(waiting);
    state.queue = undefined;
    state.early = undefined;
    state.earlyMessages = 0;
    state.ready?.reject(new DOMException("The subscription has ended", "AbortError"));
    state.ready?.promise.catch(() => {});
  }

  get #waitingQueue(): WaitingQueue {
    const state = this.#own;
    const { whenSlow = "close", maxWaiting = 64 } = state.options;
    return state.queue ??= new WaitingQueue(whenSlow, maxWaiting);
  }

  #wait(publication: Publication, message: SharedMessage | Publication): Outcome {
    const { counts } = this.#context;
    let key: unknown;
    try {
      key = this.#state?.options.key?.(publication.data);
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

  #send(data: SharedMessage, run?: SharedRun): "sent" | "full" | "closed" | "failed" {
    try {
      const result = this.subscriber.send(data, run);
      if (result !== "sent") return result;
    } catch (error) {
      this.#context.reportError(error);
      return "failed";
    }
    this.#sent++;
    this.#context.counts.sent++;
    return "sent";
  }

  /** Returns the encoded form of a kept message, or `undefined` if `encode` throws. */
  #encode(publication: Publication): SharedMessage | undefined {
    const encodings = encodingsOf(publication);
    const encoded = encodings?.get(this.encode);
    if (encoded !== undefined) return encoded;
    const message = encodeShared(this.encode, publication, this.#context.reportError);
    if (message !== undefined) encodings?.set(this.encode, message);
    return message;
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#own.dropped += count;
    this.#context.counts.dropped += count;
  }

  #tellGap(gap: GapCount | undefined): void {
    if (gap === undefined) return;
    for (const told of gap.of(this.topic)) {
      this.#call(() => this.#state?.options.onGap?.(told));
      // The node reports messages that a relay has lost once, not for each subscription.
      if (told.why === "slow") this.#call(() => this.#context.onGap?.(told));
    }
  }

  #call(callback: () => void): void {
    callGuarded(callback, (error) => this.#context.reportError(error));
  }
}
