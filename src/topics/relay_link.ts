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

/** How long to wait before the broker is asked again after an error, in milliseconds. */
const RETRY_DELAY = 500;

/** What a {@linkcode RelayLink} calls. */
export interface RelayTarget {
  /** Delivers a message of another node, or of a kept topic, except to one peer. */
  receive(message: RelayedMessage, except: Peer | undefined): void;
  /** Takes messages of a topic that this node does not get. */
  lost(gap: Gap): void;
  /** Reports an error of the broker. */
  reportError(error: unknown): void;
}

/** A subscription that waits for what is stored of its topic. */
interface Asker {
  readonly subscription: TopicSubscription;
  readonly since: Position | undefined;
}

/** Connects topics with a relay. */
export class RelayLink {
  readonly #relay: Relay;
  readonly #target: RelayTarget;
  readonly #id = crypto.randomUUID();
  /** Resolves when the relay has begun. */
  readonly #started: Promise<void>;
  /** The subscriptions that ask in this turn, by topic: one question for all of them. */
  readonly #asking = new Map<Topic, Asker[]>();
  /** For messages of kept topics, which come back by the relay: the peer that does not get them. */
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

  /** Begins to receive a topic, for its first subscriber. */
  want(topic: Topic): void {
    const { name, keep } = topic;
    topic.live = this.#started.then(() => this.#relay.want(name, keep !== undefined));
    topic.live.catch((error) => this.#target.reportError(error));
  }

  /** Ends to receive it. */
  unwant(topic: Topic): void {
    topic.live = undefined;
    const { name, keep } = topic;
    this.#started.then(() => {
      if (!this.#isDisposed && topic.live === undefined) {
        this.#relay.unwant(name, keep !== undefined);
      }
    }, () => {});
  }

  /** Begins a subscription: when the topic is live, after what is stored of it. */
  begin(topic: Topic, subscription: TopicSubscription, since: Position | undefined): void {
    if (topic.keep === undefined) {
      topic.live!.then(() => subscription.begin(undefined, false, []), () => {});
      return;
    }
    subscription.holdEarly();
    this.#ask(topic, { subscription, since });
  }

  /** Sends a message of a topic that is not kept. @returns What asks whether the broker has it. */
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
      try {
        await topic.live;
        await this.#read(topic, askers);
        return;
      } catch (error) {
        if (this.#isDisposed) return;
        this.#target.reportError(error);
        await this.#delay();
        if (topic.subscriptions.length > 0) this.want(topic);
      }
    }
  }

  /** Reads once for all, if what is asked for is stored. */
  async #read(topic: Topic, askers: Asker[]): Promise<void> {
    const { name } = topic;
    const asking = askers.filter(({ since }) => since !== undefined);
    asking.sort((a, b) => a.since!.offset - b.since!.offset);
    const earliest = asking[0]?.since;
    const history = await this.#relay.read(name, earliest, earliest === undefined ? 0 : Infinity);
    // What is missing for the earliest may be there for the others.
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
 * Begins a subscription with what is stored.
 *
 * @param history What was read.
 * @param from The position after which nothing is missing in it; `undefined` if all that is stored was read.
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
