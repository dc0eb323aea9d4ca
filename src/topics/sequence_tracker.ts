/** What a node has received of one topic of one publisher. */
interface Sequence {
  /** The number of the last message that has been received or counted as lost. */
  last: number;
  /** The number of the first message that was received, until it is known what came before it. */
  first: number | undefined;
  /** A number that the publisher has announced, which is lost if it is not received until the next time. */
  announced: number;
}

/** Another node, as far as it is known. */
interface Publisher {
  readonly sequences: Map<string, Sequence>;
  /** The bounds of its start, by the clock of this node; `undefined` until it has answered. */
  started: { earliest: number; latest: number } | undefined;
  heardAt: number;
}

/** Lost messages of a topic; `count` is `undefined` if their number can't be known. */
export interface Loss {
  topic: string;
  count: number | undefined;
}

/**
 * Counts the messages that a node has missed. Each publisher numbers its messages of a topic from 1, and
 * announces its last numbers. A number that is skipped, or announced twice without having come, is lost.
 *
 * A publisher that is met for the first time is asked for its numbers. The messages that it published
 * before this node wanted the topic are not missed. To know that, the times of its start and of the wish
 * are compared: both by the clock of this node, with the round trip of the question as the uncertainty.
 */
export class SequenceTracker {
  readonly #publishers = new Map<string, Publisher>();
  /** When each topic was wanted first. */
  readonly #wanted = new Map<string, number>();

  /** The topics that the node wants. */
  get wanted(): Iterable<string> {
    return this.#wanted.keys();
  }

  /** Whether there is a publisher that has not answered yet. */
  get hasUnknown(): boolean {
    for (const { started } of this.#publishers.values()) if (started === undefined) return true;
    return false;
  }

  /** Begins to count a topic. */
  want(topic: string, now: number): void {
    this.#wanted.set(topic, now);
  }

  /** Ends it. */
  unwant(topic: string): void {
    this.#wanted.delete(topic);
    for (const { sequences } of this.#publishers.values()) sequences.delete(topic);
  }

  /**
   * Takes the number of a message.
   *
   * @returns How many messages are missing before it; `undefined` if it has been received already.
   */
  message(node: string, topic: string, number: number, now: number): Loss[] | undefined {
    const wantedAt = this.#wanted.get(topic);
    if (wantedAt === undefined) return undefined;
    const publisher = this.#publisher(node, now);
    const sequence = publisher.sequences.get(topic);
    if (sequence === undefined) {
      const begun = { last: number, first: number, announced: 0 };
      publisher.sequences.set(topic, begun);
      return publisher.started === undefined ? [] : judge(publisher, topic, begun, wantedAt);
    }
    if (number <= sequence.last) return undefined;
    const count = number - sequence.last - 1;
    sequence.last = number;
    return count > 0 ? [{ topic, count }] : [];
  }

  /** Takes the numbers that a publisher announces with a heartbeat. @returns What is lost. */
  heartbeat(node: string, numbers: Record<string, number>, now: number): Loss[] {
    const publisher = this.#publisher(node, now);
    const losses: Loss[] = [];
    for (const sequence of publisher.sequences) losses.push(...settle(sequence));
    for (const [topic, number] of Object.entries(numbers)) {
      const sequence = publisher.sequences.get(topic);
      if (sequence !== undefined) sequence.announced = Math.max(sequence.announced, number);
      else if (publisher.started !== undefined) this.#begin(publisher, topic, number);
    }
    return losses;
  }

  /**
   * Takes the answer of a publisher to a question.
   *
   * @param age For how long it has run, in milliseconds, when it got the question.
   * @param asked When the question was sent, by the clock of this node.
   * @returns What is lost.
   */
  answer(
    node: string,
    numbers: Record<string, number>,
    age: number,
    asked: number,
    now: number,
  ): Loss[] {
    const publisher = this.#publisher(node, now);
    const losses: Loss[] = [];
    const isNew = publisher.started === undefined;
    publisher.started ??= { earliest: asked - age, latest: now - age };
    if (isNew) {
      for (const [topic, sequence] of publisher.sequences) {
        losses.push(...judge(publisher, topic, sequence, this.#wanted.get(topic)!));
      }
    }
    for (const [topic, number] of Object.entries(numbers)) {
      const sequence = publisher.sequences.get(topic);
      if (sequence !== undefined) sequence.announced = Math.max(sequence.announced, number);
      else losses.push(...this.#begin(publisher, topic, number));
    }
    return losses;
  }

  /** Takes that a publisher has ended: what it announced does not come any more. @returns What is lost. */
  end(node: string): Loss[] {
    const publisher = this.#publishers.get(node);
    this.#publishers.delete(node);
    return [...publisher?.sequences ?? []].flatMap(settle);
  }

  /** Forgets publishers of which nothing was heard since a time. @returns What is lost. */
  expire(before: number): Loss[] {
    const ended = [...this.#publishers].filter(([, { heardAt }]) => heardAt < before);
    return ended.flatMap(([node]) => this.end(node));
  }

  #publisher(node: string, now: number): Publisher {
    let publisher = this.#publishers.get(node);
    if (publisher === undefined) {
      publisher = { sequences: new Map(), started: undefined, heardAt: now };
      this.#publishers.set(node, publisher);
    }
    publisher.heardAt = now;
    return publisher;
  }

  /** Begins with a number that was announced, of a topic of which no message has come. */
  #begin(publisher: Publisher, topic: string, number: number): Loss[] {
    const wantedAt = this.#wanted.get(topic);
    if (wantedAt === undefined) return [];
    const { earliest, latest } = publisher.started!;
    if (earliest > wantedAt) {
      publisher.sequences.set(topic, { last: 0, first: undefined, announced: number });
      return [];
    }
    publisher.sequences.set(topic, { last: number, first: undefined, announced: 0 });
    return latest > wantedAt && number > 0 ? [{ topic, count: undefined }] : [];
  }
}

/** Counts what came before the first message that was received of a topic. */
function judge(publisher: Publisher, topic: string, sequence: Sequence, wantedAt: number): Loss[] {
  const before = (sequence.first ?? 1) - 1;
  sequence.first = undefined;
  const { earliest, latest } = publisher.started!;
  if (before === 0 || latest <= wantedAt) return [];
  return [{ topic, count: earliest > wantedAt ? before : undefined }];
}

/** Counts what was announced before, and has not come. */
function settle([topic, sequence]: [string, Sequence]): Loss[] {
  const count = sequence.announced - sequence.last;
  if (count <= 0) return [];
  sequence.last = sequence.announced;
  return [{ topic, count }];
}
