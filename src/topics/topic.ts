import type { Fanout } from "../connection/fanout.ts";
import type { ExceptedPeers } from "./excepted_peers.ts";
import { TopicHistory } from "./history.ts";
import type { Keep, Position } from "./types.ts";

/** The members of a subscription that its topic uses. */
export interface TopicMember {
  /** Its index among the subscriptions of its topic; -1 once it has ended. */
  place: number;
}

/** The state of a topic that a relay delivers. */
export class RelayState {
  /** Resolves when the relay delivers the topic; `undefined` without subscribers. */
  live: Promise<void> | undefined;
  /** The peers (`except`) that do not get a message. */
  excepted: ExceptedPeers | undefined;
  /** The position of the last message that this node has stored, until the store is read. */
  settled: Position | undefined;
  /** When the relay's store was read last for it. */
  readAt = -Infinity;
}

/** A topic that has subscribers or a history. A process may have many of them, so the fields are few. */
export class Topic<Member extends TopicMember = TopicMember> {
  readonly name: string;
  readonly keep: Keep | undefined;
  /** Those with `place` -1 have ended while a message is delivered. */
  readonly subscriptions: Member[] = [];
  /** The history in this process; `undefined` if a relay keeps it, or if the topic is not kept. */
  readonly history: TopicHistory | undefined;
  /** What only a topic of a node with a relay has; otherwise `undefined`. */
  readonly relayed: RelayState | undefined;
  /** Whether a message is being delivered: until then subscriptions keep their indices. */
  isPublishing = false;
  /** Made with the first message to many subscribers: most topics have few. */
  fanout: Fanout<Member> | undefined;
  #hasEnded = false;

  constructor(name: string, keep: Keep | undefined, isRelayed: boolean) {
    this.name = name;
    this.keep = keep;
    this.relayed = isRelayed ? new RelayState() : undefined;
    this.history = keep === undefined || isRelayed ? undefined : new TopicHistory(name, keep);
  }

  /** Adds a subscription. */
  add(subscription: Member): void {
    this.fanout?.reset();
    subscription.place = this.subscriptions.push(subscription) - 1;
  }

  /** Removes a subscription; the last one takes its place. */
  remove(subscription: Member): void {
    this.fanout?.reset();
    const { place } = subscription;
    subscription.place = -1;
    if (this.isPublishing) {
      this.#hasEnded = true;
      return;
    }
    const last = this.subscriptions.pop()!;
    if (last === subscription) return;
    this.subscriptions[place] = last;
    last.place = place;
  }

  /** Removes the subscriptions that ended while a message was delivered. */
  compact(): void {
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    const active = this.subscriptions.filter(({ place }) => place >= 0);
    this.subscriptions.length = 0;
    for (const subscription of active) this.add(subscription);
  }
}

/** A topic of a node with a relay. */
export type RelayedTopic<Member extends TopicMember = TopicMember> =
  & Topic<Member>
  & { readonly relayed: RelayState };

/** Whether a topic is one of a node with a relay. */
export function hasRelay<Member extends TopicMember>(
  topic: Topic<Member> | undefined,
): topic is RelayedTopic<Member> {
  return topic?.relayed !== undefined;
}
