import { checkNumber } from "../protocol/options.ts";
import { sleep } from "../util/abort.ts";
import { aSignal, checkOptions, show } from "../util/options.ts";
import type { OptionCheck, OptionChecks } from "../util/options.ts";
import { getOrCreate } from "../util/maps.ts";
import { MAX_DELAY } from "../util/max_delay.ts";
import { whenClosed } from "./subscriber.ts";
import { PresenceTopic } from "./presence_topic.ts";
import { decodePresence } from "./presence_wire.ts";
import type { PresenceContent, PresenceMessage } from "./presence_wire.ts";
import type { Message, Peer, Subscription, Topics } from "./types.ts";

/** The time between two heartbeats of a node, in milliseconds. */
const HEARTBEAT = 1000;

/** The silence of a node after which its members count as left, in milliseconds: with HEARTBEAT under 4 s. */
const SILENCE = 2800;

/** The prefix of the topics that nodes use for presence. Applications do not use it. */
const PREFIX = "\u0000presence/";

/** Options of {@linkcode presence}. */
export interface PresenceOptions {
  /** The minimum time between two reports of changes, in milliseconds. @default {1000} */
  interval?: number;
  /** The time in which a member may join again without having left, in milliseconds. @default {5000} */
  grace?: number;
  /** The number of members above which only the count is reported. @default {1000} */
  maxMembers?: number;
}

/** Accepts the numbers from 0 to a maximum. */
function upTo(max: number): OptionCheck {
  return (value, path) => {
    const isValid = (value as number) >= 0 && (value as number) <= max;
    checkNumber(`option ${path}`, value, isValid, `from 0 to ${max}`);
    return undefined;
  };
}

// A timer of a longer time would end at once.
const aTime = /* @__PURE__ */ upTo(MAX_DELAY);

const presenceChecks: OptionChecks<PresenceOptions> = {
  interval: aTime,
  grace: aTime,
  maxMembers: /* @__PURE__ */ upTo(Infinity),
};

/** The changes since the last report. */
export interface PresenceChange<State> {
  /** Members that have joined, with their states. */
  readonly joined: ReadonlyMap<string, State>;
  /** Members whose state has changed. */
  readonly changed: ReadonlyMap<string, State>;
  /** Members that have left. */
  readonly left: readonly string[];
  /** The current number of members. */
  readonly count: number;
}

/** A connection of a member. */
export interface Membership<State> {
  /** Changes the state of the member. */
  update(state: State): void;
  /** Ends this membership, as the close of the connection does. The member leaves with its last connection. */
  leave(): void;
}

/** The members of topics: on all nodes, if the topics have a relay. */
export interface Presence<State> extends AsyncDisposable {
  /**
   * Adds a connection of a member.
   *
   * @param key The name of the member: of a person, for example, with any number of connections.
   * @param state The state that others see, as a value that JSON can represent.
   */
  join(peer: Peer, topic: string, key: string, state: State): Membership<State>;
  /** Returns the members of a topic. This node must have members of it or watch it. */
  members(topic: string): ReadonlyMap<string, State>;
  /** Returns the number of members of a topic. */
  count(topic: string): number;
  /** Watches a topic. The first change has all current members. A slow loop gets fewer, larger changes. */
  changes(topic: string, options?: { signal?: AbortSignal }): AsyncIterable<PresenceChange<State>>;
}

/**
 * Creates the record of the members of topics.
 *
 * @throws {TypeError} If an option is unknown.
 * @throws {RangeError} If an option is not a number of at least 0, or a time is longer than 2 ** 31 - 1 ms.
 * @example
 * ```ts
 * import { presence, topics } from "@sluice/websocket/topics";
 * import { assertEquals } from "@std/assert";
 *
 * await using rooms = topics();
 * await using people = presence<{ name: string }>(rooms);
 * const peer = { readyState: 1, send() {}, close() {} };
 * const { leave } = people.join(peer, "lobby", "user 7", { name: "Ada" });
 * for await (const { joined, count } of people.changes("lobby")) {
 *   assertEquals([...joined], [["user 7", { name: "Ada" }]]);
 *   assertEquals(count, 1);
 *   break;
 * }
 * leave();
 * ```
 */
export function presence<State>(topics: Topics, options: PresenceOptions = {}): Presence<State> {
  return new RelayedPresence<State>(topics, options);
}

/** A topic with the subscription that receives the diffs of other nodes. */
interface Watched<State> {
  readonly members: PresenceTopic<State>;
  readonly subscription: Subscription;
  /** The number of connections and loops that use it. */
  uses: number;
}

