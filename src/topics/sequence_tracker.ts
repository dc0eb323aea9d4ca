import { getOrCreate } from "../util/maps.ts";

/** The distance between the first numbers of two sequences. It is more than a topic has messages. */
const SEQUENCE_SPAN = 2 ** 32;

/**
 * Returns the number before the first one of a new sequence. A publisher that has forgotten a topic must not use
 * its numbers again: other nodes would take the messages for duplicates.
 *
 * @param count The number of sequences that the topic may have had before.
 */
export function numberBeforeSequence(count: number): number {
  return count * SEQUENCE_SPAN;
}

/** The received numbers of one topic of one publisher. */
interface Sequence {
  /** The number of the last message that has been received or counted as lost. */
  last: number;
  /** The number of the first received message, until the number of lost messages before it is known. */
  first: number | undefined;
  /** The number that the publisher announced last. Messages up to it are lost at the next announcement. */
  announced: number;
}

/** The earliest and the latest time of a publisher's start, by this node's clock. */
interface Start {
  readonly earliest: number;
  readonly latest: number;
}

/** The state of another node. */
interface Publisher {
  readonly sequences: Map<string, Sequence>;
  /** `undefined` until it has answered. */
  started: Start | undefined;
  /** Whether it has announced its end. */
  hasEnded: boolean;
  heardAt: number;
}

/** Lost messages of a topic. `count` is `undefined` if their number is unknown. */
export interface Loss {
  topic: string;
  count: number | undefined;
}

/**
 * Counts the messages that a node has missed. Each publisher numbers its messages of a topic from 1, and
 * announces its last numbers. A message is lost if a later number arrives, or if its number is announced
 * twice before it arrives. What a publisher sends after it has forgotten a topic is a new sequence, which begins
 * at a later multiple of 2 ** 32.
 *
 * A new publisher is asked for its numbers. Messages that it published before this node subscribed to the
 * topic are not missed. To decide this, the publisher's start is compared with the time of the subscription.
 * Both use this node's clock; the round-trip time of the question is the uncertainty.
 */
export class SequenceTracker {
  readonly #publishers = new Map<string, Publisher>();
  /** The time at which tracking of each topic began. */
  readonly #tracked = new Map<string, number>();

  /** The topics whose messages are counted. */
  get tracked(): Iterable<string> {
    return this.#tracked.keys();
  }

  /** Whether a publisher has not answered yet. */
  get hasUnknown(): boolean {
    for (const { started, hasEnded } of this.#publishers.values()) {
      if (started === undefined && !hasEnded) return true;
    }
    return false;
  }

  /** Starts to count the lost messages of a topic. */
  track(topic: string, now: number): void {
    this.#tracked.set(topic, now);
  }

