import { TopicHistory } from "./history.ts";
import type { TopicSubscription } from "./subscription.ts";
import type { Keep } from "./types.ts";

/** A topic that has subscribers or a history. */
export class Topic {
  readonly name: string;
  readonly keep: Keep | undefined;
  readonly subscriptions: TopicSubscription[] = [];
  /** What is kept by this process; `undefined` if a relay keeps it, or if it is not kept. */
  readonly history: TopicHistory | undefined;
  /** Resolves when a relay delivers the topic; `undefined` without a relay, or without subscribers. */
  live: Promise<void> | undefined;
  /** Whether a message is being delivered: the subscriptions keep their places until it is. */
  isPublishing = false;
  #hasEnded = false;

  constructor(name: string, keep: Keep | undefined, isRelayed: boolean) {
    this.name = name;
    this.keep = keep;
    this.history = keep === undefined || isRelayed ? undefined : new TopicHistory(name, keep);
  }

  /** Adds a subscription. */
  add(subscription: TopicSubscription): void {
    subscription.place = this.subscriptions.length;
    this.subscriptions.push(subscription);
  }

  /** Takes out a subscription; the last one gets its place. */
  remove(subscription: TopicSubscription): void {
    if (this.isPublishing) {
      this.#hasEnded = true;
      return;
    }
    const last = this.subscriptions.pop()!;
    if (last === subscription) return;
    this.subscriptions[subscription.place] = last;
    last.place = subscription.place;
  }

  /** Takes out the subscriptions that have ended while a message was delivered. */
  compact(): void {
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    const active = this.subscriptions.filter(({ isActive }) => isActive);
    this.subscriptions.length = 0;
    for (const subscription of active) this.add(subscription);
  }
}
