import type { Topic } from "./topic.ts";
import type { TopicSubscription } from "./subscription.ts";
import type {
  Gap,
  History,
  Message,
  Peer,
  Position,
  PublishOptions,
  Relay,
  RelayedMessage,
} from "./types.ts";

/** The delay before a request to the broker is repeated after an error, in milliseconds. */
const RETRY_DELAY = 500;

/** The callbacks of a {@linkcode RelayLink}. */
export interface RelayTarget {
  /** Delivers a message of another node, or of a kept topic, except to one peer. */
  receive(message: RelayedMessage, except: Peer | undefined): void;
  /** Called when this node has lost messages of a topic. */
  lost(gap: Gap): void;
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
  /** The subscriptions of this event-loop turn, by topic. One read of the store serves them all. */
  readonly #asking = new Map<Topic, Asker[]>();
  /** The peers (`except`) that do not get a message of a kept topic when the relay delivers it. */
  readonly #excepted = new Map<number, Peer>();
  readonly #delays = new Map<ReturnType<typeof setTimeout>, () => void>();
  #number = 0;
  #isDisposed = false;

  constructor(relay: Relay, target: RelayTarget) {
    this.#relay = relay;
    this.#target = target;
    this.#started = relay.start({
      id: this.#id,
      receive: (message) => this.#receive(message),
      gap: (gap) => target.lost(gap),
      state: () => {},
      error: (error) => target.reportError(error),
    });
    this.#started.catch((error) => target.reportError(error));
  }

  /** Starts to receive a topic, for its first subscriber. */
  subscribe(topic: Topic): void {
    const { name, keep } = topic;
    topic.live = this.#started.then(() => this.#relay.subscribe(name, keep !== undefined));
    topic.live.catch((error) => this.#target.reportError(error));
  }

  /** Stops receiving a topic. */
  unsubscribe(topic: Topic): void {
    topic.live = undefined;
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
    if (except !== undefined) this.#excepted.set(number, except);
    const message = { topic: topic.name, data, node: this.#id, number };
    const stored = this.#started.then(() =>
      this.#relay.store(id === undefined ? message : { ...message, id }, topic.keep!)
    );
    stored.catch(() => {}).then(() => this.#delay()).then(() => this.#excepted.delete(number));
    return stored;
  }

  read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return this.#started.then(() => this.#relay.read(topic, since, limit));
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
    const { node, number, position } = message;
    const isOwn = node === this.#id && position !== undefined;
    this.#target.receive(message, isOwn ? this.#excepted.get(number ?? 0) : undefined);
  }

  #ask(topic: Topic, asker: Asker): void {
    const askers = this.#asking.get(topic);
    if (askers !== undefined) {
      askers.push(asker);
      return;
    }
    this.#asking.set(topic, [asker]);
    queueMicrotask(() => {
      const asking = this.#asking.get(topic)!;
      this.#asking.delete(topic);
      this.#begin(topic, asking);
    });
  }

  async #begin(topic: Topic, askers: Asker[]): Promise<void> {
    while (!this.#isDisposed && askers.some(({ subscription }) => subscription.isActive)) {
      const { live } = topic;
      let isLive = false;
      try {
        await live;
        isLive = true;
        await this.#read(topic, askers);
        return;
      } catch (error) {
        if (this.#isDisposed) return;
        this.#target.reportError(error);
        await this.#delay();
        // A topic that is live continues: if it began again, earlier subscribers would miss messages.
        if (!isLive && topic.live === live && topic.subscriptions.length > 0) this.subscribe(topic);
      }
    }
  }

  /** Reads the store once for all subscriptions, if it has the messages of the earliest position. */
  async #read(topic: Topic, askers: Asker[]): Promise<void> {
    const { name } = topic;
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

  #delay(): Promise<void> {
    if (this.#isDisposed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#delays.delete(timer);
        resolve();
      }, RETRY_DELAY);
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
