import { senderOf } from "../connection/broadcast.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import type { SharedRun } from "../connection/shared_run.ts";
import { callGuarded, onRejected } from "../util/promises.ts";
import { PingWindow } from "./ping_window.ts";
import type { Topic } from "./topic.ts";
import type { Gap, Message, Peer } from "./types.ts";

/** The number of unsent bytes above which a peer is slow: the high-water mark of a connection's send queue. */
const HIGH_WATER_MARK = 64 * 1024;

/** The interval at which peers without `ready` are checked, in milliseconds. */
const POLL_INTERVAL = 20;

/** A peer that may report when its send queue is below its mark, and when it has closed. */
interface NotifyingPeer extends Peer, Partial<Pick<EventTarget, "addEventListener">> {
  readonly ready?: PromiseLike<unknown>;
  readonly closed?: PromiseLike<unknown>;
  removeEventListener?: EventTarget["removeEventListener"];
}

/** The members of a subscription that its subscriber uses. */
interface PeerSubscription {
  readonly parent: Topic;
  readonly isActive: boolean;
  /** Sends messages that wait, until the peer is slow. @returns Whether none is left. */
  flush(): boolean;
  unsubscribe(): void;
}

/** Peers without `ready`. One timer checks them while messages wait for them. */
export class Poll {
  readonly #subscribers = new Set<Subscriber>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    this.#timer ??= setTimeout(() => this.#look(), POLL_INTERVAL);
  }

  /** Ends the timer. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#subscribers.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    for (const subscriber of subscribers) subscriber.flush();
  }
}

/** Calls back when a peer has closed, if it reports that. @returns A function that cancels this. */
export function whenClosed(peer: Peer, onClose: () => void): () => void {
  const { closed } = peer as NotifyingPeer;
  if (typeof closed?.then === "function") {
    let isWanted = true;
    const close = () => isWanted && onClose();
    closed.then(close, close);
    return () => isWanted = false;
  }
  (peer as NotifyingPeer).addEventListener?.("close", onClose);
  return () => (peer as NotifyingPeer).removeEventListener?.("close", onClose);
}

/** The state that all subscribers and subscriptions of a `topics()` share. */
export interface SubscriptionContext {
  /** Totals since the start, and the number of messages that wait now. */
  readonly counts: { sent: number; waiting: number; dropped: number; closed: number };
  /** Called with each gap, after the subscription's own callback. */
  readonly onGap: ((gap: Gap) => void) | undefined;
  /** Reports an exception of a callback or a peer's method. */
  readonly reportError: (error: unknown) => void;
  /** A subscription has been removed from its topic. */
  removed(topic: Topic): void;
  /** The last subscription of a peer has ended. */
  left(peer: Peer): void;
}

/** The number of a peer's subscriptions up to which a search in a list is fast. */
const FEW = 128;

/** A peer with its subscriptions. */
export class Subscriber {
  readonly peer: Peer;
  readonly context: SubscriptionContext;
  /** The subscriptions, while they are few: a list takes less memory than a map. */
  #few: PeerSubscription[] = [];
  /** The subscriptions, once they are many. */
  #many: Map<Topic, PeerSubscription> | undefined;
  readonly #sender: ReturnType<typeof senderOf> | undefined;
  #window: PingWindow | undefined;
  readonly #poll: Poll;
  /** Subscriptions with waiting messages, or with a gap to report. */
  #pending: PeerSubscription[] | undefined;
  #isScheduled = false;
  readonly #onClose = () => this.leave();
  readonly #unlisten: () => void;

  constructor(peer: Peer, poll: Poll, context: SubscriptionContext) {
    this.peer = peer;
    this.#sender = peer instanceof WebSocketConnection ? senderOf(peer) : undefined;
    this.#poll = poll;
    this.context = context;
    this.#unlisten = whenClosed(peer, this.#onClose);
  }

  /** The number of subscriptions. */
  get size(): number {
    return this.#many?.size ?? this.#few.length;
  }

