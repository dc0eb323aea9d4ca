import { GapCount } from "./gap_count.ts";
import { SharedMessage } from "../connection/shared_message.ts";
import type { Publication, WhenSlow } from "./types.ts";

/** A message that waits for a slow peer. */
export interface Waiting {
  /** The encoded message; `undefined` until a kept message is encoded. */
  data: SharedMessage | undefined;
  /** A kept message that is sent again. */
  publication: Publication | undefined;
  /** The number of messages missing before it. */
  gap: GapCount | undefined;
  readonly key: unknown;
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
  #items: Waiting[] = [];
  #head = 0;
  #byKey: Map<unknown, Waiting> | undefined;
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
    return this.#items.length - this.#head;
  }

  /** Adds kept messages. The queue must be empty. */
  replay(publications: Publication[]): void {
    for (const publication of publications) {
      this.#items.push({ ...contentOf(publication), gap: undefined, key: undefined });
    }
    this.#replayed = publications.length;
  }

  /**
   * Adds a message according to the policy: an encoded message, or a kept message that is encoded later.
   *
   * @returns The result, and the number of messages that the new one has displaced.
   */
  add(message: SharedMessage | Publication, key: unknown): { added: Added; displaced: number } {
    if (this.#policy === "latest") {
      const same = this.#byKey?.get(key);
      if (same !== undefined) {
        Object.assign(same, contentOf(message));
        (same.gap ??= new GapCount()).addSlow(1);
        return { added: "waiting", displaced: 1 };
      }
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
    const oldest = this.shift()!;
    const next = this.#items[this.#head];
    const gap = next === undefined
      ? this.#gapAtEnd ??= new GapCount()
      : next.gap ??= new GapCount();
    gap.addSlow(1);
    if (oldest.gap !== undefined) gap.add(oldest.gap);
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
    const oldest = this.#items[this.#head];
    if (oldest === undefined) return undefined;
    this.#head++;
    if (this.#replayed > 0) this.#replayed--;
    if (this.#byKey?.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
    if (this.length === 0 || (this.#head > 256 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return oldest;
  }

  /** Returns and clears the number of messages missing at the end. */
  takeGapAtEnd(): GapCount | undefined {
    const gap = this.#gapAtEnd;
    this.#gapAtEnd = undefined;
    return gap;
  }

  #push(message: SharedMessage | Publication, key: unknown): void {
    const gap = this.takeGapAtEnd();
    const waiting: Waiting = { ...contentOf(message), gap, key };
    this.#items.push(waiting);
    if (this.#policy === "latest") (this.#byKey ??= new Map()).set(key, waiting);
  }
}

function contentOf(
  message: SharedMessage | Publication,
): Pick<Waiting, "data" | "publication"> {
  return message instanceof SharedMessage
    ? { data: message, publication: undefined }
    : { data: undefined, publication: message };
}
