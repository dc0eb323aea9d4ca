import { Fanout } from "../connection/fanout.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import type { SharedRun } from "../connection/shared_run.ts";
import { encodeShared } from "./options.ts";
import type { SubscriptionContext } from "./subscriber.ts";
import type { Outcome, TopicSubscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";
import type { Message, Peer, Publication } from "./types.ts";

/** The number of subscriptions from which on messages are sent to their connections together. */
const MIN_MEMBERS = 16;

/** Counts the results of a delivery. */
interface Results {
  /** @param count The number of subscriptions with this outcome. */
  count(outcome: Outcome, count: number): void;
}

/** The delivery of one message to the subscriptions of a topic. */
export class Delivery {
  readonly #publication: Publication;
  readonly #results: Results | undefined;
  readonly #context: SubscriptionContext;
  /** The message for subscriptions without `encode`. */
  readonly #plain: SharedMessage;
  /** The message as each `encode` function returns it; `undefined` if it has thrown. */
  #encoded: Map<unknown, SharedMessage | undefined> | undefined;

  constructor(
    publication: Publication,
    results: Results | undefined,
    context: SubscriptionContext,
  ) {
    this.#publication = publication;
    this.#results = results;
    this.#context = context;
    this.#plain = new SharedMessage(publication.data);
  }

  /**
   * Delivers the message.
   *
   * @param except A peer that does not get it.
   * @param isNew Whether it comes after all messages that subscriptions have had.
   */
  deliver(topic: Topic<TopicSubscription>, except: Peer | undefined, isNew: boolean): void {
    const { subscriptions } = topic;
    topic.isPublishing = true;
    if (except === undefined && isNew && subscriptions.length >= MIN_MEMBERS) {
      this.#deliverToMany(topic.fanout ??= new Fanout(), subscriptions);
    } else {
      topic.fanout?.reset();
      // A callback may subscribe peers: they get later messages.
      const count = subscriptions.length;
      for (let i = 0; i < count; i++) {
        const subscription = subscriptions[i]!;
        if (subscription.subscriber.peer !== except) this.#deliverTo(subscription);
      }
    }
    topic.isPublishing = false;
    topic.compact();
  }

  #deliverToMany(
    fanout: Fanout<TopicSubscription>,
    subscriptions: readonly TopicSubscription[],
  ): void {
    const members = fanout.extend(this.#plain);
    if (members === 0) {
      return fanout.sendToEach(
        subscriptions.slice(),
        this.#plain,
        (subscription, run) => this.#deliverTo(subscription, run),
      );
    }
    this.#context.counts.sent += members;
    this.#results?.count("sent", members);
    for (const subscription of fanout.others) {
      subscription.notAMember();
      this.#deliverTo(subscription);
    }
  }

  #deliverTo(subscription: TopicSubscription, run?: SharedRun): void {
    const publication = this.#publication;
    // A broker may deliver a message after the store has returned it.
    if (!subscription.isActive || subscription.hasHad(publication.position)) return;
    const { encode } = subscription;
    const data = encode === undefined ? this.#plain : this.#encodedBy(encode);
    if (data === undefined) {
      subscription.skip();
      this.#results?.count("dropped", 1);
    } else {
      const outcome = subscription.deliver(
        publication,
        data,
        encode === undefined ? run : undefined,
      );
      this.#results?.count(outcome, 1);
    }
  }

  #encodedBy(encode: (publication: Publication) => Message): SharedMessage | undefined {
    const encoded = this.#encoded ??= new Map();
    if (!encoded.has(encode)) {
      encoded.set(encode, encodeShared(encode, this.#publication, this.#context.reportError));
    }
    return encoded.get(encode);
  }
}