/** Another node. One that is silent is forgotten, with its members. */
interface OtherNode {
  /** The time of its last message. */
  heardAt: number;
  /** When it was asked for its members last. */
  askedAt: number;
  /** The first question that it was asked. An answer to an earlier one is of before it was silent. */
  question: number;
  /** Whether it has sent its members of all topics. */
  isKnown: boolean;
}

/** An answer to a question for the members of all topics. */
type Told = Extract<PresenceMessage<never>, { type: "told" }>;

/** The maximum number of topics in one answer. */
const MAX_TOPICS = 500;

class RelayedPresence<State> implements Presence<State> {
  readonly #topics: Topics;
  readonly #node: string = crypto.randomUUID();
  readonly #interval: number;
  readonly #grace: number;
  readonly #maxMembers: number;
  readonly #watched = new Map<string, Watched<State>>();
  readonly #others = new Map<string, OtherNode>();
  /** The number of questions so far. */
  #questions = 0;
  /** The connections that have joined, each with the function that ends its membership. */
  readonly #connections = new Map<() => void, Peer>();
  readonly #control: Subscription;
  readonly #heartbeats: ReturnType<typeof setInterval>;
  readonly #ends = new AbortController();
  #tickedAt = performance.now();

  constructor(topics: Topics, options: PresenceOptions) {
    checkOptions("presence()", options, presenceChecks);
    const { interval = 1000, grace = 5000, maxMembers = 1000 } = options;
    this.#topics = topics;
    this.#interval = interval;
    this.#grace = grace;
    this.#maxMembers = maxMembers;
    const peer = this.#receiver((message, other) => this.#hear(message, other));
    this.#control = topics.subscribe(peer, PREFIX);
    this.#heartbeats = setInterval(() => this.#tick(), HEARTBEAT);
  }

