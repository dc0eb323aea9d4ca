import type { Topic } from "./topic.ts";
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
 * The least time between two reads of a topic, in milliseconds. Subscribers that ask meanwhile share the next
 * one, so that the number of reads does not grow with the clients that return after a restart.
 */
const READ_INTERVAL = 200;

/** The callbacks of a {@linkcode RelayLink}. */
export interface RelayTarget {
  /** Delivers a message of another node, or of a kept topic. @param isOwn Whether this node has sent it. */
  receive(message: RelayedMessage, isOwn: boolean): void;
  /** Called when this node has lost messages of a topic, of a kept one those up to a position. */
  lost(gap: Gap, until: Position | undefined): void;
  /** Reports an error of the broker. */
  reportError(error: unknown): void;
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
  readonly #asking = new Map<Topic, Asker[]>();
  readonly #delays = new Map<ReturnType<typeof setTimeout>, () => void>();
  #number = 0;
  #isDisposed = false;

  constructor(relay: Relay, target: RelayTarget) {
    this.#relay = relay;
    this.#target = target;
    this.#started = relay.start({
      id: this.#id,
      receive: (message) => this.#receive(message),
      gap: (gap, until) => target.lost(gap, until),
      state: () => {},
      error: (error) => target.reportError(error),
    });
    this.#started.catch((error) => target.reportError(error));
  }

  /** Starts to receive a topic, for a subscriber. */
  subscribe(topic: Topic): void {
    const { name, keep } = topic;
    topic.live = this.#started.then(() => {
      if (this.#isDisposed) throw new DOMException("The topics are disposed", "AbortError");
      return this.#relay.subscribe(name, keep !== undefined);
    });
    topic.live.catch((error) => this.#isDisposed || this.#target.reportError(error));
  }

  /** Stops receiving a topic. */
  unsubscribe(topic: Topic): void {
    topic.live = undefined;
    topic.excepted.clear();
    const { name, keep } = topic;
    this.#started.then(() => {
      if (!this.#isDisposed && topic.live === undefined) {
        this.#relay.unsubscribe(name, keep !== undefined);
      }
    }, () => {});
  }

  /** Starts a subscription when the topic is live: stored messages come first. */
  begin(topic: Topic, subscription: TopicSubscription, since: Position | undefined): void {
    if (topic.keep === undefined) {
      // For a later subscriber, losses of before it are reported first.
      if (topic.subscriptions.length > 1) this.subscribe(topic);
      topic.live!.then(() => subscription.begin(undefined, false, []), () => {});
      return;
    }
    subscription.queueUntilBegin();
    this.#ask(topic, { subscription, since });
  }

  /** Sends a message of a topic that is not kept. @returns A function that asks whether the broker has it. */
  send(topic: string, data: Message): () => Promise<undefined> {
    const confirm = this.#relay.send({ topic, data, node: this.#id });
    return () => confirm().then(() => undefined);
  }

  /** Stores a message of a kept topic. @returns A promise of its position. */
  store(topic: Topic, data: Message, { except, id }: PublishOptions): Promise<Position> {
    const number = ++this.#number;
    const message = { topic: topic.name, data, node: this.#id, number };
    const stored = this.#relay.store(id === undefined ? message : { ...message, id }, topic.keep!);
    if (except !== undefined && topic.subscriptions.length > 0) {
      const { excepted } = topic;
      excepted.add(number, except);
      stored.then((position) => excepted.stored(number, position), () => {});
    }
    return stored;
  }

  read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return this.#relay.read(topic, since, limit);
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const [timer, resolve] of this.#delays) {
      clearTimeout(timer);
      resolve();
    }
    await this.#relay[Symbol.asyncDispose]();
  }

  #receive(message: RelayedMessage): void {
    this.#target.receive(message, message.node === this.#id);
  }

  #ask(topic: Topic, asker: Asker): void {
    const askers = this.#asking.get(topic);
    if (askers !== undefined) {
      askers.push(asker);
      return;
    }
    this.#asking.set(topic, [asker]);
    const read = () => {
      const asking = this.#asking.get(topic)!;
      this.#asking.delete(topic);
      this.#begin(topic, asking);
    };
    const wait = topic.readAt + READ_INTERVAL - performance.now();
    if (wait > 0) this.#delay(wait).then(read);
    else queueMicrotask(read);
  }

  async #begin(topic: Topic, askers: Asker[]): Promise<void> {
    while (!this.#isDisposed && askers.some(({ subscription }) => subscription.isActive)) {
      const { live } = topic;
      const isLive = await live?.then(() => true, () => false);
      try {
        if (isLive) return await this.#read(topic, askers);
      } catch (error) {
        if (!this.#isDisposed) this.#target.reportError(error);
      }
      await this.#delay(RETRY_DELAY);
      // A topic that is received already must not be begun again: messages would be missing.
      const isWanted = !this.#isDisposed && topic.subscriptions.length > 0;
      if (!isLive && topic.live === live && isWanted) this.subscribe(topic);
    }
  }

  /** Reads the store once for all subscriptions, if it has the messages of the earliest position. */
  async #read(topic: Topic, askers: Asker[]): Promise<void> {
    const { name } = topic;
    topic.readAt = performance.now();
    const asking = askers.filter(({ since }) => since !== undefined);
    asking.sort((a, b) => a.since!.offset - b.since!.offset);
    const earliest = asking[0]?.since;
    const history = await this.#relay.read(name, earliest, earliest === undefined ? 0 : Infinity);
    // Messages that are missing for the earliest position may be stored for later positions.
    const all = history.complete || asking.length < 2
      ? history
      : await this.#relay.read(name, undefined, Infinity);
    for (const asker of askers) begin(asker, all, history.complete ? earliest : undefined);
  }

  #delay(time: number): Promise<void> {
    if (this.#isDisposed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#delays.delete(timer);
        resolve();
      }, time);
      this.#delays.set(timer, resolve);
    });
  }
}

/**
 * Starts a subscription with the stored messages.
 *
 * @param history The result of reading the store.
 * @param from The position after which it is complete; `undefined` if all stored messages were read.
 */
function begin({ subscription, since }: Asker, history: History, from: Position | undefined): void {
  const { publications, position } = history;
  if (since === undefined) return subscription.begin(position, false, []);
  const first = publications[0]?.position?.offset ?? position.offset + 1;
  const isKnown = since.epoch === position.epoch && Number.isSafeInteger(since.offset) &&
    since.offset <= position.offset && since.offset >= (from?.offset ?? first - 1);
  const replay = isKnown
    ? publications.filter(({ position }) => position!.offset > since.offset)
    : [];
  subscription.begin(position, isKnown, replay);
}
