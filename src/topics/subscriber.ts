import { senderOf } from "../connection/broadcast.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import { callGuarded, onRejected } from "../util/promises.ts";
import { PingWindow } from "./ping_window.ts";
import type { Message, Peer } from "./types.ts";

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
  readonly topic: string;
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

/** Receives the events of a {@linkcode Subscriber}. */
interface SubscriberEvents {
  /** The last subscription has ended. */
  onEmpty(): void;
  /** A method of the peer has failed. */
  readonly onError: (error: unknown) => void;
}

/** A peer with its subscriptions. */
export class Subscriber {
  readonly peer: Peer;
  readonly subscriptions = new Map<string, PeerSubscription>();
  readonly #sender: ReturnType<typeof senderOf> | undefined;
  #window: PingWindow | undefined;
  readonly #poll: Poll;
  readonly #events: SubscriberEvents;
  /** Subscriptions with waiting messages, or with a gap to report. */
  readonly #pending = new Set<PeerSubscription>();
  #isScheduled = false;
  readonly #onClose = () => this.leave();
  readonly #unlisten: () => void;

  constructor(peer: Peer, poll: Poll, events: SubscriberEvents) {
    this.peer = peer;
    this.#sender = peer instanceof WebSocketConnection ? senderOf(peer) : undefined;
    this.#poll = poll;
    this.#events = events;
    this.#unlisten = whenClosed(peer, this.#onClose);
  }

  /** Limits the bytes in flight to the peer, so that a `"latest"` message is recent when it arrives. */
  limitWindow(): void {
    const { peer } = this;
    if (peer instanceof WebSocketConnection) this.#window ??= new PingWindow(peer);
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.peer.readyState === 1;
  }

  /** Whether the peer's send queue is above the high-water mark. */
  get isSlow(): boolean {
    return (this.peer.bufferedAmount ?? 0) > HIGH_WATER_MARK || this.#window?.isFull === true;
  }

  /** Sends a message, unless the peer is slow. Connections of this library share the encoded bytes. */
  send(message: SharedMessage): "sent" | "full" | "closed" {
    if (this.#sender !== undefined) {
      if (this.#window?.isFull) return this.isOpen ? "full" : "closed";
      const result = this.#sender.sendShared(message, HIGH_WATER_MARK);
      if (result === "sent") this.#window?.add(message.frame.end - message.frame.start);
      return result;
    }
    if (!this.isOpen) return "closed";
    if (this.isSlow) return "full";
    onRejected(this.peer.send(message.data as Message), this.#events.onError);
    return "sent";
  }

  /** Sends the waiting messages of a subscription as soon as the peer is not slow. */
  drain(subscription: PeerSubscription): void {
    this.#pending.add(subscription);
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
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const subscription of pending) {
      if (subscription.isActive && !subscription.flush()) this.drain(subscription);
    }
  }

  /** Closes a peer that is too slow to receive every message. */
  closeSlow(): void {
    this.leave();
    const reason = "too slow for the messages of a topic";
    callGuarded(() => this.peer.close(1013, reason), this.#events.onError);
  }

  /** Ends all subscriptions. */
  leave(): void {
    for (const subscription of [...this.subscriptions.values()]) subscription.unsubscribe();
  }

  /** Removes a subscription that has ended. */
  forget(subscription: PeerSubscription): void {
    this.subscriptions.delete(subscription.topic);
    this.#pending.delete(subscription);
    if (this.subscriptions.size > 0) return;
    this.#unlisten();
    this.#events.onEmpty();
  }
}
