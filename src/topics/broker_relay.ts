import { getOrCreate } from "../util/maps.ts";
import { Timeouts } from "../util/timeouts.ts";
import { numberBeforeSequence, SequenceTracker } from "./sequence_tracker.ts";
import type { Loss } from "./sequence_tracker.ts";
import { decode, decodeControl, encodeTopic, relayed, wireOf } from "./relay_wire.ts";
import type { NodeControl } from "./relay_wire.ts";
import type { Broker } from "./broker.ts";
import { CONFIRM_TIMEOUT, Probes } from "./probes.ts";
import { Questions } from "./questions.ts";
import { unknownOutcome } from "./relay_options.ts";
import type { History, Keep, Position, Relay, RelayedMessage, RelayNode } from "./types.ts";
import type { RelayOptions } from "./relay_options.ts";

/** The time for which the numbers of a silent node are remembered, in milliseconds. */
const REMEMBERED = 600_000;

/** The number of heartbeats that announce a topic's number after its last message. */
const ANNOUNCED = 3;

/** The maximum number of topics in one heartbeat, question or answer. */
const MAX_TOPICS = 500;

/** The numbers of a topic of this node. */
interface OwnTopic {
  number: number;
  /** The number of heartbeats that still announce it. */
  announce: number;
  usedAt: number;
}

/** A relay over a broker that delivers at most once. It counts lost messages. */
export class BrokerRelay implements Relay {
  readonly #broker: Broker;
  readonly #channelOf: (topic: string) => string;
  readonly #controlChannel: string;
  readonly #heartbeat: number;
  readonly #missed: number;
  readonly #tracker = new SequenceTracker();
  readonly #startedAt = performance.now();
  /** The topics that this node receives, by their channels. */
  readonly #topics = new Map<string, { topic: string; subscribed: Promise<boolean> }>();
  readonly #own = new Map<string, OwnTopic>();
  /** The time of the last message from each other node. */
  readonly #nodes = new Map<string, number>();
  /** Topics of the next question. */
  readonly #asking = new Set<string>();
  #answers: Promise<boolean[]> | undefined;
  #nextAnswers: Promise<boolean> | undefined;
  readonly #questions = new Questions();
  readonly #probes: Probes;
  readonly #timeouts = new Timeouts();
  readonly #instance: string = crypto.randomUUID();
  #hasTwin = false;
  #node: RelayNode | undefined;
  #ticks: ReturnType<typeof setInterval> | undefined;
  #count = 0;
  /** When the last heartbeat of this node came back. */
  #echoedAt = 0;
  /** The number of heartbeats since then. */
  #unechoed = 0;
  #tickedAt = 0;
  /** When the last heartbeat came back before the broker was out of reach. */
  #downSince = -Infinity;
  #isUp = false;
  /** When the broker was in reach again. */
  #upSince = -Infinity;
  #onUp: (() => void)[] = [];

  constructor(broker: Broker, { prefix, heartbeat = 1000, missed = 2 }: RelayOptions) {
    this.#broker = broker;
    this.#channelOf = (topic) => `${prefix}.t.${encodeTopic(topic)}`;
    this.#controlChannel = `${prefix}.n`;
    this.#heartbeat = heartbeat;
    this.#missed = missed;
    this.#probes = new Probes((probe) => this.#say({ type: "probe", node: this.#node!.id, probe }));
  }

