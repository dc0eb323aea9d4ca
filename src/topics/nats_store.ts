import { decodeBase64 } from "@std/encoding/base64";
import { isWithin } from "./position.ts";
import { decode, encodeBytes, encodeTopic } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import type { BrokerEvents } from "./broker.ts";
import { consumerConfig, isStored, NatsReader, placeOf, takeStatus } from "./nats_consumer.ts";
import type { StoredBytes } from "./nats_consumer.ts";
import type { JetStream, NatsConnection, NatsMessage } from "./nats_types.ts";
import type { History, Position, Publication } from "./types.ts";

/** The silence after which a consumer is replaced, in milliseconds. */
const SILENCE = 3500;

/** The timeout for an answer of JetStream, in milliseconds. */
const TIMEOUT = 4000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A topic whose stored messages are delivered by a consumer of its own. */
interface Followed {
  /** The stream's sequence number of the last message that was delivered. */
  last: number;
  epoch: string;
  /** The consumer's number of the last message. A skipped number means a lost message. */
  delivered: number;
  heardAt: number;
  subscription: { unsubscribe(): void } | undefined;
  /** Messages of a consumer whose stream is not known yet; otherwise `undefined`. */
  early: NatsMessage[] | undefined;
}

/** JetStream's description of the stream. */
interface StreamInfo {
  created: string;
  config: { max_msgs_per_subject?: number };
  state: { first_seq: number; last_seq: number; subjects?: Record<string, number> };
}

/** Kept topics in JetStream: one stream, with a subject for each topic. */
export class NatsStore {
  readonly #connection: NatsConnection;
  readonly #jetstream: JetStream;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #reader: NatsReader;
  readonly #followed = new Map<string, Followed>();
  #count = 0;
  /** The epoch of the stream when it was last described. */
  #epoch: string | undefined;
  #currentInfo: Promise<StreamInfo> | undefined;
  #nextInfo: Promise<StreamInfo> | undefined;

  constructor(connection: NatsConnection, jetstream: JetStream, stream: string, prefix: string) {
    this.#connection = connection;
    this.#jetstream = jetstream;
    this.#stream = stream;
    this.#prefix = prefix;
    this.#reader = new NatsReader(connection, (config) => this.#create(config));
  }

  /** Stores a message. JetStream uses its `id` for deduplication. */
  async store(topic: string, message: WireMessage): Promise<Position> {
    const { id } = message;
    const options = id === undefined ? {} : { msgID: `${encodeTopic(topic)} ${id}` };
    const subject = this.#subjectOf(topic);
    const bytes = encodeBytes(message);
    const before = this.#epoch ?? this.#info().then(({ created }) => epochOf(created));
    // Publishing does not wait for the epoch, so that messages are stored in the order of the calls.
    const [{ seq }, epochBefore] = await Promise.all([
      this.#jetstream.publish(subject, bytes, { ...options, timeout: TIMEOUT }),
      before,
    ]);
    // The answer does not say which stream has the number: it may have been deleted and created again.
    const epoch = epochOf((await this.#infoSoon()).created);
    if (epoch !== epochBefore) {
      throw new DOMException("The stream is another one", "OperationError");
    }
    return { epoch, offset: seq };
  }

  /** Reads the stored messages after a position, or all. */
  async read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    const before = await this.#info();
    const epoch = epochOf(before.created);
    const last = await this.#last(topic, before);
    const position = { epoch, offset: last };
    const isSame = since === undefined || isWithin(since, 0, position);
    const from = since?.offset ?? 0;
    const first = Math.max(from + 1, before.state.first_seq);
    const publications = isSame ? await this.#readUntil(topic, first, position, limit) : [];
    // Messages may have been dropped meanwhile, and the stream may be another one.
    const after = await this.#info();
    checkSame(after, before);
    const dropped = isSame ? await this.#dropped(topic, after, from, last) : undefined;
    const complete = isSame && dropped === undefined;
    if (complete) return { publications, position, complete };
    // Of messages that were dropped meanwhile, some have been read: others between them may be missing.
    const isWhole = ({ position }: Publication) => position!.offset > (dropped ?? 0);
    return {
      publications: since === undefined ? publications.filter(isWhole) : [],
      position,
      complete,
    };
  }

  /** Reads messages up to a position. */
  async #readUntil(
    topic: string,
    first: number,
    { epoch, offset }: Position,
    limit: number,
  ): Promise<Publication[]> {
    if (first > offset || limit === 0) return [];
    const stored = limit === Infinity
      ? await this.#reader.read(this.#subjectOf(topic), first, offset, () => this.#inbox())
      : await this.#readSome(topic, first, offset, limit);
    const publications: Publication[] = [];
    for (const { seq, data } of stored) {
      const message = decode(data);
      if (message === undefined) continue;
      publications.push({ topic, data: message.data, position: { epoch, offset: seq } });
    }
    return publications;
  }

