import { getOrCreate } from "../util/maps.ts";
import { MAX_DELAY } from "../util/max_delay.ts";
import { isWithin } from "./position.ts";
import type { History, Keep, Message, Position, Publication } from "./types.ts";

/** The memory of a kept message in addition to its data, in bytes: its objects. */
const MESSAGE_COST = 160;

/** A kept message. */
interface Kept {
  readonly topic: TopicHistory;
  readonly publication: Publication;
  /** Its number in the history of its topic. */
  readonly offset: number;
  readonly bytes: number;
  /** The time at which its `age` ends. */
  readonly until: number;
  /** Whether it has been dropped from its topic. */
  isDropped: boolean;
}

/** A first-in first-out queue of kept messages. */
class KeptQueue {
  #items: Kept[] = [];
  #head = 0;
  #dropped = 0;

  /** The number of messages that have not been dropped. */
  get length(): number {
    return this.#items.length - this.#head - this.#dropped;
  }

  get oldest(): Kept | undefined {
    return this.#items[this.#head];
  }

  push(kept: Kept): void {
    this.#items.push(kept);
  }

  shift(): Kept | undefined {
    const kept = this.#items[this.#head++];
    if (this.length === 0 || (this.#head > 1024 && this.#head * 2 > this.#items.length)) {
      this.#compact();
    }
    return kept;
  }

  /** Counts a dropped message that is still in the queue. Removes such messages when they are many. */
  noteDropped(): void {
    this.#dropped++;
    while (this.oldest?.isDropped) {
      this.#dropped--;
      this.shift();
    }
    if (this.#dropped > 1024 && this.#dropped > this.length) this.#compact();
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head).filter(({ isDropped }) => !isDropped);
    this.#head = this.#dropped = 0;
  }

  /** The messages behind an offset: those of one topic have consecutive offsets. */
  after(offset: number, limit: number): Publication[] {
    const first = this.oldest?.offset ?? 0;
    const start = this.#head + Math.max(0, offset + 1 - first);
    return this.#items.slice(start, start + limit).map(({ publication }) => publication);
  }
}

/** The history of one topic. */
export class TopicHistory {
  readonly topic: string;
  readonly keep: Keep;
  readonly #epoch = crypto.randomUUID();
  readonly #kept = new KeptQueue();
  #offset = 0;
  #bytes = 0;
  /** The time until which an empty history is kept: a subscriber may return with a position of it. */
  lingersUntil = 0;
  /** The key of the store's list that contains it, or 0 if it is in none. */
  expiresAt = 0;

  constructor(topic: string, keep: Keep) {
    this.topic = topic;
    this.keep = keep;
  }

  /** The position of the last message; offset 0 if there has been none. */
  get position(): Position {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  /** Whether no message is kept. */
  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Adds a message behind all others. */
  append(data: Message, until: number): Kept {
    const offset = ++this.#offset;
    const publication: Publication = { topic: this.topic, data, position: this.position };
    const bytes = memoryOf(data);
    this.#bytes += bytes;
    const kept: Kept = { topic: this, publication, offset, bytes, until, isDropped: false };
    this.#kept.push(kept);
    return kept;
  }

  /** Whether the history exceeds `keep`. */
  get isOver(): boolean {
    const { messages, bytes = Infinity } = this.keep;
    return this.#kept.length > messages || this.#bytes > bytes;
  }

  /** The time at which the oldest message expires, or the empty history does. */
  get until(): number {
    return this.#kept.oldest?.until ?? this.lingersUntil;
  }

  /** Drops the oldest message. */
  dropOldest(): Kept {
    const kept = this.#kept.shift()!;
    kept.isDropped = true;
    this.#bytes -= kept.bytes;
    return kept;
  }

  /** The kept messages after a position, or all. None if messages after the position are missing. */
  read(since: Position | undefined, limit = Infinity): History {
    const oldest = this.#kept.oldest?.offset ?? this.#offset + 1;
    const { position } = this;
    const { offset } = since ?? { offset: 0 };
    const complete = since === undefined ? oldest === 1 : isWithin(since, oldest - 1, position);
    const isRead = complete || since === undefined;
    return { publications: isRead ? this.#kept.after(offset, limit) : [], position, complete };
  }
}

/** The histories of all topics, bounded in age and in memory. */
export class HistoryStore {
  readonly #maxMemory: number;
  readonly #onEmpty: (history: TopicHistory) => void;
  /** All kept messages, the oldest first. */
  #all = new KeptQueue();
  /** The histories by the time at which their oldest message expires. */
  readonly #expiring = new Map<number, Set<TopicHistory>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerEnds = Infinity;
  #bytes = 0;

  /**
   * @param maxMemory The maximum memory of all histories, in bytes.
   * @param onEmpty Called with a history that has no messages and has expired.
   */
  constructor(maxMemory: number, onEmpty: (history: TopicHistory) => void) {
    this.#maxMemory = maxMemory;
    this.#onEmpty = onEmpty;
  }

  /** The number of kept messages. */
  get messages(): number {
    return this.#all.length;
  }

  /** The memory usage of all histories, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a message to a history. @returns The message with its position. */
  append(history: TopicHistory, data: Message): Publication {
    const kept = history.append(data, performance.now() + history.keep.age);
    this.#bytes += kept.bytes + MESSAGE_COST;
    this.#all.push(kept);
    while (history.isOver) this.#drop(history);
    while (this.#bytes > this.#maxMemory) this.#drop(this.#all.oldest!.topic);
    this.#watch(history);
    return kept.publication;
  }

  /** Keeps the offsets of an empty history for the time of its `age` from now. */
  linger(history: TopicHistory): void {
    history.lingersUntil = performance.now() + history.keep.age;
    this.#watch(history);
  }

  /** Drops all messages, and ends the timer. */
  close(): void {
    clearTimeout(this.#timer);
    this.#expiring.clear();
    this.#all = new KeptQueue();
    this.#bytes = 0;
  }

  #drop(history: TopicHistory): void {
    const kept = history.dropOldest();
    this.#bytes -= kept.bytes + MESSAGE_COST;
    this.#all.noteDropped();
  }

  /** Lists a history by its expiry, rounded to a sixteenth of its `age`. */
  #watch(history: TopicHistory): void {
    const { until, keep: { age } } = history;
    if (history.expiresAt !== 0 || until === Infinity) return;
    const step = Math.min(Math.max(age / 16, 10), 1000);
    history.expiresAt = Math.ceil(until / step) * step;
    getOrCreate(this.#expiring, history.expiresAt, () => new Set()).add(history);
    this.#setTimer(history.expiresAt);
  }

  #setTimer(time: number): void {
    if (time >= this.#timerEnds) return;
    clearTimeout(this.#timer);
    this.#timerEnds = time;
    const delay = Math.min(Math.max(time - performance.now(), 1), MAX_DELAY);
    this.#timer = setTimeout(() => this.#expire(), delay);
  }

  #expire(): void {
    this.#timerEnds = Infinity;
    const now = performance.now();
    for (const [time, histories] of [...this.#expiring]) {
      if (time > now) continue;
      this.#expiring.delete(time);
      for (const history of histories) {
        history.expiresAt = 0;
        while (!history.isEmpty && history.until <= now) this.#drop(history);
        if (history.isEmpty && history.until <= now) this.#onEmpty(history);
        else this.#watch(history);
      }
    }
    for (const time of this.#expiring.keys()) this.#setTimer(time);
  }
}

/** An upper bound of the memory of a message's data: an engine stores one or two bytes per UTF-16 unit. */
export function memoryOf(data: Message): number {
  return typeof data === "string" ? data.length * 2 : data.byteLength;
}