  async start(node: RelayNode): Promise<void> {
    if (this.#node !== undefined) {
      throw new DOMException("Cannot start the relay: it has been started", "InvalidStateError");
    }
    this.#node = node;
    // A broker that is out of reach now is tried again by the heartbeats.
    this.#tickedAt = this.#echoedAt = performance.now();
    this.#ticks = setInterval(() => this.#tick(), this.#heartbeat);
    await this.#broker.start({
      message: (channel, payload) => this.#receive(channel, payload),
      stored: (topic, message) => this.#node?.receive(relayed(topic, message)),
      storeGap: (topic, count, until) => this.#node?.gap({ topic, count, why: "relay" }, until),
      lost: () => this.#probes.lose(),
      error: (error) => this.#node?.error(error),
    });
    await this.#broker.subscribe(this.#controlChannel);
    if (this.#node === undefined) return;
    this.#echoedAt = performance.now();
    this.#sendHeartbeat();
    await this.#whenUp();
  }

  async subscribe(topic: string, isKept: boolean): Promise<void> {
    if (isKept) return await this.#broker.follow(topic);
    const channel = this.#channelOf(topic);
    const received = getOrCreate(this.#topics, channel, () => {
      this.#tracker.track(topic, performance.now());
      return { topic, subscribed: this.#broker.subscribe(channel).then(() => true, () => false) };
    });
    while (this.#topics.get(channel) === received && this.#node !== undefined) {
      const { subscribed } = received;
      const isSubscribed = await this.#timeouts.withTimeout(2 * this.#heartbeat, subscribed);
      if (isSubscribed && await this.#askSoon(topic)) return;
      await this.#whenUp();
    }
  }

  unsubscribe(topic: string, isKept: boolean): void {
    if (isKept) return this.#broker.unfollow(topic);
    const channel = this.#channelOf(topic);
    this.#topics.delete(channel);
    this.#tracker.untrack(topic);
    this.#broker.unsubscribe(channel);
  }

  send(message: RelayedMessage): () => Promise<void> {
    const { topic } = message;
    const now = performance.now();
    const own = getOrCreate(this.#own, topic, () => {
      // A topic is forgotten later than this time after its last message.
      const number = numberBeforeSequence(Math.floor((now - this.#startedAt) / REMEMBERED));
      return { number, announce: 0, usedAt: now };
    });
    own.number++;
    own.announce = ANNOUNCED;
    own.usedAt = now;
    // A client would queue messages without a limit while the broker is out of reach, so they are dropped.
    if (this.#isUp) this.#broker.send(this.#channelOf(topic), wireOf(message, own.number));
    const { connection } = this.#probes;
    const isSent = this.#isUp;
    return () => this.#probes.confirm(isSent && this.#node !== undefined ? connection : -1);
  }

  async store(message: RelayedMessage, keep: Keep): Promise<Position> {
    const stored = this.#broker.store(message.topic, wireOf(message, message.number ?? 0), keep);
    try {
      const position = await this.#timeouts.withTimeout(CONFIRM_TIMEOUT, stored);
      if (position !== undefined) return position;
    } catch (error) {
      throw unknownOutcome(error instanceof Error ? error.message : String(error));
    }
    throw unknownOutcome(
      this.#node === undefined ? "the relay has ended" : "no answer within 4.8 s",
    );
  }

  read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    return this.#broker.read(topic, since, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#node === undefined) return;
    const age = performance.now() - this.#startedAt;
    let numbers: Record<string, number>;
    do {
      numbers = this.#announce(ANNOUNCED);
      this.#say({ type: "bye", node: this.#node.id, age, numbers });
    } while (Object.keys(numbers).length === MAX_TOPICS);
    this.#node = undefined;
    clearInterval(this.#ticks);
    this.#timeouts.clear();
    this.#probes.lose();
    this.#questions.close();
    for (const resolve of this.#onUp.splice(0)) resolve();
    await this.#broker.stop();
  }

  /** Sends a heartbeat, and checks whether the last ones have come back. */
  #tick(): void {
    const now = performance.now();
    // While this node's event loop was blocked, neither the broker nor other nodes were silent.
    const late = Math.max(0, now - this.#tickedAt - this.#heartbeat);
    this.#echoedAt = Math.min(this.#echoedAt + late, now);
    this.#tickedAt = now;
    this.#discount(late, now);
    if (now - this.#echoedAt > (this.#missed + 0.5) * this.#heartbeat) {
      if (this.#isUp) this.#downSince = this.#echoedAt;
      this.#setUp(false);
      this.#probes.lose();
      // The client may have lost its subscriptions without an error. New ones miss the heartbeat below.
      this.#broker.renew().then(() => this.#node && this.#sendHeartbeat());
    }
    this.#sendHeartbeat();
    this.#unechoed++;
    this.#broker.tick();
    // While the broker is out of reach, all nodes are silent.
    if (this.#isUp) this.#forgetSilent(now - REMEMBERED);
    // Since the broker is in reach, all nodes have been asked once a heartbeat.
    const alive = now - (this.#missed + 2) * this.#heartbeat;
    if (this.#isUp && this.#upSince < alive) this.#report(this.#tracker.giveUp(alive));
    for (const [topic, { usedAt }] of this.#own) {
      if (usedAt < now - 2 * REMEMBERED) this.#own.delete(topic);
    }
    // If the connection was lost during a block, the announcements of that time are missing.
    if (this.#tracker.hasUnknown || late > this.#heartbeat) this.#askAll();
  }

  /** Forgets nodes that have been silent since a time. */
  #forgetSilent(before: number): void {
    for (const [node, heardAt] of this.#nodes) if (heardAt < before) this.#nodes.delete(node);
    this.#questions.retain(this.#nodes);
    this.#report(this.#tracker.expire(before));
  }

  #sendHeartbeat(): void {
    const numbers = this.#announce();
    this.#say({ type: "heartbeat", node: this.#node!.id, instance: this.#instance, numbers });
  }

  /** Returns the last numbers of topics with recent messages. @param times For how many heartbeats this counts. */
  #announce(times = 1): Record<string, number> {
    const announced: [topic: string, own: OwnTopic][] = [];
    for (const [topic, own] of this.#own) {
      if (own.announce === 0) continue;
      own.announce = Math.max(0, own.announce - times);
      if (announced.push([topic, own]) === MAX_TOPICS) break;
    }
    // The next heartbeat begins with other topics: these may have new messages by then.
    for (const [topic, own] of announced) {
      this.#own.delete(topic);
      this.#own.set(topic, own);
    }
    // Unlike an assignment, this makes an own property of `__proto__`.
    return Object.fromEntries(announced.map(([topic, { number }]) => [topic, number]));
  }

  #say(control: NodeControl): void {
    this.#broker.sendControl(this.#controlChannel, JSON.stringify(control));
  }

  #receive(channel: string, payload: string | Uint8Array): void {
    const node = this.#node;
    if (node === undefined) return;
    if (channel === this.#controlChannel) {
      const control = decodeControl(payload);
      if (control !== undefined) this.#take(control, node);
      return;
    }
    const { topic } = this.#topics.get(channel) ?? {};
    const message = decode(payload);
    if (topic === undefined || message === undefined || message.node === node.id) return;
    const now = performance.now();
    this.#nodes.set(message.node, now);
    const losses = this.#tracker.message(message.node, topic, message.number, now);
    if (losses === undefined) return; // It has come twice.
    this.#report(losses);
    node.receive(relayed(topic, message));
  }

  #take(control: NodeControl, { id }: RelayNode): void {
    const now = performance.now();
    const isOwn = control.node === id;
    if (!isOwn && control.type !== "bye") this.#nodes.set(control.node, now);
    switch (control.type) {
      case "heartbeat":
        if (isOwn && control.instance !== this.#instance) this.#reportTwin(id);
        else if (isOwn) {
          this.#echoedAt = now;
          // Announcements that came at the time of a heartbeat that has not come back are missing, too.
          if (this.#isUp && this.#unechoed > 1) this.#askAll();
          this.#unechoed = 0;
          this.#setUp(true);
        } else {
          this.#report(this.#tracker.heartbeat(control.node, control.numbers, now));
          this.#askAgain(control.node, id);
        }
        break;
      case "question":
        if (isOwn) {
          this.#report(this.#tracker.settle());
          // A repetition for one node does not show that all nodes have got the question.
          if (control.to === undefined) this.#questions.answered(control.question, id);
        } else if ((control.to ?? id) === id) {
          this.#answer(control.node, control.question, control.topics, id);
        }
        break;
      case "answer": {
        const question = this.#questions.get(control.question);
        if (control.to !== id || isOwn || question === undefined) return;
        const { node, numbers, age } = control;
        this.#report(this.#tracker.answer(node, numbers, age, question.asked, now));
        // A node sends an answer or an announcement after all messages with these numbers.
        this.#report(this.#tracker.settle());
        this.#questions.answered(control.question, node);
        break;
      }
      case "probe":
        if (isOwn) this.#probes.end(control.probe);
        break;
      case "bye":
        if (isOwn) return;
        this.#nodes.delete(control.node);
        this.#report(this.#tracker.end(control.node, control.numbers, now - control.age));
    }
  }

  /** Reports another node with the id of this one, once: they do not receive each other's messages. */
  #reportTwin(id: string): void {
    if (this.#hasTwin) return;
    this.#hasTwin = true;
    this.#node?.error(new DOMException(`Another node has the id ${id}`, "InvalidStateError"));
  }

  #report(losses: Loss[]): void {
    for (const { topic, count } of losses) this.#node?.gap({ topic, count, why: "relay" });
  }

  #setUp(isUp: boolean): void {
    if (this.#isUp === isUp) return;
    this.#isUp = isUp;
    this.#node!.state(isUp);
    if (!isUp) return;
    this.#upSince = performance.now();
    for (const resolve of this.#onUp.splice(0)) resolve();
    // The announcements of recent messages may be lost, too.
    const since = this.#downSince - ANNOUNCED * this.#heartbeat;
    this.#discount(this.#upSince - Math.max(this.#downSince, this.#startedAt), this.#upSince);
    for (const own of this.#own.values()) if (own.usedAt >= since) own.announce = ANNOUNCED;
    this.#askAll();
  }

  /** Does not count a time in milliseconds, during which this node has received nothing, as silence of others. */
  #discount(time: number, now: number): void {
    for (const [node, heardAt] of this.#nodes) this.#nodes.set(node, Math.min(heardAt + time, now));
    this.#tracker.discount(time, now);
  }

  #whenUp(): Promise<void> {
    if (this.#isUp || this.#node === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#onUp.push(resolve));
  }

  /** Asks all nodes for all topics, or one node for some. */
  #askAll(topics = [...this.#tracker.tracked], to?: string): void {
    do this.#ask(topics.splice(0, MAX_TOPICS), to); while (topics.length > 0);
  }

  /** Asks all nodes for a topic's number. Calls of the same time share one question. */
  #askSoon(topic: string): Promise<boolean> {
    this.#asking.add(topic);
    return this.#nextAnswers ??= (this.#answers ?? Promise.resolve()).then(async () => {
      const topics = [...this.#asking];
      this.#asking.clear();
      this.#nextAnswers = undefined;
      const questions: Promise<boolean>[] = [];
      while (topics.length > 0) questions.push(this.#ask(topics.splice(0, MAX_TOPICS)));
      this.#answers = Promise.all(questions);
      return (await this.#answers).every((hasCome) => hasCome);
    });
  }

  /** Asks all nodes, or one, for their numbers. @returns Whether the question and all answers have arrived. */
  #ask(topics: string[], to?: string): Promise<boolean> {
    const now = performance.now();
    const alive = now - (this.#missed + 1) * this.#heartbeat;
    const node = this.#node?.id;
    if (node === undefined) return Promise.resolve(false);
    const waiting = new Set(to === undefined ? [node] : []);
    for (const [other, heardAt] of this.#nodes) {
      if (to === undefined ? heardAt > alive : other === to) waiting.add(other);
    }
    const question = { number: ++this.#count, topics, asked: now, waiting };
    const answers = this.#questions.open(question, node, 2 * this.#heartbeat);
    this.#say({ type: "question", node, to, question: question.number, topics });
    return answers;
  }

  /** Repeats questions to a node that is heard, and was out of reach or deaf when they were asked. */
  #askAgain(to: string, node: string): void {
    // A question that was asked just now may be on its way.
    const before = performance.now() - this.#heartbeat / 2;
    for (const { number, topics } of this.#questions.unansweredBy(to, before)) {
      this.#say({ type: "question", node, to, question: number, topics });
    }
    const timedOut = this.#questions.takeTimedOut(to);
    if (timedOut.length > 0) this.#askAll(timedOut, to);
  }

  #answer(to: string, question: number, topics: string[], node: string): void {
    const numbers = Object.fromEntries(
      topics.map((topic) => [topic, this.#own.get(topic)?.number ?? 0]),
    );
    const age = performance.now() - this.#startedAt;
    this.#say({ type: "answer", node, to, question, age, numbers });
  }
}
