/** What was published, what each subscriber has got and was told, and the comparison of the two. */

import type { Gap, Message, Position, SubscriptionStart } from "../../../src/topics/mod.ts";
import { Violation } from "../ledger.ts";
import type { Log, Store } from "./store.ts";

/** A message of a topic that is not kept. */
interface Published {
  readonly publisher: string;
  readonly number: number;
}

/** All messages of a topic that is not kept, in the order of the calls. */
export class PlainTopic {
  readonly all: Published[] = [];
  /** Publishers that have ended: what they have sent last may be unknown to all others. */
  readonly ended = new Set<string>();
  readonly #indices = new Map<string, number>();

  add(publisher: string, number: number): string {
    const data = `${publisher} ${number}`;
    this.#indices.set(data, this.all.length);
    this.all.push({ publisher, number });
    return data;
  }

  indexOf(data: Message): number | undefined {
    return this.#indices.get(data as string);
  }
}

/** What a subscriber of either kind of topic has. */
export interface Account {
  readonly name: string;
  /** Messages that it must not get. */
  readonly excepted: Set<string>;
  /** Whether the subscription has started. */
  readonly isReady: boolean;
  start(start: SubscriptionStart): void;
  gap(gap: Gap): void;
  receive(data: Message, position: Position | undefined): void;
  /** Compares, once everything has arrived that still can. @returns What is wrong. */
  difference(): string | undefined;
}

/** The account of a subscriber of a topic that is not kept. */
export class PlainAccount implements Account {
  readonly excepted = new Set<string>();
  readonly #received = new Set<number>();
  /** For each publisher: the index of the first and the number of the last message. */
  readonly #publishers = new Map<string, { first: number; last: number }>();
  /** What was published before it subscribed may be missing, and so may what came before `ready`. */
  readonly #from: number;
  #dueFrom = Infinity;
  #isExact = true;
  #told = 0;
  /** Those of `#told` that were dropped for a slow peer, among them messages of before the start. */
  #slow = 0;
  #isUnknown = false;
  /** Holes that must have been told. */
  #holes = 0;

  /**
   * @param isDisturbed Whether other nodes are out of reach. What they publish meanwhile can't be told from
   * what they have published before the start.
   */
  constructor(
    readonly name: string,
    readonly topic: PlainTopic,
    readonly isDisturbed: () => boolean,
  ) {
    this.#from = topic.all.length;
  }

  get isReady(): boolean {
    return this.#dueFrom !== Infinity;
  }

  start({ recovered, position, replayed }: SubscriptionStart): void {
    this.#dueFrom = this.topic.all.length;
    this.#isExact = !this.isDisturbed();
    if (recovered || position !== undefined || replayed !== 0) {
      throw new Violation("a topic that is not kept has no position", this.name);
    }
  }

  gap({ count, why }: Gap): void {
    if (count === undefined) this.#isUnknown = true;
    else this.#told += count;
    if (why === "slow") this.#slow += count ?? 0;
    if (count !== undefined && !(count > 0)) throw new Violation("a gap has messages", `${count}`);
    if (count === undefined && why === "slow") throw new Violation("a slow gap is counted", why);
  }