  /** Returns the subscription to a topic. */
  find(topic: Topic | undefined): PeerSubscription | undefined {
    if (this.#many !== undefined) return this.#many.get(topic!);
    for (const subscription of this.#few) if (subscription.parent === topic) return subscription;
    return undefined;
  }

  /** Adds a subscription. */
  add(subscription: PeerSubscription): void {
    if (this.#many !== undefined) this.#many.set(subscription.parent, subscription);
    else if (this.#few.push(subscription) > FEW) {
      this.#many = new Map(this.#few.map((one) => [one.parent, one]));
      this.#few = [];
    }
  }

  /** Limits the bytes in flight to the peer, so that a `"latest"` message is recent when it arrives. */
  limitWindow(): void {
    const { peer } = this;
    if (this.#window !== undefined || !(peer instanceof WebSocketConnection)) return;
    this.#window = new PingWindow(peer);
    // From here on, each message to it counts.
    for (const { parent } of this.#many?.values() ?? this.#few) parent.fanout?.reset();
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.peer.readyState === 1;
  }

  /** Whether the peer's send queue is above the high-water mark. */
  get isSlow(): boolean {
    return (this.peer.bufferedAmount ?? 0) > HIGH_WATER_MARK || this.#window?.isFull === true;
  }

  /**
   * Sends a message, unless the peer is slow. Connections of this library share the encoded bytes.
   *
   * @param run The run that the message begins, which a connection joins if further messages need no look.
   */
  send(message: SharedMessage, run?: SharedRun): "sent" | "full" | "closed" {
    if (this.#sender !== undefined) {
      const window = this.#window;
      if (window === undefined) return this.#sender.sendShared(message, HIGH_WATER_MARK, run);
      if (window.isFull) return this.isOpen ? "full" : "closed";
      const result = this.#sender.sendShared(message, HIGH_WATER_MARK);
      if (result === "sent") window.add(message.frame.end - message.frame.start);
      return result;
    }
    if (!this.isOpen) return "closed";
    if (this.isSlow) return "full";
    onRejected(this.peer.send(message.data as Message), this.context.reportError);
    return "sent";
  }

  /** Sends the waiting messages of a subscription as soon as the peer is not slow. */
  drain(subscription: PeerSubscription): void {
    if (this.#pending === undefined) this.#pending = [subscription];
    else if (!this.#pending.includes(subscription)) this.#pending.push(subscription);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const flush = () => this.flush();
    if (!this.isSlow) return queueMicrotask(flush);
    const ready = this.#window?.isFull ? this.#window.pong : (this.peer as NotifyingPeer).ready;
    if (typeof ready?.then === "function") ready.then(flush, this.#onClose);
    else this.#poll.add(this);
  }

  /** Sends waiting messages, one subscription after the other, until the peer is slow again. */
  flush(): void {
    this.#isScheduled = false;
    if (!this.isOpen) return this.leave();
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const subscription of pending) {
      if (subscription.isActive && !subscription.flush()) this.drain(subscription);
    }
  }

  /** Closes a peer that is too slow to receive every message. */
  closeSlow(): void {
    this.leave();
    const reason = "too slow for the messages of a topic";
    callGuarded(() => this.peer.close(1013, reason), this.context.reportError);
  }

  /** Ends all subscriptions. */
  leave(): void {
    // The last one is the fastest to find.
    while (this.#few.length > 0) this.#few.at(-1)!.unsubscribe();
    for (const subscription of this.#many?.values() ?? []) subscription.unsubscribe();
  }

  /** Removes a subscription that has ended. */
  forget(subscription: PeerSubscription): void {
    if (this.#many !== undefined) this.#many.delete(subscription.parent);
    else {
      const last = this.#few.pop()!;
      if (last !== subscription) this.#few[this.#few.lastIndexOf(subscription)] = last;
    }
    const pending = this.#pending?.indexOf(subscription) ?? -1;
    if (pending >= 0) this.#pending!.splice(pending, 1);
    if (this.size > 0) return;
    this.#unlisten();
    this.context.left(this.peer);
  }
}
