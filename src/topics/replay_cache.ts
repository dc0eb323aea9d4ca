import { memoryOf } from "./history.ts";
import { isWithin } from "./position.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import type { History, Keep, Message, Position, Publication, RelayedMessage } from "./types.ts";

/** The time for which a read of the store serves later subscribers, in milliseconds. */
const LIFETIME = 30_000;

/** The part of `age` by which a message may be served longer than it is kept. */
const AGE_PART = 0.1;

type Encode = ((publication: Publication) => Message) | undefined;

/** The encoded forms of cached messages, by the `encode` of their subscriptions. */
const encodings = /* @__PURE__ */ new WeakMap<Publication, Map<Encode, SharedMessage>>();

/**
 * Returns the encoded forms of a message that many subscriptions replay; `undefined` for one that is
 * encoded for each. A message without subscribers must not take the memory twice.
 */
export function encodingsOf(publication: Publication): Map<Encode, SharedMessage> | undefined {
  return encodings.get(publication);
}

/** Live messages that arrive while the store is read. */
export type Recording = Publication[];

/** Consecutive messages of a topic. */
interface Cached {
  readonly epoch: string;
  /** The offset after which no message is missing. */
  from: number;
  /** The offset up to which no message is missing. */
  last: number;
  publications: Publication[];
  /** The index of the first message that is kept still. */
  head: number;
  bytes: number;
  readonly keep: Keep;
  readonly until: number;
}

/** The last read of each topic's store, continued with the live messages. */
export class ReplayCache {
  readonly #maxBytes: number;
  readonly #cached = new Map<string, Cached>();
  readonly #recordings = new Map<string, Recording>();
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Starts to record the live messages of a topic, before its store is read. */
  record(topic: string): Recording {
    const recording: Recording = [];
    this.#recordings.set(topic, recording);
    return recording;
  }

  /** Ends a recording. */
  stop(recording: Recording, topic: string): void {
    if (this.#recordings.get(topic) === recording) this.#recordings.delete(topic);
  }

  /**
   * Keeps what was read, unless live messages were lost meanwhile.
   *
   * @param from The offset after which the history is complete.
   */
  finish(recording: Recording, topic: string, history: History, from: number, keep: Keep): void {
    if (this.#recordings.get(topic) !== recording) return;
    this.#delete(topic);
    const { position: { epoch, offset } } = history;
    if (epoch === "") return;
    const lifetime = Math.min(LIFETIME, keep.age * AGE_PART);
    const cached: Cached = {
      epoch,
      from,
      last: offset,
      publications: history.publications.slice(),
      head: 0,
      bytes: 0,
      keep,
      until: performance.now() + lifetime,
    };
    for (const publication of cached.publications) this.#add(cached, publication);
    this.#cached.set(topic, cached);
    for (const publication of recording) {
      if (this.#cached.get(topic) === cached) this.#append(topic, cached, publication);
    }
    if (this.#bytes > this.#maxBytes) this.#delete(topic);
    this.#timer ??= setTimeout(() => this.#expire(), lifetime);
  }

  /** Takes a live message. A message of another epoch ends what is cached. */
  receive({ topic, data, position }: RelayedMessage): void {
    const cached = this.#cached.get(topic);
    const recording = this.#recordings.get(topic);
    if (position === undefined || (cached === undefined && recording === undefined)) return;
    const publication = { topic, data, position };
    recording?.push(publication);
    if (cached === undefined) return;
    this.#append(topic, cached, publication);
    if (this.#bytes > this.#maxBytes) this.#delete(topic);
  }

  /** Forgets a topic, because live messages may be missing. */
  drop(topic: string): void {
    this.#recordings.delete(topic);
    this.#delete(topic);
  }

  /**
   * Returns what came after a position, up to the last live message.
   *
   * @returns `undefined` if the store must be read.
   */
  read(topic: string, since: Position | undefined): History | undefined {
    const cached = this.#cached.get(topic);
    if (cached === undefined || cached.until <= performance.now()) return undefined;
    const { epoch, from, last, publications, head } = cached;
    const position = { epoch, offset: last };
    if (since === undefined) return { publications: [], position, complete: true };
    if (!isWithin(since, from, position)) return undefined;
    let [low, high] = [head, publications.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (publications[middle]!.position!.offset <= since.offset) low = middle + 1;
      else high = middle;
    }
    return { publications: publications.slice(low), position, complete: true };
  }

  /** Ends the timer, and forgets all topics. */
  close(): void {
    clearTimeout(this.#timer);
    this.#cached.clear();
    this.#recordings.clear();
  }

  #append(topic: string, cached: Cached, publication: Publication): void {
    const { epoch, offset } = publication.position!;
    if (epoch !== cached.epoch) return this.#delete(topic);
    if (offset <= cached.last) return;
    const { publications, keep: { messages, bytes = Infinity } } = cached;
    publications.push(publication);
    cached.last = offset;
    this.#add(cached, publication);
    // Like the store, it has no more than is kept.
    while (
      publications.length - cached.head > Math.max(messages, 1) ||
      cached.bytes > bytes && cached.head < publications.length
    ) {
      const oldest = publications[cached.head++]!;
      cached.from = oldest.position!.offset;
      this.#count(cached, -memoryOf(oldest.data));
    }
    if (cached.head < 256 || cached.head * 2 < publications.length) return;
    cached.publications = publications.slice(cached.head);
    cached.head = 0;
  }

  /** Counts a message, and lets subscriptions share its encoded forms. */
  #add(cached: Cached, publication: Publication): void {
    encodings.set(publication, new Map());
    this.#count(cached, memoryOf(publication.data));
  }

  #count(cached: Cached, bytes: number): void {
    cached.bytes += bytes;
    this.#bytes += bytes;
  }

  #delete(topic: string): void {
    this.#bytes -= this.#cached.get(topic)?.bytes ?? 0;
    this.#cached.delete(topic);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const [topic, { until }] of this.#cached) {
      // A timer may be early by a part of a millisecond.
      if (until <= now + 1) this.#delete(topic);
      else next = Math.min(next, until);
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.#expire(), next - now);
  }
}