  receive(data: Message): void {
    const index = this.topic.indexOf(data);
    if (index === undefined) {
      throw new Violation("a message was published", `${this.name}: ${data}`);
    }
    const { publisher, number } = this.topic.all[index]!;
    if (this.excepted.has(data as string)) {
      throw new Violation("except does not get the message", `${this.name}: ${data}`);
    }
    const known = this.#publishers.get(publisher);
    if (known !== undefined && number <= known.last) {
      throw new Violation(
        "messages of a publisher come in order, once",
        `${this.name}: ${data} after ${known.last}`,
      );
    }
    const last = known?.last ?? 0;
    if (known === undefined) this.#publishers.set(publisher, { first: index, last: number });
    else known.last = number;
    this.#received.add(index);
    // What a publisher has sent before its first message is judged once the publisher is known.
    for (let n = known === undefined ? number : last + 1; n < number; n++) {
      const missing = this.topic.indexOf(`${publisher} ${n}`)!;
      if (missing >= this.#dueFrom && !this.#isExcepted(missing)) this.#holes++;
    }
    if (this.#holes > this.#told && !this.#isUnknown && this.#isExact) {
      throw new Violation(
        "a gap is told before the next message",
        `${this.name}: ${this.#holes} missing before ${data}, ${this.#told} told`,
      );
    }
  }

  difference(): string | undefined {
    if (!this.#isExact) return undefined;
    let [least, most] = [0, 0];
    for (const [index, { publisher, number }] of this.topic.all.entries()) {
      if (this.#received.has(index) || this.#isExcepted(index)) continue;
      const known = this.#publishers.get(publisher);
      const isKnown = !this.topic.ended.has(publisher) || number < (known?.last ?? 0);
      if (index >= this.#dueFrom && isKnown) least++;
      if (index >= Math.min(this.#from, known?.first ?? Infinity)) most++;
    }
    const told = this.#told;
    if (told - this.#slow <= most && (told >= least || this.#isUnknown)) return undefined;
    return `${this.name}: told ${told}, missing ${least} to ${most}`;
  }

  #isExcepted(index: number): boolean {
    if (this.excepted.size === 0) return false;
    const { publisher, number } = this.topic.all[index]!;
    return this.excepted.has(`${publisher} ${number}`);
  }
}

/** The account of a subscriber of a kept topic: what it gets is what the store has, in its order. */
export class KeptAccount implements Account {
  readonly excepted = new Set<string>();
  /** The position of the last message that it has got, to return with. */
  position: Position | undefined;
  /** The index of the entry that comes next. */
  #next = 0;
  #told = 0;
  #isUnknown = false;
  #hasStarted = false;

  /**
   * @param known The last message that the node has delivered or stored. The start is not before it. It may
   * be before the end of the store: messages that are on their way come after it.
   */
  constructor(
    readonly name: string,
    readonly log: Log,
    readonly since: Position | undefined,
    readonly store: Store,
    readonly known: Position | undefined,
  ) {}

  get isReady(): boolean {
    return this.#hasStarted;
  }

  start({ recovered, position, replayed }: SubscriptionStart): void {
    const what = `${this.name}: since ${text(this.since)}, at ${text(position)}`;
    if (this.#hasStarted) throw new Violation("a subscription starts once", what);
    this.#hasStarted = true;
    if (position === undefined || position.epoch === "") {
      throw new Violation("a kept topic has a position", what);
    }
    const from = recovered ? this.since : position;
    if (recovered && this.since?.epoch !== position.epoch) {
      throw new Violation("recovered is never false", `${what}: another epoch`);
    }
    if (recovered && this.since!.offset > position.offset) {
      throw new Violation("recovered is never false", `${what}: beyond the end`);
    }
    if (!recovered && replayed > 0) throw new Violation("no partial replay", what);
    this.position = from;
    const { entries } = this.log;
    const top = this.#indexAfter(position, what);
    if (this.known !== undefined && top < this.log.indexAfter(this.known)!) {
      throw new Violation(
        "a start is not before what the node has",
        `${what}, the node is at ${text(this.known)}`,
      );
    }
    this.#next = this.#indexAfter(from!, what);
    if (!recovered) return;
    const due = entries.slice(this.#next, top).filter((entry) => this.#isDue(entry)).length;
    if (due !== replayed) {
      throw new Violation("no partial replay", `${what}: ${replayed} of ${due}`);
    }
  }

  gap({ count }: Gap): void {
    if (count === undefined) this.#isUnknown = true;
    else this.#told += count;
    if (count !== undefined && !(count > 0)) throw new Violation("a gap has messages", `${count}`);
  }

  receive(data: Message, position: Position | undefined): void {
    const what = `${this.name}: ${data} at ${text(position)}`;
    if (position === undefined) throw new Violation("a kept message has a position", what);
    const { entries } = this.log;
    const { epoch, offset } = position;
    const index = entries.findLastIndex((entry) =>
      entry.offset === offset && entry.epoch === epoch
    );
    const entry = entries[index];
    if (entry === undefined || entry.data !== data) {
      throw new Violation("a kept message is what the store has", what);
    }
    if (this.excepted.has(data as string)) {
      throw new Violation("except does not get the message", what);
    }
    if (!this.#hasStarted) throw new Violation("no message comes before the start", what);
    if (index < this.#next) {
      throw new Violation("kept messages come in order, once", `${what}, next is ${this.#next}`);
    }
    this.#check(index, what, epoch !== this.position?.epoch);
    this.#next = index + 1;
    this.position = position;
    this.#told = 0;
    this.#isUnknown = false;
  }

  difference(): string | undefined {
    if (!this.#hasStarted) return `${this.name}: has not started`;
    try {
      this.#check(this.log.entries.length, this.name, true);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #check(index: number, what: string, isOther: boolean): void {
    const { entries } = this.log;
    const missing = entries.slice(this.#next, index).filter((entry) => this.#isDue(entry)).length;
    if (this.#isUnknown) {
      if (missing > 0 || isOther) return;
      // A stream of several topics does not tell which of them a message was of that it has dropped.
      const isLost = entries.slice(this.#next, index).length > 0 || this.log.epochs.length > 1 ||
        this.store.trimmed > (this.position?.offset ?? 0) || this.#isFull;
      if (isLost) return;
      throw new Violation("nothing is told that was not lost", what);
    }
    if (missing > this.#told) {
      throw new Violation(
        "a kept message is received, or told as missing at its place",
        `${what}: ${missing} missing, ${this.#told} told`,
      );
    }
    // A node does not know which of the lost messages a subscriber was not to get.
    const excepted =
      entries.slice(this.#next, index).filter(({ data }) => this.excepted.has(data as string))
        .length;
    if (missing + excepted < this.#told) {
      throw new Violation(
        "nothing is told that was not lost",
        `${what}: ${missing} missing, ${this.#told} told`,
      );
    }
  }

  /** Whether a topic has as many messages as its stream allows: it does not tell whether there were more. */
  get #isFull(): boolean {
    const { epoch } = this.log.position;
    const stored = this.log.entries.filter((entry) => entry.epoch === epoch && !entry.isTrimmed);
    return this.store.most > 0 && stored.length >= this.store.most;
  }

  #isDue({ data }: { data: Message | undefined }): boolean {
    return data !== undefined && !this.excepted.has(data as string);
  }

  #indexAfter(position: Position, what: string): number {
    const index = this.log.indexAfter(position);
    if (index === undefined) throw new Violation("the position is that of the store", what);
    return index;
  }
}

function text(position: Position | undefined): string {
  return position === undefined ? "-" : `${position.epoch}:${position.offset}`;
}