  /** Stops counting a topic. */
  untrack(topic: string): void {
    this.#tracked.delete(topic);
    for (const { sequences } of this.#publishers.values()) sequences.delete(topic);
  }

  /**
   * Records the number of a received message.
   *
   * @returns The number of messages missing before it; `undefined` if it is a duplicate.
   */
  message(node: string, topic: string, number: number, now: number): Loss[] | undefined {
    const trackedAt = this.#tracked.get(topic);
    if (trackedAt === undefined) return undefined;
    const publisher = this.#publisher(node, now);
    const sequence = publisher.sequences.get(topic);
    if (sequence === undefined) {
      const begun = { last: number, first: number, announced: 0 };
      publisher.sequences.set(topic, begun);
      const { started } = publisher;
      return started === undefined ? [] : judge(started, topic, begun, trackedAt);
    }
    if (number <= sequence.last) return undefined;
    const count = countUntil(number, sequence.last) - 1;
    sequence.last = number;
    return count > 0 ? [{ topic, count }] : [];
  }

  /** Records the numbers that a publisher announces with a heartbeat. @returns The lost messages. */
  heartbeat(node: string, numbers: Record<string, number>, now: number): Loss[] {
    const publisher = this.#publisher(node, now);
    const losses = [...publisher.sequences].flatMap(settle);
    return losses.concat(this.#announced(publisher, numbers));
  }

  /**
   * Records a publisher's answer to a question.
   *
   * @param age The publisher's uptime when it received the question, in milliseconds.
   * @param asked The time at which the question was sent, by this node's clock.
   * @returns The lost messages.
   */
  answer(
    node: string,
    numbers: Record<string, number>,
    age: number,
    asked: number,
    now: number,
  ): Loss[] {
    const publisher = this.#publisher(node, now);
    const isNew = publisher.started === undefined;
    publisher.started ??= { earliest: asked - age, latest: now - age };
    const losses = isNew ? this.#judge(publisher, publisher.started) : [];
    return losses.concat(this.#announced(publisher, numbers));
  }

  /** Counts the messages that were announced and have not arrived. @returns The lost messages. */
  settle(): Loss[] {
    return [...this.#publishers.values()].flatMap(({ sequences }) =>
      [...sequences].flatMap(settle)
    );
  }

  /**
   * Handles the end of a publisher: announced messages no longer arrive. Its numbers are remembered, since a
   * client may send its last messages again.
   *
   * @param numbers The numbers that it announces with its end.
   * @param latest The latest time of its start. It may have ended before it answered.
   * @returns The lost messages.
   */
  end(node: string, numbers: Record<string, number>, latest: number): Loss[] {
    const publisher = this.#publishers.get(node);
    if (publisher === undefined) return [];
    publisher.hasEnded = true;
    const losses = publisher.started === undefined
      ? this.#judge(publisher, { earliest: -Infinity, latest })
      : [];
    return losses.concat(
      this.#announced(publisher, numbers),
      [...publisher.sequences].flatMap(settle),
    );
  }

  /** Does not count a time in milliseconds, in which nothing could be received, as silence of publishers. */
  discount(time: number, now: number): void {
    for (const publisher of this.#publishers.values()) {
      publisher.heardAt = Math.min(publisher.heardAt + time, now);
    }
  }

  /** Removes publishers that have been silent since a time. @returns The lost messages. */
  expire(before: number): Loss[] {
    const ended = [...this.#publishers].filter(([, { heardAt }]) => heardAt < before);
    return ended.flatMap(([node]) => {
      const losses = this.end(node, {}, Infinity);
      this.#publishers.delete(node);
      return losses;
    });
  }

  /**
   * Handles publishers that have been silent since a time, and have not answered before. They may have ended,
   * so it is not known whether messages before the first one are missing.
   *
   * @returns The losses of an unknown number.
   */
  giveUp(before: number): Loss[] {
    const losses: Loss[] = [];
    for (const publisher of this.#publishers.values()) {
      if (publisher.started !== undefined || publisher.heardAt >= before) continue;
      losses.push(...this.#judge(publisher, { earliest: -Infinity, latest: Infinity }));
    }
    return losses;
  }

  /** Counts the lost messages before the first received message of each topic. */
  #judge(publisher: Publisher, started: Start): Loss[] {
    return [...publisher.sequences].flatMap(([topic, sequence]) =>
      judge(started, topic, sequence, this.#tracked.get(topic)!)
    );
  }

  /** Records announced numbers. */
  #announced(publisher: Publisher, numbers: Record<string, number>): Loss[] {
    const losses: Loss[] = [];
    for (const [topic, number] of Object.entries(numbers)) {
      const sequence = publisher.sequences.get(topic);
      if (sequence !== undefined) sequence.announced = Math.max(sequence.announced, number);
      else if (publisher.started !== undefined) {
        losses.push(...this.#begin(publisher, topic, number));
      }
    }
    return losses;
  }

  #publisher(node: string, now: number): Publisher {
    const publisher = getOrCreate(this.#publishers, node, (): Publisher => {
      return { sequences: new Map(), started: undefined, hasEnded: false, heardAt: now };
    });
    publisher.heardAt = now;
    return publisher;
  }

  /** Starts with an announced number, for a topic without a received message. */
  #begin(publisher: Publisher, topic: string, number: number): Loss[] {
    const trackedAt = this.#tracked.get(topic);
    if (trackedAt === undefined) return [];
    const { earliest, latest } = publisher.started!;
    if (earliest > trackedAt) {
      publisher.sequences.set(topic, { last: 0, first: undefined, announced: number });
      return [];
    }
    publisher.sequences.set(topic, { last: number, first: undefined, announced: 0 });
    return latest > trackedAt && number > 0 ? [{ topic, count: undefined }] : [];
  }
}

/** Counts the lost messages before the first received message of a topic. */
function judge(
  { earliest, latest }: Start,
  topic: string,
  sequence: Sequence,
  trackedAt: number,
): Loss[] {
  const before = countUntil(sequence.first ?? 1, 0) - 1;
  sequence.first = undefined;
  if (before === 0 || latest <= trackedAt) return [];
  return [{ topic, count: earliest > trackedAt ? before : undefined }];
}

/** Counts the messages that were announced before and have not arrived. */
function settle([topic, sequence]: [string, Sequence]): Loss[] {
  const { announced, last } = sequence;
  if (announced <= last) return [];
  const count = countUntil(announced, last);
  sequence.last = announced;
  return [{ topic, count }];
}

/** Returns how many messages there are after one with a lower number: in a new sequence, from its beginning. */
function countUntil(number: number, last: number): number {
  return number - Math.max(last, number - number % SEQUENCE_SPAN);
}