  /** Reads a limited number of messages, one after the other: a consumer would not stop by itself. */
  async #readSome(
    topic: string,
    first: number,
    last: number,
    limit: number,
  ): Promise<StoredBytes[]> {
    const all: StoredBytes[] = [];
    for (let seq = first; seq <= last && all.length < limit;) {
      const stored = await this.#next(topic, seq);
      if (stored === undefined || stored.seq > last) break;
      all.push(stored);
      seq = stored.seq + 1;
    }
    return all;
  }

  /** Starts to deliver new messages of a topic. */
  async follow(topic: string, events: BrokerEvents): Promise<void> {
    const followed: Followed = {
      last: 0,
      epoch: "",
      delivered: 0,
      heardAt: performance.now(),
      subscription: undefined,
      early: undefined,
    };
    this.#followed.get(topic)?.subscription?.unsubscribe();
    this.#followed.set(topic, followed);
    await this.#consume(topic, followed, events);
    if (followed.epoch === "" && this.#followed.get(topic) === followed) {
      throw new DOMException("The connection was lost", "NetworkError");
    }
  }

  /** Stops delivering a topic. */
  unfollow(topic: string): void {
    this.#followed.get(topic)?.subscription?.unsubscribe();
    this.#followed.delete(topic);
  }

  /**
   * Ignores all consumers, because the connection is lost. Of messages that are dropped until it is back, a
   * consumer would not tell.
   */
  disconnect(): void {
    for (const followed of this.#followed.values()) {
      followed.subscription?.unsubscribe();
      followed.subscription = undefined;
    }
  }

  /** Stops delivering all topics. */
  stop(): void {
    this.#reader.stop();
    for (const topic of [...this.#followed.keys()]) this.unfollow(topic);
  }

  /** Replaces the consumers that are silent, or all. */
  renew(events: BrokerEvents, isAll: boolean): void {
    const silent = performance.now() - SILENCE;
    for (const [topic, followed] of this.#followed) {
      if (followed.epoch === "" || (!isAll && followed.heardAt > silent)) continue;
      followed.heardAt = performance.now();
      this.#resume(topic, followed, events);
    }
  }

  /** Continues a topic after the last message that was delivered. */
  async #resume(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    try {
      await this.#consume(topic, followed, events);
    } catch (error) {
      events.error(error);
      // The next tick tries again.
      followed.subscription?.unsubscribe();
      followed.subscription = undefined;
      followed.heardAt = -Infinity;
    }
  }

  /** Has JetStream deliver what comes after the last message that was delivered. */
  async #consume(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    const isCurrent = () => this.#followed.get(topic) === followed;
    const isFirst = followed.epoch === "";
    followed.heardAt = performance.now();
    const info = await this.#info();
    const epoch = epochOf(info.created);
    const isSame = epoch === followed.epoch;
    let { last } = followed;
    if (isFirst) last = await this.#last(topic, info);
    else if (!isSame) last = 0;
    if (!isCurrent()) return;
    const subscription = await this.#createConsumer(topic, followed, last, events);
    // A consumer belongs to the stream only if no other stream was created meanwhile.
    const after = await this.#info();
    const dropped = isFirst ? undefined : await this.#dropped(topic, after, last, Infinity);
    if (!isCurrent() || followed.subscription !== subscription) return;
    checkSame(after, info);
    followed.epoch = epoch;
    followed.last = last;
    if (!isFirst && (!isSame || dropped !== undefined)) {
      events.storeGap(topic, undefined, { epoch, offset: dropped ?? 0 });
    }
    const { early = [] } = followed;
    followed.early = undefined;
    for (const message of early) this.#take(topic, followed, message, events);
  }

  async #createConsumer(
    topic: string,
    followed: Followed,
    last: number,
    events: BrokerEvents,
  ): Promise<{ unsubscribe(): void }> {
    followed.subscription?.unsubscribe();
    followed.delivered = 0;
    followed.early = [];
    const subject = this.#inbox();
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return events.error(error);
        if (followed.subscription !== subscription) return;
        followed.heardAt = performance.now();
        if (!isStored(message)) this.#takeStatus(topic, followed, message, events);
        else if (followed.early === undefined) this.#take(topic, followed, message, events);
        else followed.early.push(message);
      },
    });
    followed.subscription = subscription;
    await this.#create(consumerConfig(subject, this.#subjectOf(topic), last + 1));
    return subscription;
  }

  /** Takes a message about the state of the consumer. */
  #takeStatus(topic: string, followed: Followed, message: NatsMessage, events: BrokerEvents): void {
    const last = takeStatus(this.#connection, message) ?? 0;
    if (followed.early === undefined && last > followed.delivered) {
      this.#resume(topic, followed, events);
    }
  }

  /** Takes a stored message of the consumer. */
  #take(topic: string, followed: Followed, message: NatsMessage, events: BrokerEvents): void {
    const { seq, delivered } = placeOf(message);
    if (delivered !== followed.delivered + 1) {
      this.#resume(topic, followed, events);
      return;
    }
    followed.delivered = delivered;
    if (seq <= followed.last) return;
    followed.last = seq;
    const stored = decode(message.data);
    if (stored === undefined) return;
    events.stored(topic, { ...stored, position: { epoch: followed.epoch, offset: seq } });
  }

  /** Returns a new subject, on which a consumer delivers. */
  #inbox(): string {
    return `${this.#prefix}.d.${crypto.randomUUID()}.${++this.#count}`;
  }

  #create(config: object): Promise<unknown> {
    return this.#ask(`CONSUMER.CREATE.${this.#stream}`, { stream_name: this.#stream, config });
  }

  #subjectOf(topic: string): string {
    return `${this.#prefix}.k.${encodeTopic(topic)}`;
  }

  async #info(): Promise<StreamInfo> {
    const info = await this.#ask(`STREAM.INFO.${this.#stream}`, {}) as StreamInfo;
    this.#epoch = epochOf(info.created);
    return info;
  }

  /** Describes the stream at a time after the call. Calls of the same time share one request. */
  #infoSoon(): Promise<StreamInfo> {
    return this.#nextInfo ??= (this.#currentInfo ?? Promise.resolve()).then(() => {}, () => {})
      .then(() => {
        this.#nextInfo = undefined;
        return this.#currentInfo = this.#info();
      });
  }

  /** Returns a number after which there is no message of a topic. It may be that of another topic. */
  async #last(topic: string, { state }: StreamInfo): Promise<number> {
    const stored = await this.#get({ last_by_subj: this.#subjectOf(topic) });
    return Math.max(stored?.seq ?? 0, state.last_seq);
  }

  /**
   * Decides whether messages of a topic, after a number and up to another, may have been dropped.
   *
   * @returns The number up to which they may be; `undefined` if none are.
   */
  async #dropped(
    topic: string,
    info: StreamInfo,
    after: number,
    last: number,
  ): Promise<number | undefined> {
    const { config, state } = info;
    // The stream drops its oldest messages first, and above the limit of a subject, that subject's oldest.
    const most = config.max_msgs_per_subject ?? -1;
    if (after >= last || (state.first_seq <= after + 1 && most <= 0)) return undefined;
    const isAtLimit = most > 0 && await this.#stored(topic) >= most;
    const first = await this.#next(topic, 1);
    // The answers above do not say of which stream they are: another one may have no messages yet.
    checkSame(await this.#info(), info);
    const next = first?.seq ?? state.last_seq + 1;
    const until = (isAtLimit ? next : Math.min(next, state.first_seq)) - 1;
    return until > after ? until : undefined;
  }

  /** Returns the number of a topic's stored messages. */
  async #stored(topic: string): Promise<number> {
    const subject = this.#subjectOf(topic);
    const filter = { subjects_filter: subject };
    const { state } = await this.#ask(`STREAM.INFO.${this.#stream}`, filter) as StreamInfo;
    return state.subjects?.[subject] ?? 0;
  }

  #next(topic: string, seq: number): Promise<StoredBytes | undefined> {
    return this.#get({ seq, next_by_subj: this.#subjectOf(topic) });
  }

  async #get(what: object): Promise<StoredBytes | undefined> {
    const answer = await this.#ask(`STREAM.MSG.GET.${this.#stream}`, what, 404) as {
      message?: { seq: number; data?: string };
    };
    if (answer.message === undefined) return undefined;
    const { seq, data = "" } = answer.message;
    return { seq, data: decodeBase64(data) };
  }

  /** Sends a request to JetStream. @param allowed The code of an error that is returned as an answer. */
  async #ask(what: string, request: object, allowed = 0): Promise<unknown> {
    const payload = encoder.encode(JSON.stringify(request));
    const { data } = await this.#connection.request(`$JS.API.${what}`, payload, {
      timeout: TIMEOUT,
    });
    const answer = JSON.parse(decoder.decode(data));
    if (answer.error !== undefined && answer.error.code !== allowed) {
      throw new DOMException(`JetStream: ${answer.error.description}`, "OperationError");
    }
    return answer;
  }
}

/** Returns the stream's time of creation as digits: a stream that is created again gets another epoch. */
function epochOf(created: string): string {
  return created.replaceAll(/\W/g, "");
}

/** Throws if a stream was deleted and created again between two descriptions. */
function checkSame(after: StreamInfo, before: StreamInfo): void {
  if (after.created === before.created) return;
  throw new DOMException("The stream is another one", "OperationError");
}
