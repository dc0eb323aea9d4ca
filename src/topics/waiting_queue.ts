import { GapCount } from "./gap_count.ts";
import { getOrCreate } from "../util/maps.ts";
import { MessageRun, runOf } from "./message_run.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import type { Publication, WhenSlow } from "./types.ts";

/** A message that waits for a slow peer. */
export interface Waiting {
  /** The encoded message, or a kept message that is encoded when it is sent. */
  readonly message: SharedMessage | Publication;
  /** The number of messages missing before it. */
  readonly gap: GapCount | undefined;
}

/** The result of {@linkcode WaitingQueue.add}: the message waits, is dropped, or does not fit. */
export type Added = "waiting" | "dropped" | "full";

/**
 * The messages of one subscription that wait for a slow peer, limited by its policy. Dropped messages are
 * counted at their place in the queue.
 */
export class WaitingQueue {
  readonly #policy: WhenSlow;
  readonly #max: number;
  /** Runs of messages that queues share: many peers may be slow, with the same messages. */
  #items: (SharedMessage | Publication | MessageRun)[] = [];
  #head = 0;
  #length = 0;
  /** The number of the first message: how many were removed before it. */
  #first = 0;
  /** The numbers of missing messages, by the number of the message after them. */
  #gaps: Map<number, GapCount> | undefined;
  /** For `"latest"`: the keys of the messages, and the numbers of the messages by key. */
  #keys: unknown[] | undefined;
  #byKey: Map<unknown, number> | undefined;
  /** The number of replayed messages at the front, which do not count for `max`. */
  #replayed = 0;
  /** The number of messages missing at the end. */
  #gapAtEnd: GapCount | undefined;

  constructor(policy: WhenSlow, max: number) {
    this.#policy = policy;
    this.#max = max;
  }

  /** The number of messages. */
  get length(): number {
    return this.#length;
  }

  /** Adds kept messages. The queue must be empty. */
  replay(publications: Publication[]): void {
    this.#items.push(new MessageRun({ messages: publications, room: 0 }, 0, publications.length));
    this.#replayed = this.#length = publications.length;
  }

  /**
   * Adds a message according to the policy: an encoded message, or a kept message that is encoded later.
   *
   * @returns The result, and the number of messages that the new one has displaced.
   */
  add(message: SharedMessage | Publication, key: unknown): { added: Added; displaced: number } {
    const same = this.#byKey?.get(key);
    if (same !== undefined) {
      this.#items[same - this.#first + this.#head] = message;
      const gap = this.#gapBefore(same);
      gap.addSlow(1);
      // The new message comes after what is missing at the end, although it is sent earlier.
      const missing = this.takeGapAtEnd();
      if (missing !== undefined) gap.add(missing);
      return { added: "waiting", displaced: 1 };
    }
    if (this.length - this.#replayed < this.#max) {
      this.#push(message, key);
      return { added: "waiting", displaced: 0 };
    }
    if (this.#policy === "close") return { added: "full", displaced: 0 };
    if (this.#policy === "drop-newest") {
      this.skip();
      return { added: "dropped", displaced: 0 };
    }
    const { gap: missing } = this.shift()!;
    const gap = this.length === 0
      ? this.#gapAtEnd ??= new GapCount()
      : this.#gapBefore(this.#first);
    gap.addSlow(1);
    if (missing !== undefined) gap.add(missing);
    this.#push(message, key);
    return { added: "waiting", displaced: 1 };
  }

  /** Counts a message that is dropped at the end of the queue. */
  skip(): void {
    (this.#gapAtEnd ??= new GapCount()).addSlow(1);
  }

  /** Counts messages that a relay has lost, at the end of the queue. */
  skipLost(count: number | undefined): void {
    (this.#gapAtEnd ??= new GapCount()).addRelay(count);
  }

  /** Removes and returns the oldest message. */
  shift(): Waiting | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head]!;
    const message = item instanceof MessageRun ? item.shift() : item;
    const number = this.#first++;
    const gap = this.#gaps?.get(number);
    this.#gaps?.delete(number);
    if (this.#keys !== undefined) this.#byKey!.delete(this.#keys[this.#head]);
    this.#length--;
    if (this.#replayed > 0) this.#replayed--;
    if (!(item instanceof MessageRun) || item.isEmpty) this.#head++;
    if (this.#length === 0 || (this.#head > 256 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#keys = this.#keys?.slice(this.#head);
      this.#head = 0;
    }
    return { message, gap };
  }

  /** Returns and clears the number of messages missing at the end. */
  takeGapAtEnd(): GapCount | undefined {
    const gap = this.#gapAtEnd;
    this.#gapAtEnd = undefined;
    return gap;
  }

  #push(message: SharedMessage | Publication, key: unknown): void {
    const number = this.#first + this.#length++;
    const gap = this.takeGapAtEnd();
    if (gap !== undefined) (this.#gaps ??= new Map()).set(number, gap);
    if (this.#policy === "latest") {
      this.#items.push(message);
      (this.#keys ??= []).push(key);
      (this.#byKey ??= new Map()).set(key, number);
      return;
    }
    const last = this.#items.at(-1);
    if (!(last instanceof MessageRun && last.add(message))) this.#items.push(runOf(message));
  }

  #gapBefore(number: number): GapCount {
    return getOrCreate(this.#gaps ??= new Map(), number, () => new GapCount());
  }
}
