import { decode, encodeBytes, encodeTopic } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import type { BrokerEvents } from "./broker_relay.ts";
import type { JetStream, NatsConnection, NatsMessage } from "./nats_types.ts";
import type { History, Position, Publication } from "./types.ts";

/** The interval at which JetStream reports that a consumer is idle, in milliseconds. */
const IDLE_HEARTBEAT = 1000;

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
}

/** JetStream's description of the stream. */
interface StreamInfo {
  created: string;
  config: { max_msgs_per_subject?: number };
  state: { first_seq: number; last_seq: number };
}

/** Kept topics in JetStream: one stream, with a subject for each topic. */
export class NatsStore {
  readonly #connection: NatsConnection;
  readonly #jetstream: JetStream;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #followed = new Map<string, Followed>();
  #count = 0;

  constructor(connection: NatsConnection, jetstream: JetStream, stream: string, prefix: string) {
    this.#connection = connection;
    this.#jetstream = jetstream;
    this.#stream = stream;
    this.#prefix = prefix;
  }

  /** Stores a message. JetStream uses its `id` for deduplication. */
  async store(topic: string, message: WireMessage): Promise<Position> {
    const { id } = message;
    const options = id === undefined ? {} : { msgID: `${encodeTopic(topic)} ${id}` };
    const subject = this.#subjectOf(topic);
    const bytes = encodeBytes(message);
    const [{ seq }, { created }] = await Promise.all([
      this.#jetstream.publish(subject, bytes, { ...options, timeout: TIMEOUT }),
      this.#info(),
    ]);
    return { epoch: epochOf(created), offset: seq };
  }

  /** Reads the stored messages after a position, or all. */
  async read(topic: string, since: Position | undefined, limit: number): Promise<History> {
    const { created, config, state } = await this.#info();
    const epoch = epochOf(created);
    const last = await this.#last(topic);
    const position = { epoch, offset: last };
    const isSame = since?.epoch === epoch && since.offset <= last && since.offset >= 0;
    if (since !== undefined && !isSame) return { publications: [], position, complete: false };
    const first = await this.#next(topic, 1);
    const from = since?.offset ?? 0;
    // The stream drops its oldest messages first, and above the limit of a subject, that subject's oldest.
    const most = config.max_msgs_per_subject ?? -1;
    const isKept = from >= state.first_seq - 1 && most <= 0 || (first?.seq ?? Infinity) <= from ||
      from === last;
    if (since !== undefined && !isKept) return { publications: [], position, complete: false };
    const publications: Publication[] = [];
    for (let seq = from + 1; seq <= last && publications.length < limit;) {
      const stored = await this.#next(topic, seq);
      if (stored === undefined || stored.seq > last) break;
      const message = decode(stored.data);
      if (message !== undefined) {
        publications.push({ topic, data: message.data, position: { epoch, offset: stored.seq } });
      }
      seq = stored.seq + 1;
    }
    return { publications, position, complete: isKept };
  }

  /** Starts to deliver new messages of a topic. */
  async follow(topic: string, events: BrokerEvents): Promise<void> {
    const { created } = await this.#info();
    const last = await this.#last(topic);
    const followed: Followed = {
      last,
      epoch: epochOf(created),
      delivered: 0,
      heardAt: performance.now(),
      subscription: undefined,
    };
    this.#followed.get(topic)?.subscription?.unsubscribe();
    this.#followed.set(topic, followed);
    await this.#consume(topic, followed, events);
  }

  /** Stops delivering a topic. */
  unfollow(topic: string): void {
    this.#followed.get(topic)?.subscription?.unsubscribe();
    this.#followed.delete(topic);
  }

  /** Replaces the consumers that are silent, or all. */
  renew(events: BrokerEvents, isAll: boolean): void {
    const silent = performance.now() - SILENCE;
    for (const [topic, followed] of this.#followed) {
      if (!isAll && followed.heardAt > silent) continue;
      followed.heardAt = performance.now();
      this.#resume(topic, followed, events).catch((error) => events.error(error));
    }
  }

  /** Continues a topic after the last message that was delivered. */
  async #resume(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    const { created, state } = await this.#info();
    const epoch = epochOf(created);
    const isLost = epoch !== followed.epoch ||
      (state.first_seq > followed.last + 1 && (await this.#last(topic)) > followed.last);
    if (this.#followed.get(topic) !== followed) return;
    if (isLost) {
      followed.last = epoch === followed.epoch ? followed.last : 0;
      followed.epoch = epoch;
      events.storeGap(topic, undefined);
    }
    await this.#consume(topic, followed, events);
  }

  async #consume(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    followed.subscription?.unsubscribe();
    followed.delivered = 0;
    followed.heardAt = performance.now();
    const subject = `${this.#prefix}.d.${crypto.randomUUID()}.${++this.#count}`;
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) events.error(error);
        else if (followed.subscription === subscription) {
          this.#take(topic, followed, message, events);
        }
      },
    });
    followed.subscription = subscription;
    const config = {
      deliver_subject: subject,
      deliver_policy: "by_start_sequence",
      opt_start_seq: followed.last + 1,
      filter_subject: this.#subjectOf(topic),
      ack_policy: "none",
      replay_policy: "instant",
      idle_heartbeat: IDLE_HEARTBEAT * 1e6,
      inactive_threshold: 30e9,
      mem_storage: true,
      num_replicas: 1,
    };
    const request = { stream_name: this.#stream, config };
    await this.#ask(`CONSUMER.CREATE.${this.#stream}`, request);
  }

  #take(topic: string, followed: Followed, message: NatsMessage, events: BrokerEvents): void {
    followed.heardAt = performance.now();
    // $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
    const tokens = message.reply?.split(".") ?? [];
    if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return; // A heartbeat.
    const [seq, delivered] = tokens.slice(tokens.length >= 11 ? 7 : 5).map(Number);
    if (delivered !== followed.delivered + 1) {
      this.#resume(topic, followed, events).catch((error) => events.error(error));
      return;
    }
    followed.delivered = delivered;
    if (seq! <= followed.last) return;
    followed.last = seq!;
    const stored = decode(message.data);
    if (stored === undefined) return;
    events.stored(topic, { ...stored, position: { epoch: followed.epoch, offset: seq! } });
  }

  #subjectOf(topic: string): string {
    return `${this.#prefix}.k.${encodeTopic(topic)}`;
  }

  async #info(): Promise<StreamInfo> {
    return await this.#ask(`STREAM.INFO.${this.#stream}`, {}) as StreamInfo;
  }

  /** Returns the sequence number of a topic's last message, or 0 if there is none. */
  async #last(topic: string): Promise<number> {
    const stored = await this.#get({ last_by_subj: this.#subjectOf(topic) });
    return stored?.seq ?? 0;
  }

  #next(topic: string, seq: number): Promise<{ seq: number; data: Uint8Array } | undefined> {
    return this.#get({ seq, next_by_subj: this.#subjectOf(topic) });
  }

  async #get(what: object): Promise<{ seq: number; data: Uint8Array } | undefined> {
    const answer = await this.#ask(`STREAM.MSG.GET.${this.#stream}`, what, 404) as {
      message?: { seq: number; data?: string };
    };
    if (answer.message === undefined) return undefined;
    const { seq, data = "" } = answer.message;
    return { seq, data: Uint8Array.from(atob(data), (char) => char.charCodeAt(0)) };
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