  join(peer: Peer, topic: string, key: string, state: State): Membership<State> {
    if (peer.readyState !== 1) {
      throw new DOMException("Cannot join: the peer is not open", "InvalidStateError");
    }
    if (typeof key !== "string") {
      throw new TypeError(`Cannot join: expected a string as the key, got ${show(key)}`);
    }
    const { members } = this.#use(topic);
    members.join(key, state);
    const leave = () => {
      if (!this.#connections.delete(leave)) return;
      stop();
      members.leave(key, this.#grace, () => this.#release(topic));
    };
    const stop = whenClosed(peer, leave);
    this.#connections.set(leave, peer);
    return {
      update: (state) => {
        if (this.#connections.has(leave)) members.update(key, state);
      },
      leave,
    };
  }

  members(topic: string): ReadonlyMap<string, State> {
    return this.#watched.get(topic)?.members.view() ?? new Map();
  }

  count(topic: string): number {
    return this.members(topic).size;
  }

  changes(
    topic: string,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<PresenceChange<State>, void, undefined> {
    checkOptions("changes()", options, { signal: aSignal });
    return this.#changes(topic, options.signal);
  }

  async *#changes(
    topic: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<PresenceChange<State>, void, undefined> {
    const { members } = this.#use(topic);
    const ends = signal === undefined
      ? this.#ends.signal
      : AbortSignal.any([signal, this.#ends.signal]);
    try {
      let told: ReadonlyMap<string, State> = new Map();
      let version = -1;
      let toldAt = -Infinity;
      while (!ends.aborted) {
        await members.changed(version, ends);
        const wait = toldAt + this.#interval - performance.now();
        if (wait > 0) await sleep(wait, ends);
        if (ends.aborted) return;
        version = members.version;
        const view = members.view();
        const change = difference(told, view, this.#maxMembers);
        const isFirst = toldAt === -Infinity;
        toldAt = performance.now();
        const { joined, changed, left, count } = change;
        const hasChanged = count !== told.size || joined.size + changed.size + left.length > 0;
        told = view;
        if (isFirst || hasChanged) yield change;
      }
    } finally {
      this.#release(topic);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort();
    clearInterval(this.#heartbeats);
    this.#say(PREFIX, { type: "bye" });
    for (const leave of [...this.#connections.keys()]) leave();
    for (const { members, subscription } of this.#watched.values()) {
      members.close();
      subscription.unsubscribe();
    }
    this.#watched.clear();
    this.#control.unsubscribe();
    await Promise.resolve();
  }

  /** Begins to receive the members of a topic, or counts one more use. */
  #use(topic: string): Watched<State> {
    const watched = getOrCreate(this.#watched, topic, () => {
      const name = PREFIX + topic;
      const members = new PresenceTopic<State>(this.#node, (content) => this.#say(name, content));
      const peer = this.#receiver((message) => members.take(message));
      // While a message of the topic is delivered, none can be published.
      const onGap = () => queueMicrotask(() => members.requestMembers());
      const subscription = this.#topics.subscribe(peer, name, { onGap });
      subscription.ready.then(onGap, () => {});
      return { members, subscription, uses: 0 };
    });
    watched.uses++;
    return watched;
  }

  #release(topic: string): void {
    const watched = this.#watched.get(topic);
    if (watched === undefined || --watched.uses > 0) return;
    this.#watched.delete(topic);
    watched.members.close();
    watched.subscription.unsubscribe();
  }

  #say(topic: string, content: PresenceContent<State>): void {
    try {
      this.#topics.publish(topic, JSON.stringify({ node: this.#node, ...content }));
    } catch {
      // The topics were disposed first, so nothing can be sent.
    }
  }

  /** A subscriber in this process. It handles messages after their delivery, so that it can publish answers. */
  #receiver(take: (message: PresenceMessage<State>, other: OtherNode) => void): Peer {
    const receive = (data: Message) => {
      const message = decodePresence<State>(data);
      if (message === undefined || message.node === this.#node) return;
      take(message, this.#noteHeard(message.node));
    };
    return { readyState: 1, send: (data) => queueMicrotask(() => receive(data)), close() {} };
  }

  #hear(message: PresenceMessage<State>, other: OtherNode): void {
    const { node, type } = message;
    if (type === "bye") return this.#lose(node);
    const isAnswer = type === "told" && message.to === this.#node;
    if (isAnswer && message.question! >= other.question) this.#noteTold(other, message);
    if (type === "request" && message.to === this.#node) this.#answer(node, message.question);
    // A question is lost while either node is out of reach, so it is repeated until it is answered. After a
    // silence, many heartbeats may come at once.
    if (
      other.isKnown || this.#watched.size === 0 || other.heardAt - other.askedAt < HEARTBEAT / 2
    ) return;
    other.askedAt = other.heardAt;
    const question = ++this.#questions;
    other.question = Math.min(other.question, question);
    this.#say(PREFIX, { type: "request", to: node, question });
  }

  #noteHeard(node: string): OtherNode {
    const now = performance.now();
    const other = getOrCreate(this.#others, node, () => {
      return { heardAt: now, askedAt: -Infinity, question: Infinity, isKnown: false };
    });
    other.heardAt = now;
    return other;
  }

  /** Sends the members of this node to the others, since one has asked. */
  #answer(to: string, question: number | undefined): void {
    const all: [topic: string, version: number][] = [];
    for (const [topic, { members }] of this.#watched) {
      members.tellAll();
      all.push([topic, members.ownVersion]);
    }
    do {
      const versions = all.splice(0, MAX_TOPICS);
      const rest = all.length;
      this.#say(PREFIX, { type: "told", to, question, versions, rest });
    } while (all.length > 0);
  }

  /**
   * Notes that another node has sent its members. Those of a topic may be lost, because a connection that is
   * new receives one topic before the other. The node is asked again then.
   */
  #noteTold(other: OtherNode, { node, question, versions, rest }: Told): void {
    const isMissing = versions.some(([topic, version]) =>
      this.#watched.get(topic)?.members.has(node, version) === false
    );
    if (isMissing) other.question = question! + 1;
    else if (rest === 0) other.isKnown = true;
  }

  #tick(): void {
    const now = performance.now();
    // Time during which this node's event loop was blocked does not count as silence of other nodes.
    const late = Math.max(0, now - this.#tickedAt - HEARTBEAT);
    this.#tickedAt = now;
    if (this.#watched.size > 0) this.#say(PREFIX, { type: "heartbeat" });
    for (const [node, other] of this.#others) {
      other.heardAt = Math.min(other.heardAt + late, now);
      if (other.heardAt < now - SILENCE) this.#lose(node);
    }
    // Finds closed peers that report no event.
    for (const [leave, { readyState }] of this.#connections) if (readyState !== 1) leave();
  }

  #lose(node: string): void {
    this.#others.delete(node);
    for (const { members } of this.#watched.values()) members.lose(node);
  }
}

function difference<State>(
  before: ReadonlyMap<string, State>,
  now: ReadonlyMap<string, State>,
  maxMembers: number,
): PresenceChange<State> {
  const joined = new Map<string, State>();
  const changed = new Map<string, State>();
  const left: string[] = [];
  if (now.size <= maxMembers) {
    for (const [key, state] of now) {
      if (!before.has(key)) joined.set(key, state);
      else if (before.get(key) !== state) changed.set(key, state);
    }
    for (const key of before.keys()) if (!now.has(key)) left.push(key);
  }
  return { joined, changed, left, count: now.size };
}
